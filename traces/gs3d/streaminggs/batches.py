"""Cut work into calls short enough that a run stays interruptible."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

__all__ = ["batches"]


def batches(work: npt.NDArray[np.int64], per_call: int) -> Iterator[tuple[int, int]]:
    """Yield ranges [first, last) that cover all entries, of at least ``per_call`` work each.

    ``work`` is the work of every entry; a range is cut after the entry that reaches ``per_call``.
    """
    total = np.cumsum(work)
    first = 0
    while first < work.size:
        done = int(total[first - 1]) if first else 0
        last = min(int(np.searchsorted(total, done + per_call)) + 1, work.size)
        yield first, last
        first = last
