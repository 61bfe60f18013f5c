"""A list of kernels as a program: multiprocessors, DRAM, the controller's reads, launches.

Kernels run one after the other. The host launches ahead: a kernel starts when the one before has
ended and its launch has arrived; where the host reads a result back, its next launch follows that.
A kernel's pieces are spread over the multiprocessors, or follow each other on their own; a piece
is read from DRAM, carried by the controller, computed and written, and pieces overlap as far as
their in-flight limits let them. Durations of pieces hold waves, occupancy and latency.

Not modelled: the L2 holds nothing from one kernel to the next. Copies between host and device, and
the host's own time beyond its launches, are left out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from archsim.sim.gpu.device import Device
from archsim.sim.gpu.pieces import Kernel, Stream
from archsim.sim.program import Edge, MemoryRuns, Program, ProgramBuilder

__all__ = ["fidelity", "gpu_program"]

I64 = npt.NDArray[np.int64]


def fidelity() -> str:
    """Return in one sentence what the GPU model is, for reports."""
    return (
        "gpu: blocks over multiprocessors as they free up, with issue, FP32 and SFU bounds, "
        "occupancy, latency and warp divergence from the trace, launches by the host, L2 simulated "
        "on the gathers of the render kernel; parameters fitted to A100 and AGX Orin rows, error "
        "on checked kernels in `archsim validate gpu`; 3DGS itself is not measured on a device"
    )


def gpu_program(kernels: Sequence[Kernel], device: Device) -> Program:
    """Turn kernels, in the order they are launched, into a program for ``device``."""
    builder = ProgramBuilder()
    units = _Units(builder, device)
    before: I64 = np.zeros(0, np.int64)
    for kernel in kernels:
        before = units.add(kernel, before)
        builder.count("sm/instructions", kernel.totals.instructions)
        builder.count("sm/fp32", kernel.totals.fp32)
        builder.count("sm/sfu", kernel.totals.sfu)
        builder.count("l2/bytes", kernel.totals.l2_bytes)
    return builder.build()


class _Units:
    """The units of a GPU program, and how a kernel is laid on them."""

    def __init__(self, builder: ProgramBuilder, device: Device) -> None:
        self._b = builder
        self._device = device
        streams = int(device.machine.memory.outstanding_streams.value)
        self._host = builder.unit("host")
        self._start = builder.unit("start")
        self._sm = builder.unit("sm", servers=device.sms, in_order=False)
        self._path = builder.unit("read path", in_order=False)
        self._dram = builder.unit("dram", servers=streams, in_order=False, dram=True)
        self._rooms: dict[tuple[str, int], int] = {}

    def add(self, kernel: Kernel, before: I64) -> I64:
        """Add a kernel after the tasks ``before``; return the tasks the next one waits for."""
        b = self._b
        launch = b.compute(self._host, "launch", kernel.launches * self._device.launch_ps)
        if kernel.waits:
            b.edge(before, launch)
        gap = b.compute(self._start, "launch", kernel.launches * self._device.kernel_ps)
        b.edge(launch, gap)
        b.edge(before, gap)
        compute = b.compute(self._sm, kernel.name, kernel.duration_ps)
        b.edge(gap, compute)
        if kernel.lane is not None:  # of one multiprocessor: one after the other
            order = np.argsort(kernel.lane, kind="stable")
            same = np.flatnonzero(np.diff(kernel.lane[order]) == 0)
            b.edge(compute[order[same]], compute[order[same + 1]], Edge.ORDER)
        self._read(kernel, gap, compute)
        ends = [compute if compute.size else gap]
        for place, stream in enumerate(kernel.writes):
            pieces, runs = _non_empty(stream)
            tasks = b.memory(self._dram, kernel.name, stream.name, runs, write=True)
            b.edge(compute[pieces], tasks)
            room = self._room(f"writes {place}", kernel.in_flight)
            b.claim(compute[pieces], room, 1, tasks)
            ends.append(tasks)
        return np.concatenate(ends)

    def _read(self, kernel: Kernel, gap: I64, compute: I64) -> None:
        b = self._b
        size = np.zeros(compute.size, np.int64)
        reads: list[tuple[I64, I64]] = []
        for place, stream in enumerate(kernel.reads):
            pieces, runs = _non_empty(stream)
            tasks = b.memory(self._dram, kernel.name, stream.name, runs, write=False)
            b.edge(gap, tasks)
            room = self._room(f"reads {place}", kernel.in_flight)
            b.claim(tasks, room, 1, compute[pieces])
            size[pieces] += np.add.reduceat(runs.size, runs.ptr[:-1]) if pieces.size else 0
            reads.append((pieces, tasks))
        carried = np.flatnonzero(size)
        path = np.full(compute.size, -1, np.int64)
        path[carried] = b.compute(self._path, kernel.name, self._device.read_ps(size[carried]))
        for pieces, tasks in reads:
            b.edge(tasks, path[pieces], Edge.MEMORY)
        b.edge(path[carried], compute[carried], Edge.MEMORY)

    def _room(self, name: str, capacity: int) -> int:
        # kernels run one after the other, so those with the same limit share a room
        key = (name, capacity)
        if key not in self._rooms:
            self._rooms[key] = self._b.room(f"{name} of {capacity}", capacity, "items")
        return self._rooms[key]


def _non_empty(stream: Stream) -> tuple[I64, MemoryRuns]:
    """Return the pieces that move anything in this stream, and their runs."""
    pieces = np.flatnonzero(np.diff(stream.runs.ptr))
    ptr = np.concatenate([stream.runs.ptr[pieces], stream.runs.ptr[-1:]])
    return pieces, MemoryRuns(ptr - ptr[0], stream.runs.address, stream.runs.size)
