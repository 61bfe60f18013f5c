"""The timing model's cycles of each unit are those of the hardware, exactly."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from archsim.rtl.arithmetic.cycles import PLACEMENT_INTERVAL, UnitCycles
from archsim.rtl.blocks.coarse_filter import CoarseFilter
from archsim.rtl.blocks.fine_filter import FineFilter
from archsim.rtl.parameters import load_parameters
from archsim.rtl.tools.library import Run, build_library
from archsim.rtl.verify.arithmetic import some_gaussians, some_items
from archsim.rtl.verify.bench import Bench, expected
from archsim.rtl.verify.table import BENCHES

pytestmark = pytest.mark.rtl
BY_NAME = {bench.name: bench for bench in BENCHES}
SMALL = load_parameters("streaminggs", "rtl-small")
ITEMS = 40


def timed(bench: Bench, count: int = ITEMS) -> tuple[Any, Run]:
    """A component and a run of its bench's payloads without any stall."""
    component = bench.make()
    stimulus = bench.random(np.random.default_rng(7), count)
    beats = expected(bench, component, stimulus)
    sizes = {"o": len(next(iter(_leaves(beats["o"]))))}
    return component, build_library(bench.make()).run(
        stimulus.inputs, expect=sizes, ports=stimulus.ports, first=stimulus.first, times=("i", "o")
    )


def _leaves(columns: Any) -> Any:
    if isinstance(columns, dict):
        for part in columns.values():
            yield from _leaves(part)
    else:
        yield columns


@pytest.mark.parametrize(
    ("name", "unit"),
    [("coarse-filter", "coarse"), ("fine-filter", "fine"), ("placement", "placement")],
)
def test_a_filters_items_follow_by_its_interval_and_take_its_latency(name: str, unit: str) -> None:
    cycles = UnitCycles.of(SMALL)
    interval = PLACEMENT_INTERVAL if unit == "placement" else getattr(cycles, f"{unit}_interval")
    _, run = timed(BY_NAME[name])
    assert (np.diff(run.times["i"]) == interval).all()
    assert (run.times["o"] - run.times["i"] == getattr(cycles, f"{unit}_latency")).all()


@pytest.mark.rtl_full
@pytest.mark.parametrize("unit", ["coarse", "fine"])
def test_so_do_those_of_the_other_sizes(unit: str) -> None:
    p = load_parameters("streaminggs", "rtl-slice")
    cycles = UnitCycles.of(p)
    interval = getattr(cycles, f"{unit}_interval")
    assert interval != getattr(UnitCycles.of(SMALL), f"{unit}_interval")
    component: Any = CoarseFilter(interval=interval)
    if unit == "fine":
        component = FineFilter(interval=interval, degree=p.sh_degree)
    items, ports = some_items(np.random.default_rng(7), component.graph, ITEMS)
    run = build_library(component).run(
        {"i": items}, expect={"o": ITEMS}, ports=ports, times=("i", "o")
    )
    assert (np.diff(run.times["i"]) == interval).all()
    assert (run.times["o"] - run.times["i"] == getattr(cycles, f"{unit}_latency")).all()


@pytest.mark.parametrize(
    "name",
    ["fifo-1", "fifo-4", "fifo-16", "skid-buffer", "bitonic-network", "codebook-decoder"],
)
def test_what_has_no_state_takes_an_item_a_cycle_and_its_latency(name: str) -> None:
    component, run = timed(BY_NAME[name])
    every = 2 if name == "fifo-1" else 1  # its only place is free in the cycle after
    assert (np.diff(run.times["i"]) == every).all()
    assert (run.times["o"] - run.times["i"] == component.latency).all()


def test_two_filters_take_turns() -> None:
    component, run = timed(BY_NAME["coarse-bank"])
    assert (run.times["i"][2:] - run.times["i"][:-2] == component.interval).all()
    assert run.times["o"][-1] - run.times["i"][-1] == component.latency


def test_a_double_buffer_offers_a_packet_after_its_last_item() -> None:
    bench = BY_NAME["double-buffer"]
    packet = {"data": np.arange(8), "last": np.arange(8) == 7}
    run = build_library(bench.make()).run(
        {"i": {**packet, "last": packet["last"].astype(int)}}, expect={"o": 8}, times=("i", "o")
    )
    assert (np.diff(run.times["i"]) == 1).all()
    assert run.times["o"][0] - run.times["i"][-1] == bench.make().latency
    assert (np.diff(run.times["o"]) == 1).all()


@pytest.mark.parametrize("name", ["render-unit-8", "render-unit-16"])
def test_a_gaussian_takes_its_subtiles_and_a_tile_its_drain(name: str) -> None:
    cycles = UnitCycles.of(replace(SMALL, lanes=int(name.rsplit("-", 1)[1])))
    stimulus: Any = some_gaussians(np.random.default_rng(0), 12).inputs["i"]
    mask = np.array([1, 2, 4, 8, 3, 5, 15, 7, 1, 15, 9, 0])
    stimulus["feature"] |= {"mask": mask, "opacity": np.full(12, 10)}  # none is ever done
    stimulus["end"] = (np.arange(12) >= 10).astype(np.int64)  # and a tile without a Gaussian
    beats = 256 // BY_NAME[name].make().lanes
    run = build_library(BY_NAME[name].make()).run(
        {"i": stimulus}, expect={"o": 2 * beats}, times=("i", "o")
    )
    subtiles = np.array([bin(m).count("1") for m in mask])
    # the first is taken at once, each other when the one before has been issued
    np.testing.assert_array_equal(np.diff(run.times["i"])[:10], subtiles[:10] * cycles.subtile)
    ends, pixels = run.times["i"][-2:], run.times["o"][beats - 1 :: beats]
    assert (pixels - ends + 1 == cycles.drain).all()
    assert pixels[1] - pixels[0] == cycles.drain


def test_a_feeder_makes_an_item_a_cycle() -> None:
    bench = BY_NAME["coarse-feeder"]
    stimulus = bench.random(np.random.default_rng(7), ITEMS)
    ports = {**stimulus.ports, "stopped": 0}
    component = bench.make()
    count = np.maximum(stimulus.inputs["contexts"]["count"], 1).sum()
    run = build_library(bench.make()).run(
        stimulus.inputs, expect={"o": int(count)}, ports=ports, times=("contexts", "o")
    )
    assert (np.diff(run.times["o"]) == 1).all()
    assert run.times["o"][-1] - run.times["contexts"][-1] == component.latency
