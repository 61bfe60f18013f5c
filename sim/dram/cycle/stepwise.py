"""The command-level controller, run until some of its requests are done.

For requests whose arrival depends on when earlier ones are done.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from archsim.base.jit import njit
from archsim.sim.dram.cycle import loop
from archsim.sim.dram.cycle.controller import CycleDram
from archsim.sim.dram.cycle.fields import locate
from archsim.sim.dram.cycle.state import fresh_state

__all__ = ["StepwiseRun"]

I64 = npt.NDArray[np.int64]

_TICKS_PER_CALL = 200_000  # well under 0.2 s between returns to Python


class StepwiseRun:
    """One channel's requests, (n,), given in their order.

    Attributes
    ----------
    arrival : (n,) int64
        First cycle in which each is offered; filled in for some before they are run.
    """

    def __init__(self, dram: CycleDram, line: I64, write: npt.NDArray[np.bool_]) -> None:
        self._line = np.ascontiguousarray(line)
        self._bank, self._row = locate(self._line, dram.mapping, dram.device)
        self._write = write.astype(np.uint8)
        self.arrival = np.zeros(line.size, np.int64)
        self._accepted, self._returned = np.full(line.size, -1), np.full(line.size, -1)
        self._tables = dram.tables()
        self._state = fresh_state(int(self._tables["refresh_clocks"]))
        self._stream = np.zeros((0, 4), np.int64)

    def until_done(self, first: int, last: int, asked: int) -> int:
        """Return the clock after which requests ``first`` to ``last - 1`` are done.

        A read is done with its data, a write when the controller has taken it. Requests from
        ``asked`` on have no arrival yet; none of them may arrive before what is returned.
        """
        known = slice(0, asked)
        while not _run_until(
            _TICKS_PER_CALL, first, last, self.arrival[known], self._line[known],
            self._bank[known], self._row[known], self._write[known], self._accepted[known],
            self._returned[known], self._stream, self._tables, self._state,
        ):  # fmt: skip
            pass
        mine = slice(first, last)
        done = np.where(self._write[mine], self._accepted[mine] + 1, self._returned[mine])
        return int(done.max())


@njit()
def _done(i: int, write: npt.NDArray[np.uint8], accepted: I64, returned: I64) -> bool:
    return bool(accepted[i] >= 0 if write[i] else returned[i] >= 0)


@njit()
def _run_until(ticks: int, first: int, last: int, arrival: I64, line: I64, bank: I64, row: I64,
               write: npt.NDArray[np.uint8], accepted: I64, returned: I64, stream: I64,
               t: Any, s: Any) -> bool:  # fmt: skip
    """Visit at most so many clocks; return whether requests first..last-1 are done."""
    k = first
    for _ in range(ticks):
        while k < last and _done(k, write, accepted, returned):
            k += 1
        if k == last:
            return True
        status = loop.advance(1, arrival, line, bank, row, write, accepted, returned, stream, t, s)
        if status == loop.OVERDUE:
            raise ValueError("refreshes are due faster than they are done")
    return False
