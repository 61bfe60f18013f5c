"""A standard's constraints as arrays for the compiled controller.

Every command of the controller has a number; ``ACT1`` of a split activation shares ``ACT``'s.
A node is one instance of a scope: the channel, each rank, each bank group, each bank, numbered in
that order. For a node and a command the controller keeps the earliest clock at which the
command is legal there, and issuing one raises those of the constraints it appears in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from archsim.arch.dram.standards import DramClocks, TimingConstraint, standard_constraints
from archsim.base.errors import ConfigError

__all__ = ["COMMANDS", "Tables", "compile_tables", "names_of"]

I64 = npt.NDArray[np.int64]

#: commands by number; ``loop`` names the numbers
COMMANDS = (
    "ACT", "ACT2", "PREpb", "PREab", "CAS_RD", "CAS_WR", "RD", "WR", "RDA", "WRA", "REFab", "REFpb",
)  # fmt: skip
_SCOPES = ("channel", "rank", "bank_group", "bank")
_ALL_BANKS = ("PREab", "REFab")
_DEEPEST_WINDOW = 4


class Tables(NamedTuple):
    """Constraints grouped by scope and preceding command, and the node numbers of every bank.

    ``start[scope * commands + command]`` to the next entry are the constraints' rows in
    ``before``, ``clocks`` and ``window``; ``sibling_*`` are those for other ranks.
    """

    start: I64
    before: I64
    clocks: I64
    window: I64
    sibling_start: I64
    sibling_before: I64
    sibling_clocks: I64
    rank_node: I64
    group_node: I64
    bank_node: I64


def names_of(device: DramClocks) -> tuple[str, ...]:
    """Return the controller's commands by number, as the device's standard calls them."""
    split = device.standard == "LPDDR5"
    return tuple("ACT1" if split and name == "ACT" else name for name in COMMANDS)


def compile_tables(device: DramClocks) -> Tables:
    """Return the arrays of a device's constraints; :class:`ConfigError` names what cannot be."""
    rows = standard_constraints(device)
    split, dual = device.standard == "LPDDR5", device.standard == "HBM2"
    names = names_of(device)
    number = {name: k for k, name in enumerate(names)}
    strongest: dict[tuple[int, int, int, int], int] = {}
    siblings: dict[tuple[int, int, int, int], int] = {}
    for row in rows:
        _check(row, split)
        scope = _SCOPES.index(row.scope)
        if scope == 0 and device.ranks == 1:
            scope = 1  # one rank: its constraints and the channel's are the same
        if row.sibling and device.ranks == 1:
            continue
        clocks = int(row.clocks)
        if clocks <= (0 if dual else 1) and row.window == 1:
            continue  # the next command comes a clock later anyway
        for after in row.after:
            for before in row.before:
                key = (scope, number[after], number[before], row.window)
                into = siblings if row.sibling else strongest
                into[key] = max(into.get(key, 0), clocks)
    start, before, clocks_of, window = _grouped(strongest)
    sibling_start, sibling_before, sibling_clocks, _ = _grouped(siblings)
    bank = np.arange(device.banks)
    group = bank // device.banks_per_group
    rank = group // device.bank_groups
    groups = device.ranks * device.bank_groups
    return Tables(
        start, before, clocks_of, window, sibling_start, sibling_before, sibling_clocks,
        1 + rank, 1 + device.ranks + group, 1 + device.ranks + groups + bank,
    )  # fmt: skip


def _check(row: TimingConstraint, split: bool) -> None:
    after_all = any(c in _ALL_BANKS for c in row.after)
    before_all = any(c in _ALL_BANKS for c in row.before)
    if (after_all or before_all) and row.scope not in ("channel", "rank"):
        raise ConfigError(
            f"a constraint of scope {row.scope} has a command for all banks: "
            f"{' '.join(row.after)} -> {' '.join(row.before)}",
            remedy="give it the scope rank",
        )
    if row.window not in (1, _DEEPEST_WINDOW) or (row.sibling and row.scope != "rank"):
        raise ConfigError(
            f"the controller knows windows of 1 and {_DEEPEST_WINDOW} commands and siblings of a "
            f"rank, not window {row.window} of scope {row.scope}"
        )


def _grouped(
    constraints: dict[tuple[int, int, int, int], int],
) -> tuple[I64, I64, I64, I64]:
    keys: Sequence[tuple[int, int, int, int]] = sorted(constraints)
    group = np.array([k[0] * len(COMMANDS) + k[1] for k in keys], dtype=np.int64)
    start = np.searchsorted(group, np.arange(len(_SCOPES) * len(COMMANDS) + 1)).astype(np.int64)
    before = np.array([k[2] for k in keys], dtype=np.int64)
    window = np.array([k[3] for k in keys], dtype=np.int64)
    clocks = np.array([constraints[k] for k in keys], dtype=np.int64)
    return start, before, clocks, window
