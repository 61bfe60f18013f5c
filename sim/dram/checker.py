"""An independent checker: a command stream against the standard's table.

It knows commands, the standard's constraints and the rules below, and nothing of a controller. It
reads the commands that reached one channel and lists everything they break:

- every timing constraint of the table. ``window`` k counts from the k-th most recent command of
  ``after``; the scope says which commands count (of the same bank, bank group, rank or channel);
  ``sibling`` counts those of the *other* instances of the scope. A command for all banks belongs
  to each of them.
- a row is open when a column command needs it, a bank is closed when it is activated or refreshed.
- one command per clock; with pseudo channels one row and one column command.
- bursts do not overlap on the data pins.
- each bank is refreshed: the n-th refresh comes no later than n + postponed intervals from the
  start, and no gap is longer than the postponed intervals and one.
- LPDDR5: a second activate follows the first within nAAD, with no other bank's activate and no
  precharge of that bank between them; the data clock is synchronised when data is commanded, by a
  CAS in the clock before or by a burst whose data clock has not stopped yet.

The first check compiles for a few seconds; after that a million commands take about a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from archsim.arch.dram.standards import (
    DramClocks,
    TimingConstraint,
    load_standard,
    standard_constraints,
)
from archsim.base.errors import InputError
from archsim.sim.dram.checker_kernels import KINDS, RULES, scan_rules, scan_timings

__all__ = ["Commands", "Demands", "Violation", "check_commands", "demands_of"]

I64 = npt.NDArray[np.int64]

_SCOPES = ("channel", "rank", "bank_group", "bank")
_COLUMN = ("RD", "WR", "RDA", "WRA", "CAS_RD", "CAS_WR")
_READS, _WRITES = ("RD", "RDA"), ("WR", "WRA")
_ROOM = 4096

#: Refreshes that a standard lets wait, from memory of JESD79-4, 79-5, 209-3 to 209-5, 235 and 250.
POSTPONED_REFRESHES = {
    "DDR4": 8, "DDR5": 4, "LPDDR3": 8, "LPDDR4": 8, "LPDDR5": 8, "HBM2": 8, "GDDR6": 8,
}  # fmt: skip


@dataclass(frozen=True)
class Demands:
    """What a standard demands of the commands of one channel; times in clocks.

    Attributes
    ----------
    constraints
        The timing table.
    ranks, bank_groups, banks_per_group
        Organisation; pseudo channels count as ranks.
    read_latency, write_latency, burst
        From a column command to its first data, and how long the data lasts.
    refresh_interval
        Of every bank; ``None`` for a stream without refresh.
    postponed_refreshes
        How many refreshes the standard lets wait.
    pseudo_channels
        Ranks are pseudo channels: data pins of their own, and a bus each for row and for column
        commands, which they share.
    second_activate_within
        nAAD, where activates come in two halves.
    read_hold, write_hold
        Where the data clock must be synchronised: clocks from a column command until the data
        clock stops again.
    """

    constraints: tuple[TimingConstraint, ...]
    ranks: int
    bank_groups: int
    banks_per_group: int
    read_latency: int
    write_latency: int
    burst: int
    refresh_interval: int | None
    postponed_refreshes: int
    pseudo_channels: bool = False
    second_activate_within: int | None = None
    read_hold: int | None = None
    write_hold: int | None = None


class Commands(Protocol):
    """The commands of one channel, in the order issued; columns of (n,) int64.

    ``bank`` counts within its group; -1 in ``bank_group`` and ``bank`` stands for all.
    """

    @property
    def names(self) -> tuple[str, ...]:
        """Return what ``command`` numbers."""
        ...

    @property
    def cycle(self) -> I64:
        """Return when each is issued, in clocks."""
        ...

    @property
    def command(self) -> I64:
        """Return its position in ``names``."""
        ...

    @property
    def rank(self) -> I64:
        """Return its rank or pseudo channel."""
        ...

    @property
    def bank_group(self) -> I64:
        """Return its bank group."""
        ...

    @property
    def bank(self) -> I64:
        """Return its bank."""
        ...

    @property
    def row(self) -> I64:
        """Return its row; read of activates and column commands."""
        ...


@dataclass(frozen=True)
class Violation:
    """A command that breaks a constraint or rule.

    ``required`` and ``found`` are clocks for constraints; for rules what the words of
    ``constraint`` say.
    """

    cycle: int
    command: str
    constraint: str
    required: int
    found: int


def demands_of(device: DramClocks, *, refresh: bool = True, synchronise: bool = True) -> Demands:
    """Return what the standard demands of a device's channel.

    ``refresh=False`` is for streams made without refresh, ``synchronise=False`` for a data clock
    that never stops (LPDDR5).
    """
    t = device.timings
    burst = t["nBL_min"] if "nBL_min" in t else t["nBL"]
    stops = synchronise and "nWCKPST" in t
    return Demands(
        constraints=standard_constraints(device),
        ranks=device.ranks,
        bank_groups=device.bank_groups,
        banks_per_group=device.banks_per_group,
        read_latency=t["nCL"],
        write_latency=t["nCWL"],
        burst=burst,
        refresh_interval=t["nREFI"] if refresh else None,
        postponed_refreshes=POSTPONED_REFRESHES[device.standard],
        pseudo_channels=bool(load_standard(device.standard).buses),
        second_activate_within=t.get("nAAD"),
        read_hold=t["nCL"] + burst + t["nWCKPST"] if stops else None,
        write_hold=t["nCWL"] + burst + t["nWCKPST"] if stops else None,
    )


def check_commands(commands: Commands, demands: Demands) -> list[Violation]:
    """Return everything that ``commands`` break, in the order of cycles.

    Raises :class:`InputError` for a stream that is no stream: unknown commands, cycles out of
    order, banks that the organisation does not have.
    """
    kind = _kinds(commands, demands)
    if kind.size == 0:
        return []
    first, last = _instances(commands, demands)
    violations = [
        *_timings(commands, demands, kind, first, last),
        *_rules(commands, demands, kind, first, last),
        *_command_bus(commands, demands, kind),
        *_data_bus(commands, demands, kind),
        *_refreshes(commands, demands, kind, first, last),
    ]
    return sorted(violations, key=lambda v: v.cycle)


def _kinds(commands: Commands, demands: Demands) -> I64:
    """Return the code of each command, after checking that the stream makes sense."""
    unknown = [name for name in commands.names if name not in KINDS]
    if unknown:
        raise InputError(f"there is no DRAM command {unknown[0]!r}",
                         remedy=f"use {', '.join(KINDS)}")  # fmt: skip
    backwards = np.flatnonzero(np.diff(commands.cycle) < 0)
    if backwards.size:
        raise InputError(f"command {backwards[0] + 1} is issued before the one ahead of it")
    for what, values, limit in (
        ("rank", commands.rank, demands.ranks),
        ("bank group", commands.bank_group, demands.bank_groups),
        ("bank", commands.bank, demands.banks_per_group),
    ):
        wrong = np.flatnonzero((values >= limit) | (values < (0 if what == "rank" else -1)))
        if wrong.size:
            raise InputError(f"command {wrong[0]} is for {what} {values[wrong[0]]} of {limit}")
    codes = np.array([KINDS.index(name) for name in commands.names], np.int64)
    kind: I64 = codes[commands.command]
    everywhere = np.isin(kind, [KINDS.index("PREab"), KINDS.index("REFab")])
    wrong = np.flatnonzero((commands.bank < 0) != everywhere)
    if wrong.size:
        name = KINDS[kind[wrong[0]]]
        raise InputError(f"command {wrong[0]}, {name}, is for bank {commands.bank[wrong[0]]}")
    return kind


def _instances(commands: Commands, demands: Demands) -> tuple[I64, I64]:
    """Return, by command and scope, the first instance it belongs to and the one after its last."""
    groups, banks = demands.bank_groups, demands.banks_per_group
    everywhere = commands.bank < 0
    group = commands.rank * groups + np.where(everywhere, 0, commands.bank_group)
    bank = group * banks + np.where(everywhere, 0, commands.bank)
    zero = np.zeros_like(bank)
    first = np.stack([zero, commands.rank, group, bank], axis=1)
    spread = np.where(everywhere[:, None], [1, 1, groups, groups * banks], 1)
    return first, first + spread


def _timings(commands: Commands, demands: Demands, kind: I64, first: I64, last: I64
             ) -> list[Violation]:  # fmt: skip
    table = [(c, int(c.clocks)) for c in demands.constraints if int(c.clocks) > 0]
    instances = np.cumprod([1, demands.ranks, demands.bank_groups, demands.banks_per_group])
    scope = np.array([_SCOPES.index(c.scope) for c, _ in table], np.int64)
    window = np.array([c.window for c, _ in table], np.int64)
    base = np.concatenate([[0], np.cumsum(instances[scope] * window)[:-1]]).astype(np.int64)
    arguments = (
        commands.cycle, kind, first, last,
        *_by_command([c.before for c, _ in table]), *_by_command([c.after for c, _ in table]),
        scope, np.array([clocks for _, clocks in table], np.int64), window,
        np.array([c.sibling for c, _ in table], np.int64), base, instances.astype(np.int64),
    )  # fmt: skip
    found = np.zeros((_ROOM, 3), np.int64)
    count = scan_timings(*arguments, found)
    if count > _ROOM:
        found = np.zeros((count, 3), np.int64)
        scan_timings(*arguments, found)
    return [
        Violation(int(commands.cycle[i]), KINDS[kind[i]], _words(table[c][0]), table[c][1], got)
        for i, c, got in found[:count].tolist()
    ]


def _words(constraint: TimingConstraint) -> str:
    """Return a constraint in words: ``bank: ACT to RD, WR``."""
    words = f"{'/'.join(constraint.after)} to {'/'.join(constraint.before)}"
    if constraint.window > 1:
        words = f"{constraint.window} {words}"
    other = "other " if constraint.sibling else ""
    return f"{other}{constraint.scope.replace('_', ' ')}: {words}"


def _by_command(sets: Sequence[tuple[str, ...]]) -> tuple[I64, I64]:
    """Return, by command, where its constraints begin, and all of them in a row."""
    lists = [[c for c, names in enumerate(sets) if name in names] for name in KINDS]
    ends = np.cumsum([0, *(len(chosen) for chosen in lists)], dtype=np.int64)
    return ends, np.array([c for chosen in lists for c in chosen], np.int64)


def _rules(commands: Commands, demands: Demands, kind: I64, first: I64, last: I64
           ) -> list[Violation]:  # fmt: skip
    banks = demands.ranks * demands.bank_groups * demands.banks_per_group
    arguments = (
        commands.cycle, kind, commands.rank, first[:, 3].copy(), last[:, 3].copy(), commands.row,
        banks, demands.ranks, demands.second_activate_within or 0, demands.read_hold is not None,
        demands.read_hold or 0, demands.write_hold or 0,
    )  # fmt: skip
    found = np.zeros((_ROOM, 4), np.int64)
    count = scan_rules(*arguments, found)
    if count > _ROOM:
        found = np.zeros((count, 4), np.int64)
        scan_rules(*arguments, found)
    return [
        Violation(int(commands.cycle[i]), KINDS[kind[i]], RULES[rule], required, got)
        for i, rule, required, got in found[:count].tolist()
    ]


def _command_bus(commands: Commands, demands: Demands, kind: I64) -> list[Violation]:
    column = _is(kind, _COLUMN) if demands.pseudo_channels else np.zeros(kind.size, bool)
    violations = []
    for mine in (column, ~column):
        where = np.flatnonzero(mine)
        again = where[1:][np.diff(commands.cycle[where]) == 0]
        violations += [
            Violation(int(commands.cycle[i]), KINDS[kind[i]], "one command per clock", 1, 0)
            for i in again
        ]
    return violations


def _data_bus(commands: Commands, demands: Demands, kind: I64) -> list[Violation]:
    """Return bursts that start before an earlier one on the same pins has ended."""
    latency = np.where(_is(kind, _READS), demands.read_latency, demands.write_latency)
    moves = _is(kind, (*_READS, *_WRITES))
    pins = commands.rank if demands.pseudo_channels else np.zeros_like(commands.rank)
    violations = []
    for each in range(demands.ranks if demands.pseudo_channels else 1):
        where = np.flatnonzero(moves & (pins == each))
        start = commands.cycle[where] + latency[where]
        order = np.argsort(start, kind="stable")
        apart = np.diff(start[order])
        for place in np.flatnonzero(apart < demands.burst).tolist():
            i = int(where[order[place + 1]])
            violations.append(Violation(int(commands.cycle[i]), KINDS[kind[i]],
                                        "one burst at a time on the data pins", demands.burst,
                                        int(apart[place])))  # fmt: skip
    return violations


def _refreshes(commands: Commands, demands: Demands, kind: I64, first: I64, last: I64
               ) -> list[Violation]:  # fmt: skip
    """Return refreshes that come too late, bank by bank; once where all banks are alike."""
    interval = demands.refresh_interval
    if interval is None:
        return []
    postponed = demands.postponed_refreshes
    per_rank = demands.bank_groups * demands.banks_per_group
    refreshing = np.flatnonzero(_is(kind, ("REFab", "REFpb")))
    single = bool((kind[refreshing] == KINDS.index("REFpb")).any())
    end = int(commands.cycle[-1])
    violations: dict[tuple[int, str], Violation] = {}
    for bank in range(0, demands.ranks * per_rank, 1 if single else per_rank):
        mine = refreshing[(first[refreshing, 3] <= bank) & (bank < last[refreshing, 3])]
        cycles = np.append(commands.cycle[mine], end)
        due = (np.arange(1, cycles.size + 1) + postponed) * interval
        gap = np.diff(cycles, prepend=0)
        for rule, found, required in (
            ("refreshes postponed by the standard", cycles, due),
            ("interval between refreshes", gap, np.full(gap.size, (1 + postponed) * interval)),
        ):
            for n in np.flatnonzero(found > required).tolist():
                name = KINDS[kind[mine[n]]] if n < mine.size else "end"
                violations.setdefault(
                    (int(cycles[n]), rule),
                    Violation(int(cycles[n]), name, rule, int(required[n]), int(found[n])),
                )
    return list(violations.values())


def _is(kind: I64, names: Sequence[str]) -> npt.NDArray[np.bool_]:
    return np.isin(kind, [KINDS.index(name) for name in names])
