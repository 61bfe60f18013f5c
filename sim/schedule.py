"""A schedule: when every task of a program started and finished."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Schedule"]

I64 = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Schedule:
    """What an executor found out about a program of n tasks.

    Attributes
    ----------
    start_ps, finish_ps : (n,) int64
        Start and finish of every task, in picoseconds from the start of the run.
    dram_bytes : (n,) int64
        Bytes that each task moved over the DRAM pins, in whole bursts; 0 for tasks that are not
        on a DRAM unit.
    dram_counts
        The DRAM model's counters at the end of the run (empty without a DRAM model); see
        :class:`archsim.sim.dram.row.RowDram`.
    """

    start_ps: I64
    finish_ps: I64
    dram_bytes: I64
    dram_counts: dict[str, int]

    @property
    def makespan_ps(self) -> int:
        """Finish of the last task; the run starts at 0."""
        return int(self.finish_ps.max(initial=0))
