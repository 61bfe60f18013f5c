"""Binary heaps in preallocated arrays: keys of a segment, and running tasks by their finish."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from archsim.base.jit import njit

__all__ = ["pop_event", "pop_key", "push_event", "push_key"]

I64 = npt.NDArray[np.int64]


@njit(borrows=True)
def push_key(heap: I64, first: int, count: int, key: int) -> None:
    """Add a key to the heap of ``count`` keys that begins at ``heap[first]``."""
    at = count
    while at > 0:
        parent = (at - 1) >> 1
        if heap[first + parent] <= key:
            break
        heap[first + at] = heap[first + parent]
        at = parent
    heap[first + at] = key


@njit(borrows=True)
def pop_key(heap: I64, first: int, count: int) -> int:
    """Remove and return the smallest key of the heap of ``count`` keys at ``heap[first]``."""
    least = heap[first]
    left = count - 1
    key = heap[first + left]
    at = 0
    while 2 * at + 1 < left:
        child = 2 * at + 1
        if child + 1 < left and heap[first + child + 1] < heap[first + child]:
            child += 1
        if key <= heap[first + child]:
            break
        heap[first + at] = heap[first + child]
        at = child
    heap[first + at] = key
    return int(least)


@njit(borrows=True)
def push_event(events: I64, count: int, time: int, order: int, task: int) -> None:
    """Add a row (time, order, task) to ``count`` rows; the smallest (time, order) is row 0."""
    at = count
    while at > 0:
        parent = (at - 1) >> 1
        if events[parent, 0] < time or (events[parent, 0] == time and events[parent, 1] < order):
            break
        events[at, 0], events[at, 1], events[at, 2] = (
            events[parent, 0], events[parent, 1], events[parent, 2],
        )  # fmt: skip
        at = parent
    events[at, 0], events[at, 1], events[at, 2] = time, order, task


@njit(borrows=True)
def pop_event(events: I64, count: int) -> None:
    """Remove row 0 of ``count`` rows."""
    left = count - 1
    time, order, task = events[left, 0], events[left, 1], events[left, 2]
    at = 0
    while 2 * at + 1 < left:
        child = 2 * at + 1
        if child + 1 < left and (
            events[child + 1, 0] < events[child, 0]
            or (events[child + 1, 0] == events[child, 0]
                and events[child + 1, 1] < events[child, 1])
        ):  # fmt: skip
            child += 1
        if time < events[child, 0] or (time == events[child, 0] and order < events[child, 1]):
            break
        events[at, 0], events[at, 1], events[at, 2] = (
            events[child, 0], events[child, 1], events[child, 2],
        )  # fmt: skip
        at = child
    events[at, 0], events[at, 1], events[at, 2] = time, order, task
