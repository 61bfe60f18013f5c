"""A program: what a method does on a machine, as a task graph in arrays.

Tasks have a unit, a duration, predecessors with a kind, room they take and give back, and, on a
DRAM unit, the memory runs they read or write. Executors (:mod:`archsim.sim.kernel`) give every
task a start and a finish.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Edge", "MemoryRuns", "Program", "ProgramBuilder", "Room", "Unit", "Watch", "Work"]

I64 = npt.NDArray[np.int64]


class Edge(IntEnum):
    """Why a task waits for another; on ties the larger kind is blamed (memory > credit > data)."""

    ORDER = 0
    DATA = 1
    CREDIT = 2
    MEMORY = 3


@dataclass(frozen=True)
class Unit:
    """So many identical servers; in order of task ids, or any ready task first.

    ``dram=True`` marks the memory system: its tasks' durations come from the DRAM model at the
    moment they start, and ``servers`` bounds how many streams are outstanding.
    """

    name: str
    servers: int = 1
    in_order: bool = True
    dram: bool = False


@dataclass(frozen=True)
class Room:
    """Space counted at run time: a FIFO in items or a buffer in bytes.

    A task takes its amounts at its start (and waits, before service, until they fit); an amount
    is given back when the task named by the claim finishes.
    """

    name: str
    capacity: int
    unit: str  # "items" or "bytes"


@dataclass(frozen=True)
class MemoryRuns:
    """Contiguous byte ranges by task: task i owns runs ``ptr[i]:ptr[i+1]``.

    Attributes
    ----------
    ptr : (tasks + 1,) int64
    address : (runs,) int64, in bytes
    size : (runs,) int64, in bytes, > 0
    """

    ptr: I64
    address: I64
    size: I64


@dataclass(frozen=True)
class Watch:
    """Space that edges bound, not a room: its fullness is recorded, and executors ignore it.

    ``amount[i]`` is held from the start of task ``taken[i]`` to the finish of task ``given[i]``.
    """

    name: str
    capacity: int
    unit: str  # "items" or "bytes"
    taken: I64
    amount: I64
    given: I64


@dataclass(frozen=True)
class Work:
    """What a unit must do at least, for a bound by hand: items x interval / servers / clock.

    Executors ignore it; a run that is shorter than any of its bounds is an error.
    """

    unit: str
    what: str  # what an item is, in words: "Gaussians loaded"
    items: int
    interval_cycles: float
    servers: int
    clock_mhz: float

    @property
    def bound_ps(self) -> int:
        """Picoseconds that no schedule can undercut."""
        return int(self.items * self.interval_cycles / self.servers * 1e6 / self.clock_mhz)


@dataclass(frozen=True)
class Program:
    """A task graph in arrays; n tasks, m edges.

    Attributes
    ----------
    units, rooms, stages, streams
        Tables that the task columns index. ``stages`` names what a task does (for reports);
        ``streams`` names what a memory task moves (for DRAM bytes by stream).
    unit, stage, stream : (n,) int32
        ``stream`` is -1 for tasks that are not on a DRAM unit.
    duration_ps : (n,) int64
        0 for tasks on a DRAM unit: the DRAM model decides.
    write : (n,) bool
        Whether a memory task writes.
    pred_ptr : (n + 1,) int64; pred, pred_kind : (m,)
        Predecessors of task i are ``pred[pred_ptr[i]:pred_ptr[i+1]]``; ids need not be in
        topological order.
    claim_task, claim_room, claim_amount, claim_release : (c,)
        Task ``claim_task`` takes ``claim_amount`` of ``claim_room`` at its start; it is given
        back when task ``claim_release`` finishes.
    runs
        Memory runs by task (empty ranges for tasks not on a DRAM unit).
    actions
        Counts for the energy model: ``component/action`` -> number of actions in this program.
    watches, work
        What is recorded and checked about a run, and does not change it.
    """

    units: tuple[Unit, ...]
    rooms: tuple[Room, ...]
    stages: tuple[str, ...]
    streams: tuple[str, ...]
    unit: npt.NDArray[np.int32]
    stage: npt.NDArray[np.int32]
    stream: npt.NDArray[np.int32]
    duration_ps: I64
    write: npt.NDArray[np.bool_]
    pred_ptr: I64
    pred: I64
    pred_kind: npt.NDArray[np.uint8]
    claim_task: I64
    claim_room: npt.NDArray[np.int32]
    claim_amount: I64
    claim_release: I64
    runs: MemoryRuns
    actions: dict[str, int]
    watches: tuple[Watch, ...] = ()
    work: tuple[Work, ...] = ()

    @property
    def tasks(self) -> int:
        """Number of tasks."""
        return int(self.unit.shape[0])


@dataclass
class ProgramBuilder:
    """Collects tasks in columns; every method works on whole arrays, never task by task."""

    _units: list[Unit] = field(default_factory=list)
    _rooms: list[Room] = field(default_factory=list)
    _stages: list[str] = field(default_factory=list)
    _streams: list[str] = field(default_factory=list)
    _tasks: list[dict[str, Any]] = field(default_factory=list)
    _edges: list[tuple[I64, I64, int]] = field(default_factory=list)
    _claims: list[tuple[I64, int, I64, I64]] = field(default_factory=list)
    _actions: dict[str, int] = field(default_factory=dict)
    _watches: list[Watch] = field(default_factory=list)
    _work: list[Work] = field(default_factory=list)
    _count: int = 0

    def unit(
        self, name: str, *, servers: int = 1, in_order: bool = True, dram: bool = False
    ) -> int:
        """Declare a unit and return its index; units are dispatched in the order declared."""
        self._units.append(Unit(name, servers, in_order, dram))
        return len(self._units) - 1

    def room(self, name: str, capacity: int, unit: str) -> int:
        """Declare a room and return its index."""
        self._rooms.append(Room(name, capacity, unit))
        return len(self._rooms) - 1

    def compute(self, unit: int, stage: str, duration_ps: npt.ArrayLike) -> I64:
        """Add tasks on a compute unit, one per duration; return their ids."""
        durations = np.atleast_1d(np.asarray(duration_ps, np.int64))
        if durations.size and int(durations.min()) < 0:
            raise ValueError(f"negative duration in stage {stage}")
        zeros = np.zeros(durations.size + 1, np.int64)
        return self._add(unit, stage, None, durations, False, MemoryRuns(zeros, _EMPTY, _EMPTY))

    def memory(self, unit: int, stage: str, stream: str, runs: MemoryRuns, *, write: bool) -> I64:
        """Add one task per entry of ``runs`` on a DRAM unit; return their ids."""
        tasks = runs.ptr.size - 1
        return self._add(unit, stage, stream, np.zeros(tasks, np.int64), write, runs)

    def edge(self, before: npt.ArrayLike, after: npt.ArrayLike, kind: Edge = Edge.DATA) -> None:
        """Let each task of ``after`` wait for the task of ``before`` at the same position."""
        first, second = np.broadcast_arrays(
            np.asarray(before, np.int64), np.asarray(after, np.int64)
        )
        self._edges.append((first.ravel().copy(), second.ravel().copy(), int(kind)))

    def credit(self, producer: I64, consumer: I64, depth: int) -> None:
        """Bound a FIFO between in-order units: item i starts when item i - depth was consumed."""
        if depth < 1:
            raise ValueError("a FIFO holds at least one item")
        self.edge(consumer[:-depth], producer[depth:], Edge.CREDIT)

    def claim(self, task: I64, room: int, amount: npt.ArrayLike, release: npt.ArrayLike) -> None:
        """Let tasks take room at their start, given back when tasks ``release`` finish."""
        task, amounts, last = np.broadcast_arrays(
            np.asarray(task, np.int64), np.asarray(amount, np.int64), np.asarray(release, np.int64)
        )
        self._claims.append(
            (task.ravel().copy(), room, amounts.ravel().copy(), last.ravel().copy())
        )

    def watch(self, name: str, capacity: int, unit: str, taken: npt.ArrayLike,
              amount: npt.ArrayLike, given: npt.ArrayLike) -> None:  # fmt: skip
        """Record the fullness of space that edges bound: see :class:`Watch`."""
        begin, amounts, end = np.broadcast_arrays(
            np.asarray(taken, np.int64), np.asarray(amount, np.int64), np.asarray(given, np.int64)
        )
        self._watches.append(Watch(name, capacity, unit, begin.copy(), amounts.copy(), end.copy()))

    def must(self, work: Work) -> None:
        """State what a unit must do at least."""
        self._work.append(work)

    def count(self, action: str, number: int | np.integer[Any]) -> None:
        """Add to an action count, named ``component/action``."""
        self._actions[action] = self._actions.get(action, 0) + int(number)

    def build(self) -> Program:
        """Return the finished program."""
        n = self._count
        tasks = self._tasks

        def column(name: str, dtype: Any) -> npt.NDArray[Any]:
            parts = [np.asarray(t[name], dtype) for t in tasks]
            return np.concatenate(parts) if parts else np.zeros(0, dtype)

        lengths = np.concatenate([np.diff(t["runs"].ptr) for t in tasks] or [_EMPTY])
        run_ptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        runs = MemoryRuns(
            run_ptr,
            np.concatenate([t["runs"].address for t in tasks] or [_EMPTY]),
            np.concatenate([t["runs"].size for t in tasks] or [_EMPTY]),
        )
        before = np.concatenate([e[0] for e in self._edges] or [_EMPTY])
        after = np.concatenate([e[1] for e in self._edges] or [_EMPTY])
        kind = np.concatenate(
            [np.full(e[0].size, e[2], np.uint8) for e in self._edges] or [np.zeros(0, np.uint8)]
        )
        order = np.argsort(after, kind="stable")
        pred_ptr = np.concatenate([[0], np.cumsum(np.bincount(after, minlength=n))])
        return Program(
            units=tuple(self._units),
            rooms=tuple(self._rooms),
            stages=tuple(self._stages),
            streams=tuple(self._streams),
            unit=column("unit", np.int32),
            stage=column("stage", np.int32),
            stream=column("stream", np.int32),
            duration_ps=column("duration", np.int64),
            write=column("write", np.bool_),
            pred_ptr=pred_ptr.astype(np.int64),
            pred=before[order],
            pred_kind=kind[order],
            claim_task=np.concatenate([c[0] for c in self._claims] or [_EMPTY]),
            claim_room=np.concatenate(
                [np.full(c[0].size, c[1], np.int32) for c in self._claims]
                or [np.zeros(0, np.int32)]
            ),
            claim_amount=np.concatenate([c[2] for c in self._claims] or [_EMPTY]),
            claim_release=np.concatenate([c[3] for c in self._claims] or [_EMPTY]),
            runs=runs,
            actions=dict(sorted(self._actions.items())),
            watches=tuple(self._watches),
            work=tuple(self._work),
        )

    def _add(self, unit: int, stage: str, stream: str | None, durations: I64, write: bool,
             runs: MemoryRuns) -> I64:  # fmt: skip
        is_dram = self._units[unit].dram
        if is_dram != (stream is not None):
            raise ValueError(f"stage {stage}: memory tasks belong on DRAM units, and only there")
        tasks = durations.size
        self._tasks.append(
            {
                "unit": np.full(tasks, unit),
                "stage": np.full(tasks, _index(self._stages, stage)),
                "stream": np.full(tasks, -1 if stream is None else _index(self._streams, stream)),
                "duration": durations,
                "write": np.full(tasks, write),
                "runs": runs,
            }
        )
        ids = np.arange(self._count, self._count + tasks, dtype=np.int64)
        self._count += tasks
        return ids


_EMPTY = np.zeros(0, np.int64)


def _index(table: list[str], name: str) -> int:
    if name not in table:
        table.append(name)
    return table.index(name)
