"""How long a kernel takes: blocks over multiprocessors, the L2, and DRAM.

A kernel takes a fixed time of its own, and the longest of three: its blocks on their
multiprocessors (:mod:`archsim.sim.gpu.scheduler`), its bytes through the L2, its bytes over the
DRAM's pins; of DRAM and chip a share of the shorter shows, as phases overlap imperfectly.
Efficiency rises with size because fixed times, partial waves and latencies weigh less.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archsim.sim.gpu.device import Device, resident_blocks
from archsim.sim.gpu.scheduler import like_blocks, schedule
from archsim.sim.gpu.work import PIPES, Work

__all__ = ["KernelTime", "busy_cycles", "dram_bytes", "kernel_time", "left_in_l2"]

F64 = npt.NDArray[np.float64]

_TENSOR = PIPES.index("tensor")  # the vector pipes stand before it


@dataclass(frozen=True)
class KernelTime:
    """The time of one kernel in nanoseconds, and what it is made of.

    ``fixed_ns`` is the kernel's own; ``sm_ns``, ``l2_ns`` and ``dram_ns`` are what each would
    take alone. ``read_bytes`` and ``write_bytes`` are those over the DRAM's pins.
    """

    total_ns: float
    fixed_ns: float
    sm_ns: float
    l2_ns: float
    dram_ns: float
    read_bytes: float
    write_bytes: float

    @property
    def bound(self) -> str:
        """What limits the kernel: sm, l2, dram, or launch where its fixed time is the longest."""
        parts = {"launch": self.fixed_ns, "sm": self.sm_ns, "l2": self.l2_ns, "dram": self.dram_ns}
        return max(parts, key=lambda part: parts[part])


def kernel_time(work: Work, device: Device) -> KernelTime:
    """Return the time of a kernel at the device's clocks.

    Raises :class:`ConfigError` when a block does not fit a multiprocessor.
    """
    generation = device.generation
    cycle_ns = 1e3 / device.clock_mhz
    busy = busy_cycles(work, device) * cycle_ns
    delay = generation.block_ns.value + work.trips * generation.latency_ns.value
    resident = resident_blocks(device.machine.sm, work.shape)
    if work.count.size == 1:
        sm_ns = like_blocks(work.blocks, float(busy[0]), float(delay[0]), device.sms, resident)
    else:
        empty = generation.block_ns.value
        sm_ns = float(schedule(work.count, busy, delay, empty, device.sms, resident))
    reads, writes = dram_bytes(work, device)
    dram_ns = device.dram_ns(reads, writes)
    l2_rate = device.machine.l2.bytes_per_cycle.value * generation.l2_fraction.value
    l2_ns = work.total("l2") / l2_rate * cycle_ns
    if resident == 1:  # nothing overlaps the start of a block, nor its last step
        rounds = float(work.count[busy > 0].sum()) / device.sms
        step_ns = work.step_products / device.rates[_TENSOR] * cycle_ns
        idle = max(rounds, 1.0) * (float(delay.max()) + step_ns)
        l2_ns, dram_ns = l2_ns + idle, dram_ns + idle
    fixed_ns = work.launches * generation.kernel_ns.value
    on_chip = max(sm_ns, l2_ns)
    shown = generation.overlap_loss.value * min(on_chip, dram_ns)
    total = fixed_ns + max(on_chip, dram_ns) + shown
    return KernelTime(total, fixed_ns, sm_ns, l2_ns, dram_ns, reads, writes)


def busy_cycles(work: Work, device: Device) -> F64:
    """Return the cycles that one block of each group keeps its multiprocessor's pipes busy.

    The longest pipe counts in full; of the vector and the tensor pipes the shorter phase shows
    by ``overlap_loss``, or in full where a block's phases depend on one another.
    """
    shown = 1.0 if work.serial else device.generation.overlap_loss.value
    if work.count.size == 1:  # many kernels are so: without numpy's overhead on small arrays
        one = [
            count / rate for count, rate in zip(work.counts[0].tolist(), device.rates, strict=True)
        ]
        hidden = min(max(one[:_TENSOR]), one[_TENSOR])
        return np.array([max(one) + shown * hidden])
    cycles = work.counts / np.array(device.rates)
    vector, tensor = cycles[:, :_TENSOR].max(axis=1), cycles[:, _TENSOR]
    busy: F64 = cycles.max(axis=1) + shown * np.minimum(vector, tensor)
    return busy


def dram_bytes(work: Work, device: Device) -> tuple[float, float]:
    """Return the bytes that a kernel reads from and writes to DRAM, past the modelled L2.

    A cache that replaces at random among its sets keeps ``room / (room + footprint)`` of what
    the kernel before left and of what this kernel wrote, which then reaches DRAM with a later
    kernel's. Bytes read again hit as far as the L2 holds what passes between two uses.
    """
    memory = work.memory
    l2 = device.machine.l2
    capacity = l2.capacity_bytes.value
    room = capacity * device.generation.retained_fraction.value
    kept = room / (room + memory.footprint_bytes)
    missed = 0.0
    if (
        memory.reuse_bytes * l2.copies.value > capacity
    ):  # a cyclic use of more than the cache holds never hits
        missed = memory.again_bytes
    reads = memory.read_bytes - memory.left_bytes - kept * memory.held_bytes + missed
    return reads, memory.write_bytes * (1 - kept)


def left_in_l2(work: Work, device: Device) -> float:
    """Return the share of a kernel's output that it does not push out of the L2 itself.

    All of it where everything it touches fits; else what its last wave of blocks wrote.
    """
    l2 = device.machine.l2
    if work.memory.footprint_bytes * l2.copies.value <= l2.capacity_bytes.value:
        return 1.0
    places = device.sms * resident_blocks(device.machine.sm, work.shape)
    return min(places * work.sharing / work.blocks, 1.0)
