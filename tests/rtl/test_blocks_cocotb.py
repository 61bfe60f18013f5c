"""Every block under cocotb and Verilator: 3,000 beats, random back-pressure, a reset in between."""

from pathlib import Path

import numpy as np
import pytest

from archsim.rtl.verify.bench import Bench
from archsim.rtl.verify.jobs import JobResult, run_jobs
from archsim.rtl.verify.table import BENCHES

pytestmark = pytest.mark.rtl
BEATS = 3_000


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, JobResult]:
    folder: Path = tmp_path_factory.mktemp("cocotb")
    rng = np.random.default_rng(2)
    return run_jobs([(bench, bench.random(rng, BEATS)) for bench in BENCHES], folder, seed=2)


@pytest.mark.parametrize("bench", BENCHES, ids=str)
def test_beats_and_protocol(results: dict[str, JobResult], bench: Bench) -> None:
    assert results[bench.name].error == ""
    assert results[bench.name].beats >= BEATS
