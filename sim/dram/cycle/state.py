"""Everything that changes while the controller runs, as one record: a run can stop and go on."""

from __future__ import annotations

from typing import Any

import numpy as np

from archsim.sim.dram.cycle.tables import COMMANDS, MOST_BANKS

__all__ = ["LINE_FILTER", "MOST_BUFFERED", "QUEUE_ROOM", "fresh_state"]

MOST_BUFFERED = 128
QUEUE_ROOM = 1024
LINE_FILTER = 1024  # counters of buffered write lines, by their low bits
_SLOTS = 2 * MOST_BUFFERED + MOST_BANKS + 2
_I = np.int64

_STATE = np.dtype(
    [
        ("cycle", _I),
        ("next", _I),  # request offered next
        ("finished", _I),
        ("last", _I),  # cycle in which the last of them completes
        ("write_mode", _I),
        # earliest legal clock of a command for a bank, and clocks of the last commands
        ("ready", _I, (len(COMMANDS), MOST_BANKS)),
        ("history", _I, (len(COMMANDS), MOST_BANKS, 4)),  # by rank; the latest first; -1: none
        # rows
        ("open_row", _I, (MOST_BANKS,)),
        ("in_active", _I, (MOST_BANKS,)),  # 1: the active set has a request for the bank
        ("open_banks", _I, (MOST_BANKS,)),  # by rank
        ("active_banks", _I, (MOST_BANKS,)),  # by rank
        # requests under way lie in slots; buffers are lists of slots, the earliest first
        ("request", _I, (_SLOTS,)),
        ("bank", _I, (_SLOTS,)),
        ("row", _I, (_SLOTS,)),
        ("line", _I, (_SLOTS,)),
        ("column", _I, (_SLOTS,)),  # its column command
        ("seen", _I, (_SLOTS,)),  # 1: its first command has issued
        ("free", _I, (_SLOTS,)),
        ("free_count", _I),
        ("buffer", _I, (3, MOST_BUFFERED)),  # reads, writes, active set
        ("length", _I, (3,)),
        ("line_filter", _I, (LINE_FILTER,)),
        # refreshes due (rank, or bank), a ring
        ("queue", _I, (QUEUE_ROOM,)),
        ("queue_head", _I),
        ("queue_length", _I),
        ("refresh_at", _I),
        ("refresh_bank", _I),
        # LPDDR5: the slot between ACT1 and ACT2, the place between CAS and column command
        ("half", _I),
        ("deadline", _I),
        ("sync_buffer", _I),
        ("sync_place", _I),
        ("wck_stop", _I),
        # what the last tick completed
        ("done_request", _I),
        ("done_cycle", _I),
        # counts
        ("commands", _I, (len(COMMANDS),)),
        ("rows", _I, (2, 3)),  # reads, writes: row hits, misses, conflicts
        ("forwarded", _I),
        ("absorbed", _I),
        ("streamed", _I),
    ]
)


def fresh_state(refresh_clocks: int) -> Any:
    """Return the state before the first cycle: all banks closed, nothing issued."""
    s = np.zeros(1, dtype=_STATE)[0]
    s["history"] = -1
    s["open_row"] = -1
    s["free"] = np.arange(_SLOTS)
    s["free_count"] = _SLOTS
    s["half"] = s["sync_buffer"] = s["done_request"] = s["last"] = -1
    s["refresh_at"] = refresh_clocks
    return s
