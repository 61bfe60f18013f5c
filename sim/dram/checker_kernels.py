"""Compiled scans of a command stream for :mod:`archsim.sim.dram.checker`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from archsim.base.jit import njit

__all__ = ["KINDS", "RULES", "scan_rules", "scan_timings"]

I64 = npt.NDArray[np.int64]

#: The commands; positions are their codes below.
KINDS = ("ACT", "ACT1", "ACT2", "RD", "WR", "RDA", "WRA", "PREpb", "PREab", "REFab", "REFpb",
         "CAS_RD", "CAS_WR")  # fmt: skip
_ACT, _ACT1, _ACT2, _RD, _WR, _RDA, _WRA, _PREPB, _PREAB, _REFAB, _REFPB, _CAS_RD, _CAS_WR = range(
    13
)

#: What :func:`scan_rules` finds broken; positions are the codes.
RULES = (
    "column command to a closed bank",
    "column command to a row that is not open",
    "activate of an open bank",
    "refresh of an open bank",
    "second activate without a first",
    "second activate after nAAD",
    "activate between the two of another bank",
    "precharge between the two activates of a bank",
    "first activate without a second within nAAD",
    "column command without a synchronised data clock",
)


@njit()
def scan_timings(cycle: I64, command: I64, first: I64, last: I64, before_ptr: I64, before: I64,
                 after_ptr: I64, after: I64, scope: I64, clocks: I64, window: I64, sibling: I64,
                 base: I64, instances: I64, found: I64) -> int:  # fmt: skip
    """Write (command's position, constraint, clocks found) of violations; return how many.

    Parameters
    ----------
    cycle, command : (n,)
    first, last : (n, 4)
        Instances of each scope that a command belongs to, ``first`` to ``last - 1``.
    before_ptr, before, after_ptr, after
        Constraints by command: those that it must obey, and those that it starts.
    scope, clocks, window, sibling, base : (m,)
        The constraints; ``base`` is the place of their history.
    instances : (4,)
        Instances of each scope.
    found : (room, 3)
        Filled as far as there is room.
    """
    size = 0
    for c in range(scope.size):
        size = max(size, base[c] + instances[scope[c]] * window[c])
    history = np.zeros(size, np.int64)
    counts = np.zeros((scope.size, max(instances.max(), 1)), np.int64)
    violations = 0
    for i in range(cycle.size):
        now, what = cycle[i], command[i]
        for j in range(before_ptr[what], before_ptr[what + 1]):
            c = before[j]
            s, k = scope[c], window[c]
            least = np.int64(1) << 62
            if sibling[c]:
                for other in range(instances[s]):
                    if (other < first[i, s] or other >= last[i, s]) and counts[c, other] >= k:
                        past = history[base[c] + other * k + counts[c, other] % k]
                        least = min(least, now - past)
            else:
                for own in range(first[i, s], last[i, s]):
                    if counts[c, own] >= k:  # the oldest of the last k
                        past = history[base[c] + own * k + counts[c, own] % k]
                        least = min(least, now - past)
            if least < clocks[c]:
                if violations < found.shape[0]:
                    found[violations, 0], found[violations, 1], found[violations, 2] = i, c, least
                violations += 1
        for j in range(after_ptr[what], after_ptr[what + 1]):
            c = after[j]
            s, k = scope[c], window[c]
            for own in range(first[i, s], last[i, s]):
                history[base[c] + own * k + counts[c, own] % k] = now
                counts[c, own] += 1
    return violations


@njit()
def scan_rules(cycle: I64, kind: I64, rank: I64, first: I64, last: I64, row: I64, banks: int,
               ranks: int, pair_within: int, synchronised: bool, read_hold: int, write_hold: int,
               found: I64) -> int:  # fmt: skip
    """Write (command's position, rule, required, found) of violations; return how many.

    Parameters
    ----------
    cycle, kind, rank, row : (n,)
        ``kind`` is a position in :data:`KINDS`.
    first, last : (n,)
        Banks of the channel that a command concerns, ``first`` to ``last - 1``.
    banks, ranks
        Of the channel, in all.
    pair_within
        Clocks from a first activate to its second at most.
    synchronised
        Whether data needs the data clock synchronised, and for how long it stays so after a
        column command: ``read_hold`` or ``write_hold`` clocks.
    found : (room, 4)
        Filled as far as there is room.
    """
    closed, waiting = -1, -2  # waiting: for the second activate
    opened = np.full(banks, closed, np.int64)
    half_row = np.full(banks, -1, np.int64)
    half_at = np.zeros(banks, np.int64)
    half_bank = np.full(ranks, -1, np.int64)
    half_index = np.zeros(ranks, np.int64)
    hold_until = np.full(ranks, -1, np.int64)
    sync_at = np.full((ranks, 2), -2, np.int64)
    count = 0
    for i in range(cycle.size):
        what, now, r = kind[i], cycle[i], rank[i]
        rule, required, got = -1, np.int64(0), np.int64(0)
        bank = first[i]
        if _RD <= what <= _WRA:
            if opened[bank] < 0:
                rule = 0
                required, got = row[i], opened[bank]
            elif opened[bank] != row[i]:
                rule = 1
                required, got = opened[bank], row[i]
            writes = 1 if what in (_WR, _WRA) else 0
            if synchronised:
                if now >= hold_until[r] and now - sync_at[r, writes] != 1:
                    if rule >= 0:
                        count = _put(found, count, i, rule, required, got)
                    rule, required, got = 9, hold_until[r], now
                hold_until[r] = max(hold_until[r], now + (write_hold if writes else read_hold))
            if what >= _RDA:
                opened[bank] = closed
        elif what <= _ACT1:
            if opened[bank] != closed:
                rule = 2
                required, got = np.int64(closed), opened[bank]
            if what == _ACT1:
                if half_bank[r] >= 0:
                    if rule >= 0:
                        count = _put(found, count, i, rule, required, got)
                    rule, required, got = 6, half_bank[r], bank
                half_bank[r], half_row[bank], half_at[bank] = bank, row[i], now
                half_index[r] = i
                opened[bank] = waiting
            else:
                opened[bank] = row[i]
        elif what == _ACT2:
            if opened[bank] != waiting:
                rule = 4
            else:
                if now - half_at[bank] > pair_within:
                    rule = 5
                    required, got = np.int64(pair_within), now - half_at[bank]
                opened[bank] = half_row[bank]
            if half_bank[r] == bank:
                half_bank[r] = -1
        elif what <= _PREAB:
            for b in range(first[i], last[i]):
                if opened[b] == waiting:
                    rule = 7
                    required, got = half_at[b], now
                    half_bank[r] = -1
                opened[b] = closed
        elif what <= _REFPB:
            for b in range(first[i], last[i]):
                if opened[b] != closed:
                    rule = 3
                    required, got = np.int64(closed), np.int64(b)
        else:
            sync_at[r, what - _CAS_RD] = now
        if rule >= 0:
            count = _put(found, count, i, rule, required, got)
    for r in range(ranks):
        if half_bank[r] >= 0 and cycle[-1] - half_at[half_bank[r]] > pair_within:
            waited = cycle[-1] - half_at[half_bank[r]]
            count = _put(found, count, half_index[r], 8, pair_within, waited)
    return count


@njit()
def _put(found: I64, count: int, i: int, rule: int, required: int | np.int64,
         got: int | np.int64) -> int:  # fmt: skip
    if count < found.shape[0]:
        found[count, 0], found[count, 1] = i, rule
        found[count, 2], found[count, 3] = required, got
    return count + 1
