"""Every seeded bug is caught by its block's bench; without it the same run passes."""

from functools import cache

import numpy as np
import pytest

from archsim.rtl.tools.library import RtlError, build_library
from archsim.rtl.verify.bench import Bench, check
from archsim.rtl.verify.mutant_table import MUTANTS, RESET_MUTANTS
from archsim.rtl.verify.mutants import Mutant, changed_source, in_force
from archsim.rtl.verify.simulator import run_in_simulator
from archsim.rtl.verify.table import BENCHES

full = pytest.mark.rtl_full
BEATS = 2_000
BY_NAME = {bench.name: bench for bench in BENCHES}


def run(bench: Bench) -> frozenset[str]:
    """The bench in short: its corners, then random beats at three rates of stalls.

    Returns the bins that were hit.
    """
    library = build_library(bench.make())
    component = bench.make()
    rng = np.random.default_rng(3)
    seen = [check(bench, component, library, one, stall_percent=30) for one in bench.directed()]
    for seed, stall in enumerate((0, 40, 90)):
        stimulus = bench.random(rng, BEATS)
        seen.append(check(bench, component, library, stimulus, stall_percent=stall, seed=seed))
    return frozenset(name for name, hit in bench.bins.items() if any(map(hit, seen)))


@cache
def passes(name: str) -> frozenset[str]:
    return run(BY_NAME[name])


@full
@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_seeded_bug_is_caught(mutant: Mutant) -> None:
    usual = passes(mutant.bench)
    with in_force(mutant):
        try:
            lost = usual - run(BY_NAME[mutant.bench])
        except (AssertionError, RtlError):
            return
    # a bug that only costs time changes no beat: what must have happened no longer does
    assert lost


@full
@pytest.mark.parametrize("name", sorted({mutant.bench for mutant in MUTANTS}))
def test_the_bench_passes_without(name: str) -> None:
    assert passes(name)


@full
@pytest.mark.parametrize("mutant", RESET_MUTANTS, ids=str)
def test_a_bug_of_a_reset_is_caught(mutant: Mutant) -> None:
    bench = BY_NAME[mutant.bench]
    stimulus = bench.random(np.random.default_rng(4), 400)
    run_in_simulator(bench, stimulus, seed=4)
    with in_force(mutant), pytest.raises(AssertionError):
        run_in_simulator(bench, stimulus, seed=4)


def test_every_block_has_seeded_bugs() -> None:
    families = {mutant.bench.rstrip("0123456789") for mutant in MUTANTS}
    assert families == {bench.name.rstrip("0123456789") for bench in BENCHES}


def test_every_seeded_bug_changes_a_line() -> None:
    for mutant in MUTANTS + RESET_MUTANTS:
        changed_source(mutant)


def test_a_mutant_whose_text_is_gone_is_told() -> None:
    with pytest.raises(ValueError, match=r"fifo.py: 'no such text' occurs 0 times, not once"):
        changed_source(Mutant("fifo-4", "blocks.fifo", "no such text", ""))
