"""Where jobs run: in this process, in local processes, or on a Dask cluster.

Every worker computes with one thread, so that as many workers as cores do not get in each other's
way. Local processes are spawned, never forked: compiled code keeps threads that a fork would break.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import connection
from typing import Any

from archsim.base.errors import ConfigError, ResourceError
from archsim.explore.store import Record
from archsim.explore.workers import Fleet, WorkerDied

__all__ = ["cores", "here", "on_cluster", "on_processes"]

_ONE_THREAD = dict.fromkeys(
    ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"
)
_CONNECT_S = 10


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))


class _Here:
    """Runs jobs in this process as they are asked for."""

    workers = 1
    one_fate = True

    def submit(self, call: Callable[..., Record], /, *arguments: Any) -> Future[Record]:
        future: Future[Record] = Future()
        future.set_result(call(*arguments))
        return future

    def renew(self) -> None:
        """Nothing dies here but the process itself."""


class _Processes:
    """Spawned processes."""

    one_fate = True  # a pool that lost one process ends them all

    def __init__(self, workers: int):
        self.workers = workers
        self._pool = self._new()

    def _new(self) -> ProcessPoolExecutor:
        pool = ProcessPoolExecutor(
            self.workers,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_be_a_worker,
        )
        # children take the environment: numba reads its number of threads when it is imported
        with _environment(_ONE_THREAD):
            for _ in range(self.workers):  # a pool starts a process when a job comes: all now
                pool.submit(_wake)
        return pool

    def submit(self, call: Callable[..., Record], /, *arguments: Any) -> Future[Record]:
        return self._pool.submit(call, *arguments)

    def renew(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._pool = self._new()

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)


class _Cluster:
    """Workers of a Dask cluster."""

    one_fate = False

    def __init__(self, client: Any):
        self._client = client

    @property
    def workers(self) -> int:
        threads: dict[str, int] = self._client.nthreads()
        return max(1, sum(threads.values()))

    def submit(self, call: Callable[..., Record], /, *arguments: Any) -> Future[Record]:
        from distributed import KilledWorker

        future: Future[Record] = Future()
        asked = self._client.submit(call, *arguments, pure=False)

        def done(answer: Any) -> None:
            error = answer.exception() if answer.status == "error" else None
            if answer.status == "finished":
                future.set_result(answer.result())
            elif isinstance(error, KilledWorker) or error is None:
                future.set_exception(WorkerDied(str(error)))
            else:
                future.set_exception(error)

        asked.add_done_callback(done)
        return future

    def renew(self) -> None:
        """The cluster's own nannies start workers again."""


@contextmanager
def here() -> Iterator[Fleet]:
    """Run jobs in this process, one at a time."""
    yield _Here()


@contextmanager
def on_processes(workers: int) -> Iterator[Fleet]:
    """Run jobs in so many spawned processes."""
    if workers < 1:
        raise ConfigError(f"found {workers} workers, expected at least 1", place="--jobs")
    fleet = _Processes(workers)
    try:
        yield fleet
    finally:
        fleet.close()


@contextmanager
def on_cluster(address: str) -> Iterator[Fleet]:
    """Run jobs on the Dask cluster whose scheduler has this address.

    Raises :class:`ConfigError` without Dask, and :class:`ResourceError` when nobody answers.
    """
    try:
        import distributed
    except ModuleNotFoundError as error:
        raise ConfigError(
            "a cluster needs Dask, which is not installed",
            place="--cluster",
            remedy="pip install 'archsim[cluster]'",
        ) from error
    try:
        client: Any = _untyped(distributed).Client(
            address, timeout=_CONNECT_S, set_as_default=False
        )
    except (OSError, TimeoutError, ValueError) as error:
        raise ResourceError(
            f"no Dask scheduler answers at {address} ({type(error).__name__})",
            place="--cluster",
            remedy="start one (dask scheduler), check host and port, or leave --cluster out",
        ) from error
    try:
        # one death is enough to suspect a job: the second chance is ours to give
        client.run_on_scheduler(_suspect_at_first_death)
        client.run(_compute_with_one_thread)
        yield _Cluster(client)
    finally:
        client.close()


def _untyped(module: Any) -> Any:
    """Return a library that has types for a part of itself only."""
    return module


def _suspect_at_first_death(dask_scheduler: Any) -> None:
    dask_scheduler.allowed_failures = 0


def _compute_with_one_thread() -> None:
    """Keep a worker's compiled loops to one thread; numba may be loaded there already."""
    os.environ.update(_ONE_THREAD)
    if "numba" in sys.modules:
        sys.modules["numba"].set_num_threads(1)


def _wake() -> None:
    """Give a process a reason to start."""


def _be_a_worker() -> None:
    """Leave Ctrl-C to the driver, which ends its workers; end when it is gone, however it went."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
