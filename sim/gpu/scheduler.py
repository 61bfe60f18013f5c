"""Blocks over multiprocessors as they free up: waves, partial waves and tails come out of it.

A block starts when a place on a multiprocessor is free, in launch order, and is ready for its
pipes ``delay`` later (dispatch and dependent memory accesses, which other blocks overlap). The
pipes of a multiprocessor serve its ready blocks one after the other, each for its ``busy`` time:
few resident blocks leave the pipes idle, many fill them. With like blocks that is a closed form.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from archsim.base.jit import njit

__all__ = ["like_blocks", "placed", "schedule"]

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]


def like_blocks(number: int, busy: float, delay: float, sms: int, resident: int) -> float:
    """Return when the last of ``number`` like blocks ends: what :func:`schedule` computes."""
    if number < 1:
        return 0.0
    each = -(-number // sms)  # on the multiprocessor with the most
    rounds = -(-each // resident)
    by_pipes = delay + each * busy
    by_places = rounds * (delay + busy) + (each - 1) % resident * busy
    return max(by_pipes, by_places)


@njit()
def schedule(count: I64, busy: F64, delay: F64, empty: float, sms: int, resident: int) -> float:
    """Return when the last block ends; ``count[g]`` blocks of group g, groups in launch order.

    Places are taken breadth first: every multiprocessor gets its first block before any gets its
    second. Blocks without work pass through the places at ``empty`` each and hold up those after
    them. Times are in the unit of ``busy``, ``delay`` and ``empty``.
    """
    places = sms * resident
    free = np.zeros(places)  # a heap of (time, place)
    place = np.arange(places)
    pipes = np.zeros(sms)
    begin = 0.0
    end = 0.0
    for group in range(count.shape[0]):
        if busy[group] == 0.0:
            begin = max(begin, free[0]) + count[group] * empty / places
            end = max(end, begin)
            continue
        for _ in range(count[group]):
            here = place[0]
            sm = here % sms
            ready = max(pipes[sm], max(free[0], begin) + delay[group]) + busy[group]
            pipes[sm] = ready
            end = max(end, ready)
            _replace_first(free, place, ready, here)
    return end


@njit()
def placed(busy: F64, delay: F64, sms: int, resident: int) -> tuple[F64, F64, I64]:
    """Return start, finish and multiprocessor of each block, by the rule of :func:`schedule`."""
    blocks = busy.shape[0]
    start, finish, where = np.empty(blocks), np.empty(blocks), np.empty(blocks, np.int64)
    free = np.zeros(sms * resident)
    place = np.arange(sms * resident)
    pipes = np.zeros(sms)
    for block in range(blocks):
        here = place[0]
        sm = here % sms
        ready = max(pipes[sm], free[0] + delay[block]) + busy[block]
        start[block], finish[block], where[block] = free[0], ready, sm
        pipes[sm] = ready
        _replace_first(free, place, ready, here)
    return start, finish, where


@njit()
def _replace_first(free: F64, place: I64, time: float, here: int) -> None:
    """Put (time, place) in place of the heap's first entry."""
    at = 0
    size = free.shape[0]
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        other = child + 1
        if other < size and (
            free[other] < free[child]
            or (free[other] == free[child] and place[other] < place[child])
        ):
            child = other
        if free[child] > time or (free[child] == time and place[child] > here):
            break
        free[at], place[at] = free[child], place[child]
        at = child
    free[at], place[at] = time, here
