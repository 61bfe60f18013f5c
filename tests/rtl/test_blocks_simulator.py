"""Small blocks in Amaranth's own simulator: the same rows, the same driver, nothing to build."""

import numpy as np
import pytest

from archsim.rtl.verify.bench import Bench
from archsim.rtl.verify.simulator import run_in_simulator
from archsim.rtl.verify.table import BENCHES

SMALL = (
    "fifo-1", "fifo-4", "fifo-16", "skid-buffer", "double-buffer", "bitonic-network",
    "memory-reader", "tile-controller", "coarse-feeder", "fine-fetch", "list-buffer",
)  # fmt: skip
BEATS = 250


@pytest.mark.parametrize("bench", [b for b in BENCHES if b.name in SMALL], ids=str)
def test_beats_and_protocol(bench: Bench) -> None:
    cycles = run_in_simulator(bench, bench.random(np.random.default_rng(5), BEATS), seed=5)
    assert cycles >= BEATS
