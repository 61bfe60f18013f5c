"""The filters' arithmetic against the float projection of the same Gaussians."""

import math

import numpy as np
import pytest

from archsim.rtl.arithmetic.coarse import coarse_graph
from archsim.rtl.arithmetic.falloff import FEATURE, split_sharp
from archsim.rtl.arithmetic.features import pack_columns
from archsim.rtl.arithmetic.fine import COLOUR, MEAN, SLOPE, fine_graph
from archsim.rtl.arithmetic.placement import placement_graph
from archsim.rtl.format import FLOAT
from archsim.rtl.parameters import Parameters
from archsim.rtl.scene_image import build_image, frame_constants
from archsim.traces.gs3d.camera import Camera
from archsim.traces.gs3d.projection import project
from archsim.traces.gs3d.scene import Scene

SMALL = Parameters(machine="test", size="test", slices=1, coarse_filters=1, coarse_interval=8,
                   fine_interval=8, lanes=8, sh_degree=3)  # fmt: skip


def scene_of(count: int, degree: int, seed: int) -> Scene:
    rng = np.random.default_rng(seed)
    quats = rng.normal(size=(count, 4))
    return Scene(
        means=rng.uniform(-1, 1, (count, 3)).astype(np.float32),
        scales=np.exp(rng.uniform(-6, -2, (count, 3))).astype(np.float32),
        quats=(quats / np.linalg.norm(quats, axis=1, keepdims=True)).astype(np.float32),
        opacities=rng.uniform(0, 1, count).astype(np.float32),
        sh=(0.3 * rng.normal(size=(count, (degree + 1) ** 2, 3))).astype(np.float32),
        name="random",
    )


def camera_of(stretch: float) -> Camera:
    pose = np.eye(4)
    pose[:3, :3] = np.array([[0.8, 0, 0.6], [0, 1, 0], [-0.6, 0, 0.8]])
    pose[2, 3] = 4.0
    return Camera(320, 240, 300.0, 300.0 * stretch, 160.0, 120.0, pose)


@pytest.mark.parametrize("degree", [0, 2, 3])
@pytest.mark.parametrize("stretch", [1.0, 1.1])
def test_projection_and_colour_follow_the_float_reference(degree: int, stretch: float) -> None:
    image = build_image(scene_of(2000, degree, 1), "extent/8", SMALL)
    camera = camera_of(stretch)
    projected = project(image.decoded, camera)
    constants = frame_constants(camera, image.grid)
    x0, y0 = 160, 112
    index = np.repeat(image.grid.index(), image.grid.count, axis=0)

    def run(graph, columns):  # type: ignore[no-untyped-def]
        return graph.evaluate(columns, {name: constants[name] for name in graph.ports})

    count = len(image.decoded)
    placed = run(placement_graph(), {
        **{f"i{axis}": index[:, k] for k, axis in enumerate("xyz")},
        "x": np.full(count, x0), "y": np.full(count, y0),
    })  # fmt: skip
    coarse = run(coarse_graph(), {
        **dict(zip(("x", "y", "z", "size"), image.coarse.T, strict=True)), **placed,
    })  # fmt: skip
    decoded = {f"{name}_{k}": book[image.index[name]][:, k]
               for name, book in image.codebooks.items() for k in range(book.shape[1])}  # fmt: skip
    carried = {n: coarse[n] for n in ("u", "v", "reach", "px", "py")}
    fine = run(fine_graph(3), {**carried, **decoded})

    seen = projected.index
    assert seen.size > 1500
    for axis, (name, first) in enumerate((("mean_x", x0), ("mean_y", y0))):
        wrong = MEAN.real(fine[name])[seen] + first - projected.mean2d[:, axis]
        assert np.abs(wrong).max() < 0.06
    a, b, c = projected.conic.T.astype(np.float64)
    half = 0.5 * math.log2(math.e)
    sharp = FLOAT.real(fine["sharp_x"])[seen], FLOAT.real(fine["sharp_y"])[seen]
    np.testing.assert_allclose(sharp[0], half * a, rtol=3e-3)
    np.testing.assert_allclose(sharp[1], half * (c - b * b / a), rtol=3e-3)
    np.testing.assert_allclose(SLOPE.real(fine["slope"])[seen], -b / a, rtol=3e-3, atol=4e-3)
    for channel in range(3):
        colour = COLOUR.real(fine[f"colour_{channel}"])[seen]
        limited = np.minimum(projected.rgb[:, channel], COLOUR.real(COLOUR.high))
        np.testing.assert_allclose(colour, limited, atol=6e-3)
    # what the fine filter draws, the coarse filter keeps
    features = pack_columns(fine, image.index["opacity"])
    assert list(features) == [*FEATURE, "mask"]
    in_front = FLOAT.real(coarse["depth"]) > 0.2 / image.grid.size
    assert (coarse["keep"] == 1)[(features["mask"] != 0) & in_front].all()
    assert 0 < coarse["keep"].mean() < 0.5


def test_sharpness_splits_into_mantissa_and_shift() -> None:
    value = np.exp(np.random.default_rng(0).uniform(np.log(1e-8), np.log(3.9), 1000))
    mantissa, shift = split_sharp(FLOAT.quantize(value))
    np.testing.assert_allclose(mantissa / 2**14 * 4.0**-shift, value, rtol=2e-4)
    assert mantissa.max() < 1 << 16
    assert split_sharp(np.zeros(1, np.int64))[0][0] == 0
