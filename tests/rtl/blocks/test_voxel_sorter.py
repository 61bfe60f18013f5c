"""The voxel sorter's cycles: exactly those that the timing model counts."""

import numpy as np
import pytest

from archsim.rtl.arithmetic.queue import order_samples
from archsim.rtl.tools.library import build_library
from archsim.rtl.verify.table import BENCHES

pytestmark = pytest.mark.rtl


def test_every_tile_takes_the_models_cycles() -> None:
    bench = next(one for one in BENCHES if one.name == "voxel-sorter")
    sorter = bench.make()
    stimulus = bench.random(np.random.default_rng(4), 5_000)
    load, samples = stimulus.inputs["load"], stimulus.inputs["i"]
    rename = np.full(sorter.cells, -1, np.int64)
    rename[load["cell"]] = np.where(load["occupied"] == 1, load["voxel"], -1)
    ends = np.flatnonzero(samples["last"]) + 1
    begins = np.concatenate([[0], ends[:-1]])
    expected, emitted = [], []
    for begin, end in zip(begins, ends, strict=True):
        part = (samples[name][begin:end] for name in ("cell", "first", "miss"))
        order, cycles, _, _ = order_samples(rename, *part, sorter.rows)
        expected.append(cycles)
        emitted.append(max(order.size, 1))
    run = build_library(sorter).run(
        stimulus.inputs, expect={"o": sum(emitted)}, first=stimulus.first, times=("i", "o")
    )
    taken = run.times["o"][np.cumsum(emitted) - 1] - run.times["i"][begins] + 1
    np.testing.assert_array_equal(taken, expected)
    assert len(expected) > 100


def test_a_lone_sample_takes_the_latency() -> None:
    bench = next(one for one in BENCHES if one.name == "voxel-sorter")
    sorter = bench.make()
    inputs = {
        "load": {"cell": [3], "voxel": [5], "occupied": [1]},
        "i": {"cell": [3], "first": [1], "miss": [0], "last": [1]},
    }
    run = build_library(sorter).run(inputs, expect={"o": 1}, first=("load",), times=("i", "o"))
    assert run.times["o"][0] - run.times["i"][0] == sorter.latency
