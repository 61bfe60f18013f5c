"""Workers: every job once, deaths survived once, everything recorded."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import toy

from archsim.base.errors import ConfigError, ResourceError
from archsim.explore.fleets import here, on_cluster, on_processes
from archsim.explore.problem import Job
from archsim.explore.store import Record
from archsim.explore.workers import Workers, run_job


def payload(a: int = 1, **extra: object) -> dict:
    return {"a": a, "b": 2, "kind": "plain", **extra}


def drain(workers: Workers) -> dict[str, Record]:
    found: dict[str, Record] = {}
    while workers.busy:
        for job, record in workers.wait(5.0):
            assert job.key not in found
            found[job.key] = record
    return found


def test_a_job_becomes_a_record_whatever_happens() -> None:
    measured = run_job(toy.evaluate, payload())
    assert measured["status"] == "measured"
    assert measured["row"]["area_mm2"] == 137
    infeasible = run_job(toy.evaluate, payload(18))
    assert infeasible["infeasible"] == {
        "reason": "too much of both", "place": "x.a", "demand": 20, "bound": 18, "unit": "bytes",
        "levers": ["less a", "less b"],
    }  # fmt: skip
    failed = run_job(toy.evaluate, payload(trouble="bug"))
    assert (failed["status"], failed["error"]) == ("failed", "KeyError: 'nothing there'")
    broken = run_job(toy.evaluate, payload(trouble="check"))
    assert broken["error"] == "CheckError: two bytes in one"


def test_jobs_run_here_one_by_one() -> None:
    with here() as fleet:
        workers = Workers(fleet, toy.evaluate)
        for a in range(5):
            workers.submit(Job(str(a), payload(a)))
        found = drain(workers)
    assert [found[str(a)]["row"]["psnr_db"] for a in range(5)] == [38, 37, 36, 35, 34]


def test_a_worker_that_dies_costs_nobody_but_the_guilty(tmp_path: Path) -> None:
    log = str(tmp_path / "log")
    jobs = [Job(str(a), payload(a, log=log, sleep_s=0.02)) for a in range(8)]
    jobs.insert(3, Job("guilty", payload(90, trouble="die", log=log)))
    with on_processes(2) as fleet:
        workers = Workers(fleet, toy.evaluate)
        for job in jobs:
            workers.submit(job)
        found = drain(workers)
    assert found["guilty"]["status"] == "failed"
    assert "died twice" in found["guilty"]["error"]
    assert all(found[str(a)]["status"] == "measured" for a in range(8))
    assert workers.deaths >= 2
    tries = [line.split()[1] for line in (tmp_path / "log").read_text().splitlines()]
    assert tries.count("90") == 2  # one retry, then recorded


def test_a_death_that_does_not_come_again_is_forgiven(tmp_path: Path) -> None:
    with on_processes(1) as fleet:
        workers = Workers(fleet, toy.evaluate)
        workers.submit(Job("unlucky", payload(9, trouble=f"die once {tmp_path / 'mark'}")))
        found = drain(workers)
    assert found["unlucky"]["status"] == "measured"
    assert workers.deaths == 1


def test_workers_end_with_a_driver_that_is_killed(tmp_path: Path) -> None:
    code = f"""
import sys; sys.path.insert(0, {str(Path(toy.__file__).parent)!r})
import toy
from archsim.explore.fleets import on_processes
if __name__ == "__main__":
    with on_processes(1) as fleet:
        payload = {{"a": 1, "b": 2, "kind": "plain", "sleep_s": 60}}
        payload["log"] = {str(tmp_path / "log")!r}
        fleet.submit(toy.evaluate, payload).result()
"""
    (tmp_path / "driver.py").write_text(code)
    driver = subprocess.Popen([sys.executable, tmp_path / "driver.py"])
    log = tmp_path / "log"
    _until(lambda: log.exists() and log.read_text().endswith("\n"))
    worker = int(log.read_text().split()[0])
    driver.kill()
    driver.wait()
    _until(lambda: not psutil.pid_exists(worker)
           or psutil.Process(worker).status() == psutil.STATUS_ZOMBIE)  # fmt: skip


def _until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_no_workers_are_an_error() -> None:
    with pytest.raises(ConfigError, match="--jobs: found 0 workers"), on_processes(0):
        pass


def test_a_cluster_that_nobody_answers_at_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr("archsim.explore.fleets._CONNECT_S", 1)
    with (
        pytest.raises(ResourceError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:1"),
        on_cluster("tcp://127.0.0.1:1"),
    ):
        pass
