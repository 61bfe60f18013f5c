"""Timing constraints of the DRAM standards as tables, and their clocks.

A constraint says how many clocks after the commands of one list the commands of another may be
issued, within one channel, rank, bank group or bank. ``window`` k counts from the k-th most
recent such command (four activates per tFAW: window 4); a ``sibling`` constraint holds for the
*other* ranks of the channel. Pseudo-channels of HBM take the place of ranks.

The tables of :mod:`~archsim.arch.dram.standards_ddr`, :mod:`~archsim.arch.dram.standards_lpddr`
and :mod:`~archsim.arch.dram.standards_graphics` are text, one constraint per line::

    scope | commands before -> commands after | clocks | window or sibling

with the clocks as a sum over named timings. A name is JEDEC's, counted in clocks: ``nRCD`` is
tRCD; S and L at its end stand for another and for the same bank group; ``nBL`` is what a burst
holds the data bus. Sources: JESD79-4 (DDR4), JESD79-5 (DDR5), JESD209-3, -4 and -5 (LPDDR3 to 5),
JESD235 (HBM2), JESD250 (GDDR6); where these leave a choice to the controller (bus turnarounds) the
tables are those of Ramulator 2.1, and a test holds the resolved clocks equal to its own.

Clocks are counted between the first clocks of two commands. The standards count from the last, so
that commands of several clocks (DDR5, HBM2) shift a constraint by the difference of their lengths,
and hold their command bus for their length: both follow from ``command_clocks``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import Literal, cast

from archsim.base.errors import ConfigError

__all__ = [
    "STANDARDS",
    "DramClocks",
    "Scope",
    "Standard",
    "TimingConstraint",
    "constraint_table",
    "load_standard",
    "standard_constraints",
]

Scope = Literal["channel", "rank", "bank_group", "bank"]

#: standard -> module of its table
STANDARDS = {
    "DDR4": "standards_ddr",
    "DDR5": "standards_ddr",
    "LPDDR3": "standards_lpddr",
    "LPDDR4": "standards_lpddr",
    "LPDDR5": "standards_lpddr",
    "HBM2": "standards_graphics",
    "GDDR6": "standards_graphics",
}


@dataclass(frozen=True)
class TimingConstraint:
    """``clocks`` from the commands ``after`` until any command of ``before`` may be issued."""

    scope: Scope
    after: tuple[str, ...]
    before: tuple[str, ...]
    clocks: int | str
    window: int = 1
    sibling: bool = False


@dataclass(frozen=True, kw_only=True)
class Standard:
    """Commands and constraints of one standard, the clocks as expressions over named timings."""

    name: str
    commands: tuple[str, ...]
    read_latency: str = "nCL + nBL"
    command_clocks: Mapping[str, int] = field(default_factory=dict)
    """Commands that take more than one clock."""
    buses: tuple[tuple[str, ...], ...] = ()
    """Command buses where there are several: row and column commands of HBM."""
    constraints: tuple[TimingConstraint, ...]


@dataclass(frozen=True, kw_only=True)
class DramClocks:
    """One channel of a device, in clocks of its data rate: all a controller needs."""

    standard: str
    ranks: int
    bank_groups: int
    banks_per_group: int
    rows: int
    columns: int
    """Bursts of a row."""
    burst_bytes: int
    clock_ps: float
    """Duration of a command clock in picoseconds (not always whole)."""
    timings: Mapping[str, int]

    @property
    def banks(self) -> int:
        """Banks of the channel, in all ranks and groups."""
        return self.ranks * self.bank_groups * self.banks_per_group

    @property
    def read_latency(self) -> int:
        """Clocks from a read command to the end of its data."""
        return clocks_of(load_standard(self.standard).read_latency, self.timings)


def clocks_of(expression: int | str, timings: Mapping[str, int]) -> int:
    """Return the value of a sum such as ``nCWL + nBL + nWR``, or ``nCL + 2 - nCWL``."""
    if isinstance(expression, int):
        return expression
    total, sign = 0, 1
    for word in expression.split():
        if word in "+-":
            sign = 1 if word == "+" else -1
        elif word.isdecimal():
            total += sign * int(word)
        elif word in timings:
            total += sign * timings[word]
        else:
            raise ConfigError(
                f"the timing {word!r} of {expression!r} is not among the device's: "
                f"{', '.join(sorted(timings))}",
                remedy="name only timings that the device's table gives",
            )
    return total


def constraint_table(text: str) -> tuple[TimingConstraint, ...]:
    """Return the constraints of a table as this module's docstring describes them."""
    rows = []
    for line in text.splitlines():
        row = line.partition("#")[0].strip()
        if not row:
            continue
        scope, commands, clocks, *flags = (part.strip() for part in row.split("|"))
        after, _, before = commands.partition("->")
        window = next((int(f.removeprefix("window ")) for f in flags if f != "sibling"), 1)
        rows.append(
            TimingConstraint(
                cast(Scope, scope),
                tuple(after.split()),
                tuple(before.split()),
                clocks,
                window,
                "sibling" in flags,
            )
        )
    return tuple(rows)


@cache
def load_standard(name: str) -> Standard:
    """Return the standard ``name``; :class:`ConfigError` lists the known ones."""
    if name not in STANDARDS:
        raise ConfigError(
            f"there is no DRAM standard {name!r}", remedy=f"use one of: {', '.join(STANDARDS)}"
        )
    module = import_module(f"archsim.arch.dram.{STANDARDS[name]}")
    standard: Standard = getattr(module, name)
    return standard


def standard_constraints(device: DramClocks) -> tuple[TimingConstraint, ...]:
    """Return all constraints of a device as whole clocks between the starts of commands."""
    standard = load_standard(device.standard)
    rows = list(_bus_occupancy(standard))
    for row in standard.constraints:
        rows += _between_starts(row, clocks_of(row.clocks, device.timings), standard)
    return tuple(rows)


def _between_starts(
    row: TimingConstraint, clocks: int, standard: Standard
) -> list[TimingConstraint]:
    """Split a constraint by the lengths of its commands, and count from start to start."""
    length = standard.command_clocks
    shifted: dict[int, tuple[list[str], list[str]]] = {}
    for first in row.after:
        for second in row.before:
            shift = length.get(first, 1) - length.get(second, 1)
            after, before = shifted.setdefault(shift, ([], []))
            after += [first] if first not in after else []
            before += [second] if second not in before else []
    return [
        TimingConstraint(
            row.scope, tuple(after), tuple(before), clocks + shift, row.window, row.sibling
        )
        for shift, (after, before) in shifted.items()
    ]


def _bus_occupancy(standard: Standard) -> list[TimingConstraint]:
    """Return the constraints of commands that hold their bus for more than one clock."""
    rows = []
    for bus in standard.buses or (standard.commands,):
        for clocks in sorted({standard.command_clocks.get(c, 1) for c in bus} - {1}):
            long = tuple(c for c in bus if standard.command_clocks.get(c, 1) == clocks)
            rows.append(TimingConstraint("channel", long, bus, clocks))
    return rows
