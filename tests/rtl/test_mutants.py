"""Every seeded bug is caught by its block's bench; without it the same run passes."""

import numpy as np
import pytest

from archsim.rtl.tools.library import RtlError, build_library
from archsim.rtl.verify.bench import Bench, check
from archsim.rtl.verify.mutant_table import MUTANTS
from archsim.rtl.verify.mutants import Mutant, in_force
from archsim.rtl.verify.table import BENCHES

pytestmark = pytest.mark.rtl_full
BEATS = 2_000
BY_NAME = {bench.name: bench for bench in BENCHES}


def run(bench: Bench) -> None:
    """The bench in short: its corners, then random beats at three rates of stalls."""
    library = build_library(bench.make())
    component = bench.make()
    rng = np.random.default_rng(3)
    for one in bench.directed():
        check(bench, component, library, one, stall_percent=30)
    for seed, stall in enumerate((0, 40, 90)):
        check(bench, component, library, bench.random(rng, BEATS), stall_percent=stall, seed=seed)


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_seeded_bug_is_caught(mutant: Mutant) -> None:
    with in_force(mutant), pytest.raises((AssertionError, RtlError)):
        run(BY_NAME[mutant.bench])


@pytest.mark.parametrize("name", sorted({mutant.bench for mutant in MUTANTS}))
def test_the_bench_passes_without(name: str) -> None:
    run(BY_NAME[name])


def test_every_block_has_seeded_bugs() -> None:
    assert {m.bench.split("-")[0] for m in MUTANTS} == {b.name.split("-")[0] for b in BENCHES}


def test_a_mutant_whose_text_is_gone_is_told() -> None:
    with (
        pytest.raises(ValueError, match=r"fifo.py: 'no such text' occurs 0 times, not once"),
        in_force(Mutant("fifo-4", "blocks.fifo", "no such text", "")),
    ):
        pass
