"""What issuing a command does: to the clocks at which others become legal, and to the rows.

``t`` is the record of :mod:`~archsim.sim.dram.cycle.tables`, ``s`` that of
:mod:`~archsim.sim.dram.cycle.state`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from archsim.base.jit import njit

__all__ = ["issue"]

I64 = npt.NDArray[np.int64]

# numbers of the commands, as in tables.COMMANDS
ACT, ACT2, PRE, PREAB, CAS_RD, CAS_WR, RD, WR, RDA, WRA, REFAB, REFPB = range(12)
CHANNEL, RANK, BANK_GROUP, BANK, OTHER_RANKS = range(5)  # numbers of the scopes
CLOSED, ACTIVATING = -1, -2  # in place of the open row


@njit()
def _constrain(command: int, m: int, bank: int, t: Any, s: Any) -> None:
    """Raise the earliest legal clocks of all that waits for ``command``, issued now."""
    rank = bank // t.banks_per_rank
    if t.remembered[command]:
        past = s.history[command, rank]
        for j in range(3, 0, -1):
            past[j] = past[j - 1]
        past[0] = m
    for k in range(t.start[command], t.start[command + 1]):
        since = m
        if t.window[k] > 1:
            since = s.history[command, rank, t.window[k] - 1]
            if since < 0:
                continue
        legal = since + t.clocks[k]
        ready = s.ready[t.before[k]]
        scope = t.scope[k]
        if scope == BANK:
            ready[bank] = max(ready[bank], legal)
            continue
        first, size = 0, t.banks
        if scope == RANK:
            first, size = rank * t.banks_per_rank, t.banks_per_rank
        elif scope == BANK_GROUP:
            first, size = bank - bank % t.banks_per_group, t.banks_per_group
        if scope == OTHER_RANKS:
            for b in range(t.banks):
                if b // t.banks_per_rank != rank:
                    ready[b] = max(ready[b], legal)
        else:
            for b in range(first, first + size):
                ready[b] = max(ready[b], legal)


@njit()
def issue(command: int, m: int, bank: int, request: int, stream: I64, t: Any, s: Any) -> None:
    """Issue a command: constraints, row state, count, stream.

    ``bank`` is any bank of the rank for commands of all banks.
    """
    _constrain(command, m, bank, t, s)
    rank = bank // t.banks_per_rank
    s.commands[command] += 1
    if command == ACT:
        s.open_row[bank] = ACTIVATING
        s.open_banks[rank] += 1
    elif command in (PRE, RDA, WRA):
        s.open_row[bank] = CLOSED
        s.open_banks[rank] -= 1
    elif command == PREAB:
        s.open_banks[rank] = 0
        for b in range(rank * t.banks_per_rank, (rank + 1) * t.banks_per_rank):
            s.open_row[b] = CLOSED
    if t.emit:
        at = s.streamed
        stream[at, 0] = m - 1
        stream[at, 1] = command
        stream[at, 2] = bank
        stream[at, 3] = request
        s.streamed = at + 1
