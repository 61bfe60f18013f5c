"""A device's constraints and the controller's policy as one record for the compiled loop.

Every command of the controller has a number; ``ACT1`` of a split activation shares ``ACT``'s. The
controller keeps, for each command and bank, the earliest clock at which the command is legal;
issuing one raises those of the constraints it starts, for the banks of their scope.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from archsim.arch.dram.standards import (
    DramClocks,
    TimingConstraint,
    load_standard,
    standard_constraints,
)
from archsim.base.errors import ConfigError

__all__ = ["COMMANDS", "MOST_BANKS", "compile_tables", "names_of"]

#: commands by number; ``issue`` names the numbers
COMMANDS = (
    "ACT", "ACT2", "PREpb", "PREab", "CAS_RD", "CAS_WR", "RD", "WR", "RDA", "WRA", "REFab", "REFpb",
)  # fmt: skip
MOST_BANKS = 64
_MOST_CONSTRAINTS = 256
_WINDOW = 4
_SCOPES = ("channel", "rank", "bank_group", "bank")
_OTHER_RANKS = len(_SCOPES)  # the scope number of sibling constraints
_ALL_BANKS = ("PREab", "REFab")

_I = np.int64
#: ``start[command]`` to the next entry are the constraints that a command starts: their scope,
#: the command that waits, for how many clocks, and from which most recent command.
_TABLES = np.dtype(
    [
        ("start", _I, (len(COMMANDS) + 1,)),
        ("scope", _I, (_MOST_CONSTRAINTS,)),
        ("before", _I, (_MOST_CONSTRAINTS,)),
        ("clocks", _I, (_MOST_CONSTRAINTS,)),
        ("window", _I, (_MOST_CONSTRAINTS,)),
        ("remembered", _I, (len(COMMANDS),)),  # 1: a window counts this command
        ("banks", _I),
        ("ranks", _I),
        ("banks_per_rank", _I),
        ("banks_per_group", _I),
        ("read_latency", _I),
        ("split_within", _I),  # clocks at most from ACT1 to ACT2; 0: one command activates
        ("wck_read", _I),  # clocks from a read that the data clock runs; 0: needs no sync
        ("wck_write", _I),
        ("two_buses", _I),  # row and column commands issue side by side
        ("closed_page", _I),
        ("refresh_clocks", _I),  # between refreshes; 0: none
        ("refresh_one_bank", _I),
        ("read_buffer", _I),
        ("write_buffer", _I),
        ("drain_from", _I),  # buffered writes from which on they are drained
        ("drain_until", _I),  # buffered writes at which reads take over again
        ("every_clock", _I),  # visit also the clocks in which nothing can happen
        ("emit", _I),  # keep the command stream
    ]
)


def names_of(device: DramClocks) -> tuple[str, ...]:
    """Return the controller's commands by number, as the device's standard calls them."""
    split = "ACT1" in load_standard(device.standard).commands
    return tuple("ACT1" if split and name == "ACT" else name for name in COMMANDS)


def compile_tables(device: DramClocks) -> Any:
    """Return the record of a device's constraints and organisation, the policy still zero."""
    if device.banks > MOST_BANKS:
        raise ConfigError(f"the controller has room for {MOST_BANKS} banks of a channel, and the "
                          f"{device.standard} device has {device.banks}")  # fmt: skip
    dual = bool(load_standard(device.standard).buses)
    number = {name: k for k, name in enumerate(names_of(device))}
    strongest: dict[tuple[int, int, int, int], int] = {}
    for row in standard_constraints(device):
        _check(row)
        if row.sibling and device.ranks == 1:
            continue
        scope = _OTHER_RANKS if row.sibling else _SCOPES.index(row.scope)
        if scope == 0 and device.ranks == 1:
            scope = 1
        clocks = int(row.clocks)
        if clocks <= (0 if dual else 1) and row.window == 1:
            continue  # the next command comes a clock later anyway
        for after in row.after:
            for before in row.before:
                key = (number[after], scope, number[before], row.window)
                strongest[key] = max(strongest.get(key, 0), clocks)
    if len(strongest) > _MOST_CONSTRAINTS:
        raise ConfigError(f"{device.standard} has {len(strongest)} pairs of commands under "
                          f"constraints, the controller room for {_MOST_CONSTRAINTS}")  # fmt: skip
    keys = sorted(strongest)
    tables = np.zeros(1, dtype=_TABLES)
    t = tables[0]
    after_of = np.array([k[0] for k in keys])
    t["start"] = np.searchsorted(after_of, np.arange(len(COMMANDS) + 1))
    for k, key in enumerate(keys):
        command, t["scope"][k], t["before"][k], t["window"][k] = key
        t["clocks"][k] = strongest[key]
        if t["window"][k] > 1:
            t["remembered"][command] = 1
    t["banks"], t["ranks"] = device.banks, device.ranks
    t["banks_per_rank"] = device.banks // device.ranks
    t["banks_per_group"] = device.banks_per_group
    t["read_latency"] = device.read_latency
    t["two_buses"] = dual
    return t


def _check(row: TimingConstraint) -> None:
    all_banks = any(c in _ALL_BANKS for c in row.after + row.before)
    if (all_banks or row.window > 1) and row.scope not in ("channel", "rank"):
        raise ConfigError(
            f"the constraint {' '.join(row.after)} -> {' '.join(row.before)} of scope {row.scope} "
            "has a command of all banks, or a window",
            remedy="give it the scope rank",
        )
    if row.window not in (1, _WINDOW) or (row.sibling and row.scope != "rank"):
        raise ConfigError(
            f"the controller knows windows of 1 and {_WINDOW} commands and siblings of a rank, not "
            f"window {row.window} of scope {row.scope}"
        )
