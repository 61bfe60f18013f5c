"""Filters side by side share the work, however items come."""

import numpy as np
import pytest

from archsim.rtl.blocks.filter_bank import FilterBank
from archsim.rtl.blocks.placement import Placement
from archsim.rtl.tools.library import build_library
from archsim.rtl.verify.arithmetic import some_items

pytestmark = pytest.mark.rtl
ITEMS, COPIES = 300, 3


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_items_that_come_at_odd_times_do_not_make_filters_wait_for_each_other(seed: int) -> None:
    """Dealt in a fixed turn, these items take 1.5 to 2 times as long."""
    bank = FilterBank(make=Placement, copies=COPIES, side=4)
    items, ports = some_items(np.random.default_rng(7), bank.pipelines[0].graph, ITEMS)
    inputs = {"i": {"item": items, "side": np.arange(ITEMS) % 16}}
    library = build_library(bank)
    at_once = library.run(inputs, expect={"o": ITEMS}, ports=ports, times=("o",))
    assert np.diff(at_once.times["o"]).mean() == pytest.approx(bank.interval / COPIES, rel=0.01)
    oddly = library.run(
        inputs, expect={"o": ITEMS}, ports=ports, times=("o",), stall_percent={"i": 50}, seed=seed
    )
    np.testing.assert_array_equal(oddly.outputs["o"]["side"], np.arange(ITEMS) % 16)
    assert oddly.cycles < 1.15 * at_once.cycles


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_results_come_in_the_order_in_which_items_were_dealt(seed: int) -> None:
    """Where a filter that waits holds up only itself, the others' results overtake its next ones.

    The hardware asserts that none does.
    """
    bank = FilterBank(make=Placement, copies=COPIES, side=4)
    items, ports = some_items(np.random.default_rng(7), bank.pipelines[0].graph, ITEMS)
    done = build_library(bank).run(
        {"i": {"item": items, "side": np.arange(ITEMS) % 16}},
        expect={"o": ITEMS}, ports=ports, stall_percent={"i": 80, "o": 30}, seed=seed,
    )  # fmt: skip
    np.testing.assert_array_equal(done.outputs["o"]["side"], np.arange(ITEMS) % 16)
