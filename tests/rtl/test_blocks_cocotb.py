"""Every block under cocotb and Verilator: 3,000 beats, random back-pressure, a reset in between."""

from pathlib import Path

import numpy as np
import pytest

from archsim.rtl.verify.bench import Bench
from archsim.rtl.verify.jobs import JobResult, run_jobs
from archsim.rtl.verify.table import BENCHES

pytestmark = pytest.mark.rtl
BEATS = 3_000
PARAMETERS = [
    pytest.param(bench, marks=pytest.mark.rtl_full if bench.heavy else (), id=bench.name)
    for bench in BENCHES
]


@pytest.fixture(scope="module")
def results() -> dict[bool, dict[str, JobResult]]:
    """Results by whether a block is heavy; each half is one build and one simulation."""
    return {}


@pytest.mark.parametrize("bench", PARAMETERS)
def test_beats_and_protocol(
    results: dict[bool, dict[str, JobResult]], bench: Bench, tmp_path: Path
) -> None:
    if bench.heavy not in results:
        rng = np.random.default_rng(2)
        alike = [one for one in BENCHES if one.heavy == bench.heavy]
        given = [(one, one.random(rng, BEATS)) for one in alike]
        results[bench.heavy] = run_jobs(given, tmp_path, seed=2)
    result = results[bench.heavy][bench.name]
    assert result.error == ""
    assert result.beats >= BEATS
