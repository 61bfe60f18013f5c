"""The traces that DRAM models are compared on, and how the row model is given them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from archsim.arch.dram import DramDevice
from archsim.sim.dram.cycle.traces import formula_trace, random_bits
from archsim.sim.dram.row import WRITE_BATCH_BURSTS, RowDram

__all__ = [
    "PATTERNS",
    "REQUESTS",
    "TRACES",
    "fit_note",
    "line_bits",
    "requests_of",
    "row_clocks",
    "row_model",
    "simulator_source",
]

I64 = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_SIMULATORS = {"ramulator2": "Ramulator 2.1", "dramsim3": "DRAMsim3"}
#: Requests of every trace.
REQUESTS = 20_000
#: What LATE_EIGHTHS of the row model was set on: device, mapping, trace.
_FITTED = {
    ("lpddr5-6400", "row-bank-column", "gather4_r"),
    ("ddr4-3200", "row-bank-column", "gather4_r"),
}
#: Traces of :func:`~archsim.sim.dram.cycle.traces.formula_trace` without arrival times.
TRACES = ("stream_r", "stream_w", "random_r", "random_w", "gather4_r", "copy_rw")
#: The same and gathers of 16 bursts, which no reference has.
PATTERNS = (*TRACES, "gather16_r")


def requests_of(name: str, bits: int, requests: int) -> tuple[I64, I64, Bools]:
    """Return arrival cycles, lines and writes of one of :data:`PATTERNS`."""
    if name != "gather16_r":
        return formula_trace(name, bits, requests)
    number = np.arange(requests)
    line = random_bits(3, number // 16, bits - 4) * 16 + number % 16
    return np.zeros(requests, np.int64), line, np.zeros(requests, np.bool_)


def row_model(device: DramDevice, mapping: str, channels: int = 1) -> RowDram:
    """Return the row model of some channels that take turns at every burst."""
    return RowDram(device, channels=channels, interleave_bytes=device.burst_bytes, mapping=mapping)


def row_clocks(
    dram: RowDram, name: str, bits: int, requests: int, batch: int = WRITE_BATCH_BURSTS
) -> float:
    """Return the command clocks that the row model takes for a trace.

    The row model serves whole streams; a copy goes in chunks of ``batch`` reads, then as many
    writes, as a controller drains its write buffer.
    """
    _, line, written = requests_of(name, bits, requests)
    burst = dram.burst_bytes
    address, size = line * burst, np.full(requests, burst)
    if name == "copy_rw":
        finish = 0
        for first in range(0, requests, 2 * batch):
            for write in (False, True):
                chunk = address[first : first + 2 * batch][
                    written[first : first + 2 * batch] == write
                ]
                finish = max(finish, dram.serve(0, chunk, size[: chunk.size], write))
    else:
        finish = dram.serve(0, address, size, bool(written[0]))
    return finish / (dram.device.clock_ns * 1e3)


def line_bits(device: DramDevice) -> int:
    """Return the bits of a burst's number on one channel of one rank."""
    o = device.organisation
    capacity_bytes = int(o.density_gbit.value * o.devices.value * 2**30 / 8)
    return (capacity_bytes // device.burst_bytes).bit_length() - 1


def fit_note(device: str, mapping: str, key: str) -> str:
    """Return a note where a constant of the row model was fitted to this very case."""
    fitted = (device, mapping, key) in _FITTED
    return "fit, not a check: a constant of the row model was set on this pattern" if fitted else ""


def simulator_source(file: Mapping[str, Any], configuration: str) -> str:
    """Return the simulator that made a configuration of ``dram_reference.json``."""
    key = file["configurations"][configuration]["simulator"]
    simulator = file["simulators"][key]
    return f"{_SIMULATORS[key]}, {simulator['repository']} {simulator['commit'][:7]}"
