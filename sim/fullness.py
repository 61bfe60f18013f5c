"""How full buffers and FIFOs were: peak and mean, from starts and finishes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from archsim.sim.program import Program
from archsim.sim.schedule import Schedule

__all__ = ["buffer_fullness"]

I64 = npt.NDArray[np.int64]


def buffer_fullness(program: Program, schedule: Schedule) -> list[dict[str, Any]]:
    """Return one row per room and watch: buffer, unit, capacity, peak, mean.

    What a task takes counts from its start until the task that gives it back finishes. Rooms of
    one name with an index, ``sort[0]`` and ``sort[1]``, are one buffer. Giving back comes before
    taking at one instant, as in the executors.
    """
    parts: dict[str, list[tuple[int, str, I64, I64, I64]]] = {}
    for index, room in enumerate(program.rooms):
        mine = np.flatnonzero(program.claim_room == index)
        parts.setdefault(room.name.partition("[")[0], []).append(
            (room.capacity, room.unit, program.claim_task[mine], program.claim_amount[mine],
             program.claim_release[mine])
        )  # fmt: skip
    for watch in program.watches:
        parts.setdefault(watch.name.partition("[")[0], []).append(
            (watch.capacity, watch.unit, watch.taken, watch.amount, watch.given)
        )
    rows = []
    for name, held in parts.items():
        taken, amount, given = (np.concatenate([part[i] for part in held]) for i in (2, 3, 4))
        peak, mean = _held(
            schedule.start_ps[taken], schedule.finish_ps[given], amount, schedule.makespan_ps
        )
        rows.append({
            "buffer": name, "unit": held[0][1], "capacity": sum(part[0] for part in held),
            "peak": peak, "mean": mean,
        })  # fmt: skip
    return rows


def _held(since: I64, until: I64, amount: I64, makespan_ps: int) -> tuple[int, float]:
    """Return the most held at the end of any instant, and the mean over the run."""
    if not since.size or not makespan_ps:
        return 0, 0.0
    when = np.concatenate([until, since])
    order = np.argsort(when, kind="stable")
    level = np.cumsum(np.concatenate([-amount, amount])[order])
    last = np.flatnonzero(np.diff(when[order], append=np.iinfo(np.int64).max))
    mean = float((amount * (until - since).astype(np.float64)).sum()) / makespan_ps
    return int(level[last].max(initial=0)), mean
