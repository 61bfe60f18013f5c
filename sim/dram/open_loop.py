"""A trace of requests through one channel at either fidelity, with counts and energy.

Open loop: arrivals are given, and do not wait for answers. At ``cycle`` fidelity a request that
finds its buffer full waits, and those behind it with it; at ``row`` fidelity there is no buffer to
be full, so that every request is taken when it arrives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from archsim.arch.dram import DramDevice, device_clocks, energy_breakdown_pj
from archsim.base.interval import Interval
from archsim.base.jit import njit
from archsim.sim.dram import split
from archsim.sim.dram.cycle.controller import CommandStream, CycleDram
from archsim.sim.dram.mapping import map_device
from archsim.sim.dram.row import RowDram

__all__ = ["Fidelity", "Served", "serve_trace"]

I64 = npt.NDArray[np.int64]
Progress = Callable[[int, int], None]
Fidelity = Literal["cycle", "row"]

_REQUESTS_PER_CALL = 100_000  # compiled code comes back well under 0.2 s later


@dataclass(frozen=True)
class Served:
    """What became of n requests, in cycles of the device's command clock.

    Attributes
    ----------
    arrival_cycle, accept_cycle, return_cycle : (n,) int64
        When a request was offered, taken, and done: a read when its data are complete; a write,
        at cycle fidelity, when its command issues, at row fidelity when its data are written.
    write : (n,) bool
    cycles
        Until all requests were done.
    commands
        Commands by kind: activates, read_bursts, write_bursts, refreshes, bank_refreshes.
    row_hits
        Requests that found their row open.
    energy_pj
        By command and state.
    burst_bytes, clock_ps
        Of the device.
    """

    arrival_cycle: I64
    accept_cycle: I64
    return_cycle: I64
    write: npt.NDArray[np.bool_]
    cycles: int
    commands: dict[str, int]
    row_hits: int
    energy_pj: dict[str, Interval]
    burst_bytes: int
    clock_ps: float

    @property
    def seconds(self) -> float:
        """Time until all requests were done."""
        return self.cycles * self.clock_ps * 1e-12

    @property
    def bandwidth_gb_s(self) -> float:
        """Bytes asked for over the time, in GB/s."""
        return self.write.size * self.burst_bytes / self.seconds / 1e9 if self.cycles else 0.0

    @property
    def read_latency_ns(self) -> npt.NDArray[np.float64]:
        """Nanoseconds of each read from its arrival to its data, (reads,)."""
        return self._read_ns(self.arrival_cycle)

    @property
    def read_service_ns(self) -> npt.NDArray[np.float64]:
        """Nanoseconds of each read from its acceptance to its data, (reads,)."""
        return self._read_ns(self.accept_cycle)

    def _read_ns(self, since: I64) -> npt.NDArray[np.float64]:
        clocks = (self.return_cycle - since)[~self.write]
        return clocks.astype(np.float64) * (self.clock_ps * 1e-3)


def serve_trace(
    device: DramDevice,
    arrival_cycle: I64,
    line: I64,
    write: npt.NDArray[np.bool_],
    *,
    mapping: str,
    refresh: bool = True,
    fidelity: Fidelity = "cycle",
    progress: Progress | None = None,
) -> Served:
    """Serve requests, (n,) in order of arrival, on one channel of ``device``.

    ``line`` numbers the channel's bursts; ``mapping`` is a name of
    :data:`archsim.sim.dram.mapping.MAPPINGS`.
    """
    run = _by_cycle if fidelity == "cycle" else _by_row
    return run(device, arrival_cycle, line, write, mapping, refresh, progress)


def _by_cycle(
    device: DramDevice, arrival: I64, line: I64, write: npt.NDArray[np.bool_], mapping: str,
    refresh: bool, progress: Progress | None,
) -> Served:  # fmt: skip
    clocks = device_clocks(device)
    model = CycleDram(clocks, mapping=map_device(mapping, device).fields, refresh=refresh)
    result = model.run_trace(arrival, line, write, commands=True, progress=progress)
    assert result.stream is not None  # asked for
    issued = result.commands
    commands = {
        "activates": issued.get("ACT", 0) + issued.get("ACT1", 0),
        "read_bursts": issued["RD"] + issued["RDA"],
        "write_bursts": issued["WR"] + issued["WRA"],
        "refreshes": issued["REFab"],
        "bank_refreshes": issued.get("REFpb", 0),
    }
    active = open_clocks(result.stream, result.cycles_total)
    states = {"active": active, "precharged": result.cycles_total - active}
    return Served(
        arrival, result.accept_cycle, result.return_cycle, result.write, result.cycles_total,
        commands, result.row_hits,
        energy_breakdown_pj(device, commands, _in_ps(states, clocks.clock_ps)),
        device.burst_bytes, clocks.clock_ps,
    )  # fmt: skip


def open_clocks(stream: CommandStream, cycles: int) -> int:
    """Return in how many of ``cycles`` some bank of a channel with one rank is open."""
    if stream.cycle.size == 0:
        return 0
    names = stream.names
    opens = np.isin(stream.command, [i for i, n in enumerate(names) if n in ("ACT", "ACT1")])
    closes = np.isin(
        stream.command, [i for i, n in enumerate(names) if n in ("PREpb", "RDA", "WRA")]
    )
    change = np.cumsum(opens.astype(np.int64) - closes)
    cleared = np.flatnonzero(stream.command == names.index("PREab"))
    since = np.searchsorted(cleared, np.arange(change.size), "right")
    base = np.concatenate([[0], change[cleared]])
    lasts = np.diff(stream.cycle, append=max(cycles, int(stream.cycle[-1])))
    return int(lasts[change > base[since]].sum())


def _by_row(
    device: DramDevice, arrival: I64, line: I64, write: npt.NDArray[np.bool_], mapping: str,
    refresh: bool, progress: Progress | None,
) -> Served:  # fmt: skip
    model = RowDram(device, channels=1, interleave_bytes=device.burst_bytes, mapping=mapping,
                    refresh=refresh)  # fmt: skip
    memory, _, _ = model.compiled()
    returned = np.zeros(arrival.size, np.int64)
    address = line * device.burst_bytes
    size = np.full(arrival.size, device.burst_bytes, np.int64)
    for first in range(0, arrival.size, _REQUESTS_PER_CALL):
        part = slice(first, first + _REQUESTS_PER_CALL)
        _serve_each(memory, arrival[part], address[part], size[part], write[part], returned[part])
        if progress is not None:
            progress(min(part.stop, arrival.size), arrival.size)
    cycles = int(returned.max(initial=0))
    clock_ps = device_clocks(device).clock_ps
    elapsed_ps = device.clocks_to_ps(cycles, model.data_rate_mt_s)
    counts = model.counts(elapsed_ps)
    commands = {
        name: counts.get(name, 0)
        for name in ("activates", "read_bursts", "write_bursts", "refreshes", "bank_refreshes")
    }
    if not refresh:
        commands["refreshes"] = 0
    active_ps = counts["active_ps/0"]
    states = {"active": active_ps, "precharged": max(elapsed_ps - active_ps, 0)}
    return Served(
        arrival, arrival, returned, write, cycles, commands, counts["row_hits"],
        energy_breakdown_pj(device, commands, states), device.burst_bytes, clock_ps,
    )  # fmt: skip


def _in_ps(clocks: Mapping[str, int], clock_ps: float) -> dict[str, int]:
    return {name: round(count * clock_ps) for name, count in clocks.items()}


@njit()
def _serve_each(memory: split.Memory, arrival: I64, address: I64, size: I64,
                write: npt.NDArray[np.bool_], returned: I64) -> None:  # fmt: skip
    for i in range(arrival.size):
        returned[i] = split.serve(memory, arrival[i], address, size, i, i + 1, i, i + 1, write[i])
