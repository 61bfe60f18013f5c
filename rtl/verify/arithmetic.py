"""Benches of the arithmetic pipelines and of the render unit."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from archsim.rtl.arithmetic.falloff import split_sharp
from archsim.rtl.arithmetic.fine import COLOUR, MEAN, SLOPE
from archsim.rtl.blocks.coarse_filter import CoarseFilter
from archsim.rtl.blocks.fine_filter import FineFilter
from archsim.rtl.blocks.placement import Placement
from archsim.rtl.blocks.render_unit import RenderUnit
from archsim.rtl.flow.graph import Graph, Node
from archsim.rtl.flow.pipeline import Pipeline
from archsim.rtl.format import FLOAT, Q
from archsim.rtl.verify.bench import Bench, Bin, Seen, Stimulus
from archsim.rtl.verify.streams import FLOW

__all__ = ["ARITHMETIC_BENCHES", "some_gaussians", "some_items"]

Rng = np.random.Generator
I64 = np.ndarray[Any, np.dtype[np.int64]]


def _numbers(rng: Rng, node: Node, n: int) -> I64:
    """Return raw numbers: two thirds of sizes that scenes have, the rest any bits."""
    if isinstance(node.shape, Q):
        return rng.integers(node.shape.low, node.shape.high + 1, n)
    real = rng.normal(0, 1, n) * 10.0 ** rng.uniform(-2, 3, n)
    raw = FLOAT.quantize(real)
    anything = rng.integers(0, 1 << FLOAT.width, n)
    return np.where(rng.random(n) < 2 / 3, raw, anything)


def some_items(rng: Rng, graph: Graph, n: int) -> tuple[dict[str, I64], dict[str, int]]:
    """Return n items for a graph's inputs, and values of its ports."""
    fields = {field: _numbers(rng, node, n) for field, node in graph.inputs.items()}
    return fields, _ports(rng, graph)


def _ports(rng: Rng, graph: Graph) -> dict[str, int]:
    sizes = {port: rng.normal(0, 10) for port in graph.ports}
    return {port: int(FLOAT.quantize(size)) for port, size in sizes.items()}


def _pipeline(name: str, make: Callable[[], Pipeline], bins: dict[str, Bin], **more: Any) -> Bench:
    graph = make().graph

    def random(rng: Rng, n: int) -> Stimulus:
        fields, ports = some_items(rng, graph, n)
        return Stimulus({"i": fields}, ports)

    def corners() -> list[Stimulus]:
        """Every field at its ends and around zero, together and in turn; then tiny ports."""
        rng = np.random.default_rng(0)
        ends = np.array([0, 1, FLOAT.largest, FLOAT.largest + 1, (1 << FLOAT.width) - 1])
        stimuli = []
        for turn in range(3):
            fields = {}
            for field, node in graph.inputs.items():
                q = node.shape
                values = np.array([q.low, -1 % (q.high + 1), 0, 1, q.high]) if isinstance(
                    q, Q) else ends  # fmt: skip
                fields[field] = np.resize(values, 25) if not turn else rng.choice(values, 2000)
            ports = _ports(rng, graph)
            if turn == 2:
                ports = {port: int(rng.choice([0, 1, 1 << FLOAT.m])) for port in ports}
            stimuli.append(Stimulus({"i": fields}, ports))
        return stimuli

    return Bench(name, make, random, corners, {**FLOW, **bins}, **more)


def _subtiles(seen: Seen) -> I64:
    """Return how many subtiles each of the fine filter's results meets."""
    output: Any = seen.outputs["o"]
    return np.asarray(sum(output[f"mask_{k}"] for k in range(4)))


def _both_ends(name: str, q: Q) -> Bin:
    def happened(seen: Seen) -> bool:
        output: Any = seen.outputs["o"]
        return bool(np.isin([-q.high, q.high], output[name]).all())  # sign and magnitude

    return happened


def _output(name: str, *, at: Callable[[I64], Any]) -> Bin:
    def happened(seen: Any) -> bool:
        return bool(np.any(at(np.asarray(seen.outputs["o"][name]))))

    return happened


def some_gaussians(rng: Rng, count: int) -> Stimulus:
    """Return ellipses of 0.6 to 60 pixels, one in ten of random bits, in tiles of about 400."""
    minor, ratio = np.exp(rng.uniform(-0.5, 4, count)), np.exp(rng.uniform(0, 3, count))
    turn = rng.uniform(0, np.pi, count)
    a, b = minor**2, (minor * ratio) ** 2
    yy = a * np.sin(turn) ** 2 + b * np.cos(turn) ** 2
    xy = (b - a) * np.sin(turn) * np.cos(turn)
    half = 0.5 * math.log2(math.e)
    x, x_shift = split_sharp(FLOAT.quantize(half * yy / (a * b)))
    y, y_shift = split_sharp(FLOAT.quantize(half / yy))
    wild = rng.random(count) < 0.1

    def mixed(real: I64, low: int, high: int) -> I64:
        return np.where(wild, rng.integers(low, high + 1, count), real)

    feature = {
        "mean_x": mixed(MEAN.quantize(rng.normal(8, 20, count)), MEAN.low, MEAN.high),
        "mean_y": mixed(MEAN.quantize(rng.normal(8, 20, count)), MEAN.low, MEAN.high),
        "slope": mixed(SLOPE.quantize(xy / yy), SLOPE.low, SLOPE.high),
        "sharp_x": mixed(x, 0, (1 << 16) - 1),
        "shift_x": x_shift,
        "sharp_y": mixed(y, 0, (1 << 16) - 1),
        "shift_y": y_shift,
        "opacity": rng.integers(0, 256, count),
        **{c: mixed(COLOUR.quantize(rng.uniform(0, 1.2, count)), COLOUR.low, COLOUR.high)
           for c in ("red", "green", "blue")},
        "mask": rng.integers(0, 16, count),
    }  # fmt: skip
    end = (rng.random(count) < 1 / 400).astype(np.int64)
    end[-1:] = 1
    return Stimulus({"i": {"feature": feature, "end": end}})


def _short_tiles() -> list[Stimulus]:
    """Tiles of no Gaussian, and of one that is opaque where the tile is."""
    empty, opaque = (some_gaussians(np.random.default_rng(0), 40) for _ in range(2))
    columns: Any = empty.inputs["i"]
    columns["end"] = np.array([1, 1, 0, 1] * 10)
    columns = opaque.inputs["i"]
    columns["end"] = np.array([0, 1] * 20)
    columns["feature"] |= {
        "mean_x": np.full(40, MEAN.quantize(8.0)), "mean_y": np.full(40, MEAN.quantize(8.0)),
        "slope": np.zeros(40, np.int64), "shift_x": np.full(40, 5), "shift_y": np.full(40, 5),
        "opacity": 255 - np.arange(40) // 8, "mask": np.full(40, 15),
    }  # fmt: skip
    return [empty, opaque]


def _render(lanes: int) -> Bench:
    full = (1 << 16) - 1
    return Bench(
        f"render-unit-{lanes}",
        lambda: RenderUnit(lanes=lanes),
        some_gaussians,
        _short_tiles,
        {
            **FLOW,
            "early stop: a subtile skipped because all its pixels are done": lambda seen: (
                seen.run.ports["skipped"] > 0
            ),
            "a colour saturates": _output_any("red", lambda red: red >= full),
            "a pixel that nothing covers": _output_any("transmittance", lambda t: t > full),
        },
        limit_cycles_per_beat=2000,
        heavy=lanes == 16,
    )


def _output_any(name: str, at: Callable[[I64], Any]) -> Bin:
    return _output(name, at=at)


ARITHMETIC_BENCHES: tuple[Bench, ...] = (
    _pipeline("placement", Placement, {}),
    _pipeline("coarse-filter", lambda: CoarseFilter(interval=8), {
        "kept": _output("keep", at=lambda keep: keep == 1),
        "rejected": _output("keep", at=lambda keep: keep == 0),
    }),
    _pipeline("fine-filter", lambda: FineFilter(interval=8, degree=2), {
        "rejected: its box meets no subtile": lambda seen: (_subtiles(seen) == 0).any(),
        "kept in one subtile": lambda seen: (_subtiles(seen) == 1).any(),
        "kept in all subtiles": lambda seen: (_subtiles(seen) == 4).any(),
        "a colour saturates": _output("colour_0", at=lambda colour: colour == COLOUR.high),
        "a colour below zero is cut": _output("colour_0", at=lambda colour: colour == COLOUR.low),
        "a centre saturates on either side": _both_ends("mean_x", MEAN),
        "a slope saturates on either side": _both_ends("slope", SLOPE),
    }, cannot_toggle={
        f"o.payload.sharp_{axis}:23": "a sharpness is never negative" for axis in "xy"
    }, heavy=True),
    _render(8),
    _render(16),
)  # fmt: skip
