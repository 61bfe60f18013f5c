"""The command-level DRAM controller: requests of one channel in, cycles and commands out.

Policy (all of it can be set by :class:`Policy`):

- One request per clock is offered in order of arrival, and waits while its buffer is full. A read
  of a line that is still in the write buffer is answered from there, a write of such a line is
  absorbed.
- First ready, first come, first served: of the requests whose next command is legal, the earliest.
  A request whose row is not open activates it and then belongs to the *active set*, whose column
  commands come first; no bank is closed while the active set holds a request for it.
- Reads go before writes until the write buffer is over its upper mark or no read waits; then
  writes until it is under its lower mark and a read waits.
- A refresh that falls due goes before all buffered requests: once the active set is empty, all
  banks are precharged and refreshed (or, with ``refresh="per-bank"``, one bank in turn, each once
  per tREFI; that LPDDR5 refreshes two banks at once is left out). Only the active set is served
  meanwhile.
- One command per clock; HBM has a row and a column command bus and issues one on each.
- LPDDR5: the second half of an activation goes out when nothing else can, at latest nAAD after the
  first; no other row is activated in between. A column command is preceded by a CAS in the clock
  before it when the data clock has stopped; with ``wck="always_on"`` it never stops.
- Rows stay open until another is wanted (``page="open"``), or are closed by the last column
  command that a buffered request wants of them (``page="closed"``).

With the default policy all cycles equal those of Ramulator 2.1 on the same tables.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from archsim.arch.dram.standards import DramClocks, load_standard
from archsim.base.errors import ConfigError, InputError
from archsim.sim.dram.cycle import loop
from archsim.sim.dram.cycle.fields import Fields, locate
from archsim.sim.dram.cycle.issue import PRE, PREAB, REFAB
from archsim.sim.dram.cycle.state import MOST_BUFFERED, QUEUE_ROOM, fresh_state
from archsim.sim.dram.cycle.tables import compile_tables, names_of

__all__ = ["CommandStream", "CycleDram", "CycleResult", "Policy"]

I64 = npt.NDArray[np.int64]

_TICKS_PER_CALL = 200_000  # well under 0.2 s between returns to Python
_STREAM_ROOM = 1 << 16


@dataclass(frozen=True, kw_only=True)
class Policy:
    """How the controller decides; the defaults are Ramulator 2.1's."""

    page: Literal["open", "closed"] = "open"
    refresh: Literal["all-bank", "per-bank"] = "all-bank"
    wck: Literal["need_sync", "always_on"] = "need_sync"
    read_buffer: int = 32
    write_buffer: int = 32
    write_high: float = 0.8
    """Writes are drained when the buffer is fuller than this."""
    write_low: float = 0.2
    """Reads take over again when it is emptier than this."""

    def __post_init__(self) -> None:
        if not (1 <= self.read_buffer <= MOST_BUFFERED >= self.write_buffer >= 1):
            raise ConfigError(
                f"a DRAM controller's buffers hold {self.read_buffer} reads and "
                f"{self.write_buffer} writes",
                remedy=f"give each between 1 and {MOST_BUFFERED} entries",
            )
        if not 0 <= self.write_low <= self.write_high <= 1:
            raise ConfigError(
                f"the write buffer's marks are {self.write_low} and {self.write_high}",
                remedy="give fractions with 0 <= write_low <= write_high <= 1",
            )


@dataclass(frozen=True)
class CommandStream:
    """Commands in the order issued; -1 stands for all groups and banks, no row, no request.

    Attributes
    ----------
    names
        What ``command`` numbers.
    cycle, command, rank, bank_group, bank, row, request : (n,) int64
        ``bank`` counts within its group; ``request`` is the index in the trace.
    """

    names: tuple[str, ...]
    cycle: I64
    command: I64
    rank: I64
    bank_group: I64
    bank: I64
    row: I64
    request: I64


@dataclass(frozen=True)
class CycleResult:
    """What became of a trace's requests, in cycles of the device's command clock.

    Attributes
    ----------
    accept_cycle, return_cycle : (n,) int64
        When the controller took each request; when a read's data were complete, or a write's
        command issued.
    write : (n,) bool
    cycles_total
        Cycles until all requests were done.
    commands
        Commands issued, by name.
    row_hits, row_misses, row_conflicts
        Requests that found their row open, their bank closed, another row open, at their first
        command.
    forwarded_reads, absorbed_writes
        Requests answered from the write buffer.
    stream
        The commands, where asked for.
    """

    accept_cycle: I64
    return_cycle: I64
    write: npt.NDArray[np.bool_]
    cycles_total: int
    commands: dict[str, int]
    row_hits: int
    row_misses: int
    row_conflicts: int
    read_row_hits: int
    read_row_misses: int
    read_row_conflicts: int
    forwarded_reads: int
    absorbed_writes: int
    stream: CommandStream | None

    @property
    def read_latency_cycles(self) -> I64:
        """Cycles of each read from acceptance to its data."""
        reads = ~self.write
        return self.return_cycle[reads] - self.accept_cycle[reads]


class CycleDram:
    """One channel of a DRAM device under a command-level controller.

    Parameters
    ----------
    device
        The channel in clocks of its data rate.
    mapping
        From the least significant bit of a line up, ``(field, bits)`` with the fields ``pc``
        (pseudo-channel or rank), ``bg``, ``ba``, ``row`` and ``col``; a field may come twice. Bits
        above the last field belong to the row.
    refresh
        Whether the device is refreshed.
    """

    def __init__(
        self,
        device: DramClocks,
        *,
        mapping: Fields,
        refresh: bool = True,
        policy: Policy | None = None,
    ) -> None:
        self.device = device
        self.mapping = tuple(mapping)
        self.policy = Policy() if policy is None else policy
        self._tables = compile_tables(device)
        _set_policy(self._tables, device, self.policy, refresh)
        locate(np.zeros(1, dtype=np.int64), self.mapping, device)

    def tables(self) -> Any:
        """Return the clock loop's tables: device, policy and mapping."""
        return self._tables.copy()

    def run_trace(
        self,
        arrival_cycle: npt.ArrayLike,
        line: npt.ArrayLike,
        write: npt.ArrayLike,
        *,
        commands: bool = False,
        every_clock: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> CycleResult:
        """Serve requests, given in order of arrival, and return what became of each.

        Parameters
        ----------
        arrival_cycle, line, write : (n,)
            First cycle in which the request is offered (not decreasing); the number of the
            burst in the channel's address space; whether it is a write.
        commands
            Keep the command stream.
        every_clock
            Visit also the clocks in which nothing can happen: slow, the same result.
        progress
            Called with requests done and all requests, several times a second.
        """
        arrival = np.ascontiguousarray(arrival_cycle, dtype=np.int64)
        lines = np.ascontiguousarray(line, dtype=np.int64)
        writes = np.ascontiguousarray(write, dtype=np.uint8)
        _check_trace(arrival, lines, writes)
        bank, row = locate(lines, self.mapping, self.device)
        n = arrival.size
        accepted, returned = np.full(n, -1), np.full(n, -1)
        tables = self.tables()
        tables["emit"], tables["every_clock"] = commands, every_clock
        state = fresh_state(int(tables["refresh_clocks"]))
        stream = np.zeros((_STREAM_ROOM if commands else 0, 4), dtype=np.int64)
        pieces = []
        while True:
            status = loop.advance(
                _TICKS_PER_CALL, arrival, lines, bank, row, writes, accepted, returned, stream,
                tables, state,
            )  # fmt: skip
            if commands:
                pieces.append(stream[: state["streamed"]].copy())
                state["streamed"] = 0
            if progress is not None:
                progress(int(state["finished"]), n)
            if status == loop.DONE:
                break
            if status == loop.OVERDUE:
                raise InputError(
                    f"{QUEUE_ROOM} refreshes of the {self.device.standard} device are due at once",
                    remedy="its refresh interval must be longer than a refresh takes",
                )
        kept = self._stream(np.concatenate(pieces), row) if commands else None
        return self._result(accepted, returned, writes, state, kept)

    def _result(
        self,
        accepted: I64,
        returned: I64,
        writes: npt.NDArray[np.uint8],
        state: Any,
        stream: CommandStream | None,
    ) -> CycleResult:
        hits, misses, conflicts = (int(x) for x in state["rows"].sum(axis=0))
        read_hits, read_misses, read_conflicts = (int(x) for x in state["rows"][0])
        names = names_of(self.device)
        return CycleResult(
            accept_cycle=accepted,
            return_cycle=returned,
            write=writes.astype(np.bool_),
            cycles_total=int(state["last"]) + 1,
            commands={
                c: int(state["commands"][names.index(c)])
                for c in load_standard(self.device.standard).commands
            },
            row_hits=hits,
            row_misses=misses,
            row_conflicts=conflicts,
            read_row_hits=read_hits,
            read_row_misses=read_misses,
            read_row_conflicts=read_conflicts,
            forwarded_reads=int(state["forwarded"]),
            absorbed_writes=int(state["absorbed"]),
            stream=stream,
        )

    def _stream(self, columns: I64, row: I64) -> CommandStream:
        cycle, command, bank, request = np.ascontiguousarray(columns.T)
        device = self.device
        everywhere = np.isin(command, (PREAB, REFAB))
        group = bank // device.banks_per_group
        addressed = (request >= 0) & (command != PRE)
        row_of = np.full(request.size, -1)
        row_of[addressed] = row[request[addressed]]
        return CommandStream(
            names_of(device), cycle, command, group // device.bank_groups,
            np.where(everywhere, -1, group % device.bank_groups),
            np.where(everywhere, -1, bank % device.banks_per_group),
            row_of, request,
        )  # fmt: skip


def _set_policy(tables: Any, device: DramClocks, policy: Policy, refresh: bool) -> None:
    """Fill in the policy's part of the loop's tables."""
    t = device.timings
    standard = load_standard(device.standard)
    one_bank = policy.refresh == "per-bank"
    if one_bank and "REFpb" not in standard.commands:
        raise ConfigError(
            f"{device.standard} has no per-bank refresh", remedy="use all-bank refresh"
        )
    if refresh:
        tables["refresh_clocks"] = t["nREFI"] // (device.banks if one_bank else 1)
    tables["refresh_one_bank"] = one_bank
    if "ACT2" in standard.commands:
        tables["split_within"] = t["nAAD"]
        if policy.wck == "need_sync":
            tail = t["nBL_min"] + t["nWCKPST"]
            tables["wck_read"], tables["wck_write"] = t["nCL"] + tail, t["nCWL"] + tail
    tables["closed_page"] = policy.page == "closed"
    tables["read_buffer"], tables["write_buffer"] = policy.read_buffer, policy.write_buffer
    tables["drain_from"] = math.floor(policy.write_high * policy.write_buffer) + 1
    tables["drain_until"] = math.ceil(policy.write_low * policy.write_buffer) - 1


def _check_trace(arrival: I64, line: I64, write: npt.NDArray[np.uint8]) -> None:
    if not arrival.shape == line.shape == write.shape or arrival.ndim != 1:
        raise InputError(
            f"a trace has {arrival.shape}, {line.shape} and {write.shape} arrivals, lines and "
            "writes",
            remedy="give three columns of one length",
        )
    if arrival.size == 0:
        return
    back = np.flatnonzero(np.diff(arrival) < 0)
    if back.size:
        raise InputError(
            f"request {back[0] + 1} arrives in cycle {arrival[back[0] + 1]}, before request "
            f"{back[0]} in {arrival[back[0]]}",
            remedy="sort the trace by arrival_cycle",
        )
    if arrival[0] < 0 or line.min() < 0:
        raise InputError("a trace has a negative arrival cycle or line")
