"""Jobs on an executor of ``concurrent.futures``: each once, again after a worker's death, once."""

from __future__ import annotations

import concurrent.futures
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Protocol

from archsim.base.errors import ArchsimError, ConfigError, InfeasibleError
from archsim.explore.problem import Job
from archsim.explore.store import Record

__all__ = ["Fleet", "WorkerDied", "Workers", "infeasible_fields", "run_job"]

#: Jobs handed to an executor per worker: one to run, one to have at hand.
_AHEAD = 2


class Fleet(Protocol):
    """Where jobs run."""

    @property
    def workers(self) -> int:
        """How many run at once."""
        ...

    @property
    def one_fate(self) -> bool:
        """Whether the death of one worker ends the jobs of all."""
        ...

    def submit(self, call: Callable[..., Record], /, *arguments: Any) -> Future[Record]:
        """Run a call on a worker; its death is a ``BrokenExecutor`` or :class:`WorkerDied`."""
        ...

    def renew(self) -> None:
        """Replace workers after one died."""
        ...


class WorkerDied(Exception):  # noqa: N818  (it is an event, and says so)
    """A worker vanished while it ran a job."""


_DEATHS = (BrokenProcessPool, WorkerDied)
_DIED_TWICE = "the worker died twice while computing this point (out of memory, or killed)"


def run_job(evaluate: Callable[[Any], dict[str, Any]], payload: Any) -> Record:
    """Run a job, in a worker; return its record, whatever happens."""
    start = time.perf_counter()
    try:
        record: Record = {"status": "measured", "row": evaluate(payload)}
    except ConfigError as error:
        record = {"status": "infeasible", "infeasible": infeasible_fields(error)}
    except ArchsimError as error:
        record = {"status": "failed", "error": f"{type(error).__name__}: {error.render()}"}
    except Exception as error:  # one point's bug must not end a sweep of thousands
        record = {"status": "failed", "error": f"{type(error).__name__}: {error}"}
    record["took_s"] = round(time.perf_counter() - start, 6)
    return record


def infeasible_fields(error: ConfigError) -> dict[str, Any]:
    """Return why a point cannot be, as records keep it."""
    if isinstance(error, InfeasibleError):
        return {
            "reason": error.message, "place": error.place, "demand": error.demand,
            "bound": error.bound, "unit": error.unit, "levers": list(error.levers),
        }  # fmt: skip
    levers = [error.remedy] if error.remedy else []
    return {"reason": error.message, "place": error.place, "levers": levers}


class Workers:
    """Runs jobs on a fleet and hands back their records as they are done.

    When a worker dies, every job that was on its way is suspected. They run again, one after the
    other; the one that a worker dies of a second time is recorded as failed.

    The first job runs alone: what it leaves in caches, such as compiled code, the others find.
    """

    def __init__(self, fleet: Fleet, evaluate: Callable[[Any], dict[str, Any]]):
        self._fleet, self._evaluate = fleet, evaluate
        self._waiting: deque[Job] = deque()
        self._suspects: deque[Job] = deque()
        self._running: dict[Future[Record], Job] = {}
        self._alone: Job | None = None  # the suspect that runs, with nothing beside it
        self._warm = False
        self.deaths = 0

    def submit(self, job: Job) -> None:
        """Let a job run when there is room."""
        self._waiting.append(job)
        self._fill()

    @property
    def busy(self) -> int:
        """Jobs that are not done."""
        return len(self._waiting) + len(self._suspects) + len(self._running)

    def wait(self, timeout_s: float) -> list[tuple[Job, Record]]:
        """Return what is done, after waiting for it no longer than ``timeout_s``."""
        done, _ = concurrent.futures.wait(
            self._running, timeout_s, concurrent.futures.FIRST_COMPLETED
        )
        found: list[tuple[Job, Record]] = []
        died = False
        for future in [f for f in self._running if f in done]:
            if isinstance(future.exception(), _DEATHS):
                died = True
            else:
                found.append((self._running.pop(future), future.result()))
        self._warm = self._warm or bool(found)
        if died:
            found += self._after_death()
        self._fill()
        return found

    def _after_death(self) -> list[tuple[Job, Record]]:
        """Suspect what was on its way to the dead; a lone suspect has had its second chance."""
        self.deaths += 1
        if self._fleet.one_fate:
            concurrent.futures.wait(self._running)
        found, suspects = [], []
        for future in [f for f in self._running if f.done()]:
            job = self._running.pop(future)
            if isinstance(future.exception(), _DEATHS):
                suspects.append(job)
            else:
                found.append((job, future.result()))
        self._fleet.renew()
        if self._alone is None:
            self._suspects.extend(suspects)
            return found
        self._alone = None
        dead: Record = {"status": "failed", "error": _DIED_TWICE, "took_s": 0.0}
        return found + [(job, dead) for job in suspects]

    def _fill(self) -> None:
        if self._alone is not None and self._running:
            return
        self._alone = None
        if self._suspects:
            if not self._running and self._start(self._suspects[0]):
                self._alone = self._suspects.popleft()
            return
        most = _AHEAD * self._fleet.workers if self._warm else 1
        while self._waiting and len(self._running) < most:
            if not self._start(self._waiting[0]):
                return
            self._waiting.popleft()

    def _start(self, job: Job) -> bool:
        """Hand a job to the fleet; ``False`` when that broke since the last look."""
        try:
            future = self._fleet.submit(run_job, self._evaluate, job.payload)
        except BrokenProcessPool:
            if not self._running:  # else its own end tells
                self._fleet.renew()
            return False
        self._running[future] = job
        return True
