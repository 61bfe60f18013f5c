"""The render unit against its golden model: real-looking Gaussians, saturation, early stop."""

import numpy as np
import pytest

pytest.importorskip("amaranth")
from archsim.rtl.arithmetic.falloff import split_sharp
from archsim.rtl.arithmetic.fine import COLOUR, MEAN, SLOPE
from archsim.rtl.blocks.render_unit import RenderUnit
from archsim.rtl.format import FLOAT
from archsim.rtl.tools.library import build_library

pytestmark = pytest.mark.rtl


def gaussians(rng: np.random.Generator, count: int, ends: int) -> dict:
    """Ellipses of 0.6 to 60 pixels, and one in ten of random bits."""
    minor, ratio = np.exp(rng.uniform(-0.5, 4, count)), np.exp(rng.uniform(0, 3, count))
    turn = rng.uniform(0, np.pi, count)
    a, b = minor**2, (minor * ratio) ** 2
    yy = a * np.sin(turn) ** 2 + b * np.cos(turn) ** 2
    xy = (b - a) * np.sin(turn) * np.cos(turn)
    half = 0.5 * np.log2(np.e)
    x, x_shift = split_sharp(FLOAT.quantize(half * yy / (a * b)))
    y, y_shift = split_sharp(FLOAT.quantize(half / yy))
    feature = {
        "mean_x": MEAN.quantize(rng.normal(8, 20, count)),
        "mean_y": MEAN.quantize(rng.normal(8, 20, count)),
        "slope": SLOPE.quantize(xy / yy),
        "sharp_x": x, "shift_x": x_shift, "sharp_y": y, "shift_y": y_shift,
        "opacity": rng.integers(0, 256, count),
        "red": COLOUR.quantize(rng.uniform(0, 1.2, count)),
        "green": COLOUR.quantize(rng.uniform(0, 1.2, count)),
        "blue": COLOUR.quantize(rng.uniform(0, 1.2, count)),
        "mask": rng.integers(0, 16, count),
    }  # fmt: skip
    wild = rng.random(count) < 0.1
    for name in ("mean_x", "mean_y", "slope"):
        q = SLOPE if name == "slope" else MEAN
        feature[name] = np.where(wild, rng.integers(q.low, q.high + 1, count), feature[name])
    for name in ("sharp_x", "sharp_y"):
        feature[name] = np.where(wild, rng.integers(0, 1 << 16, count), feature[name])
    end = np.zeros(count, np.int64)
    end[rng.choice(count - 1, ends - 1, replace=False)] = 1
    end[-1] = 1
    return {"feature": feature, "end": end}


@pytest.mark.parametrize("lanes", [8, 16])
def test_tiles_equal_the_model(lanes: int) -> None:
    unit = RenderUnit(lanes=lanes)
    items = gaussians(np.random.default_rng(lanes), 6000, 12)
    expected = unit.model(items)
    library = build_library(RenderUnit(lanes=lanes))
    beats = 12 * 256 // lanes
    for stall in (0, 30):
        run = library.run({"i": items}, expect={"o": beats}, stall_percent=stall, seed=3)
        for name, column in expected.items():
            np.testing.assert_array_equal(run.outputs["o"][name], column, err_msg=name)
    full = (expected["transmittance"] < 0.01 * 2**16).mean()
    assert full > 0.05  # some pixels are done before their tile ends
    assert run.ports["skipped"] > 0
    assert run.ports["gaussians"] == 6000 - 12


def test_wrong_lanes_are_named() -> None:
    with pytest.raises(ValueError, match="lanes must be 8 or 16, not 12"):
        RenderUnit(lanes=12)
