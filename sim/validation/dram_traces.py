"""The request traces of the DRAM references, by formula, and how the row model is given them.

A trace names bursts of one channel ("lines"): streams, copies that alternate reads and writes,
random bursts and random gathers of four, from SplitMix64 of a request's number.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from archsim.arch.dram import DramDevice
from archsim.sim.dram.row import WRITE_BATCH_BURSTS, RowDram

__all__ = ["REQUESTS", "TRACES", "line_bits", "row_clocks", "row_model", "trace"]

I64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

#: Requests of every trace.
REQUESTS = 20_000
#: The traces without arrival times.
TRACES = ("stream_r", "stream_w", "random_r", "random_w", "gather4_r", "copy_rw")


def _draws(seed: int, number: I64, bits: int) -> I64:
    """Return the upper ``bits`` of SplitMix64's outputs."""
    z = np.uint64(seed) + (number.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return (z >> np.uint64(64 - bits)).astype(np.int64)


def trace(name: str, bits: int, requests: int) -> tuple[I64, Bool]:
    """Return lines below ``2**bits`` and whether each is written, both (requests,).

    Raises :class:`ValueError` for a trace that is not one of :data:`TRACES`.
    """
    number = np.arange(requests)
    written = np.full(requests, name.endswith("_w"))
    if name in ("stream_r", "stream_w"):
        return number % 2**bits, written
    if name in ("random_r", "random_w"):
        return _draws(1, number, bits), written
    if name == "gather4_r":
        return _draws(3, number // 4, bits - 2) * 4 + number % 4, written
    if name == "copy_rw":
        return number // 2 % 2 ** (bits - 1) + (number % 2) * 2 ** (bits - 1), number % 2 == 1
    raise ValueError(f"no DRAM trace {name!r}")


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
    line, written = trace(name, bits, requests)
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
