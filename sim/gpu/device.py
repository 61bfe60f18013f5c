"""A GPU in one of its power modes, and how many blocks of a kernel it holds at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, cached_property

import numpy as np
import numpy.typing as npt

from archsim.arch.dram import load_device
from archsim.arch.generation import Generation, load_generation
from archsim.arch.load import power_mode
from archsim.arch.machine import Gpu, PowerMode, SmFacts
from archsim.base.errors import ConfigError
from archsim.sim.dram.row import turn_clocks

__all__ = ["BlockShape", "Device", "resident_blocks"]

I64 = npt.NDArray[np.int64]

_WARP = 32
_REGISTER_UNIT = 256  # registers are allocated per warp in units of 256
_SHARED_UNIT_BYTES = 128
_SHARED_RESERVED_BYTES = 1024  # kept by the system for each block


@dataclass(frozen=True)
class BlockShape:
    """What one thread block asks of a multiprocessor."""

    threads: int
    registers_per_thread: int
    shared_bytes: int


def resident_blocks(sm: SmFacts, block: BlockShape) -> int:
    """Return how many such blocks one multiprocessor holds at once (CUDA's occupancy rule).

    The least of the limits by warps, threads, blocks, registers (allocated per warp in units of
    256, warps rounded down to a multiple of the four sub-cores) and shared memory (units of
    128 bytes, 1 KB reserved per block). Raises :class:`ConfigError` when not even one fits.
    """
    warps = -(-block.threads // _WARP)
    per_warp = -(-block.registers_per_thread * _WARP // _REGISTER_UNIT) * _REGISTER_UNIT
    warps_by_registers = int(sm.registers.value) // per_warp // 4 * 4
    shared = -(-block.shared_bytes // _SHARED_UNIT_BYTES) * _SHARED_UNIT_BYTES
    held = min(
        int(sm.warps.value) // warps,
        int(sm.threads.value) // block.threads,
        int(sm.blocks.value),
        warps_by_registers // warps,
        int(sm.shared_bytes.value) // (shared + _SHARED_RESERVED_BYTES),
    )
    if held < 1:
        raise ConfigError(
            f"a block of {block.threads} threads, {block.registers_per_thread} registers each and "
            f"{block.shared_bytes} bytes of shared memory does not fit one multiprocessor",
            place="sm",
            remedy="give the machine's sm more warps, registers or shared_bytes",
        )
    return held


@dataclass(frozen=True, eq=False)  # told apart by identity: it keys caches
class Device:
    """A GPU in one power mode, warm unless a share of its clock is given."""

    machine: Gpu
    mode_name: str
    mode: PowerMode
    generation: Generation
    clock_fraction: float = 1.0

    @staticmethod
    def of(machine: Gpu, mode: str | None = None) -> Device:
        """Return the machine in ``mode``, or in the mode it ships in for ``None``.

        Raises :class:`ConfigError` when the machine has no mode of this name.
        """
        name = power_mode(machine, mode)
        assert name is not None  # every GPU has a default mode
        return Device(machine, name, machine.modes[name], load_generation(machine.generation))

    def after(self, busy_ms: float) -> Device:
        """Return the GPU after it has been busy for so long from idle: its governor's ramp."""
        warmup = self.machine.warmup
        cold, share = warmup.cold_fraction.value, min(busy_ms / warmup.ramp_ms.value, 1.0)
        return replace(self, clock_fraction=cold + (1 - cold) * share)

    @property
    def sms(self) -> int:
        """Multiprocessors switched on."""
        return int(self.mode.sms.value)

    @property
    def clock_mhz(self) -> float:
        """The clock of multiprocessors and L2."""
        return self.mode.gpu_clock_mhz.value * self.clock_fraction

    @cached_property
    def rates(self) -> tuple[float, ...]:
        """What each pipe of a multiprocessor does in a cycle, in the order of ``work.PIPES``."""
        sm, generation = self.machine.sm, self.generation
        return (
            sm.issue_per_cycle.value * generation.issue_fraction.value,
            sm.fp32_lanes.value,
            sm.fp16_lanes.value,
            sm.int32_lanes.value,
            sm.sfu_lanes.value,
            sm.tensor_macs.value * generation.tensor_fraction.value,
            sm.shared_bytes_per_cycle.value,
            sm.l2_bytes_per_cycle.value,
        )

    @property
    def launch_ps(self) -> int:
        """The host's time for a launch."""
        return round(self.machine.launch_ns.value * 1000)

    @property
    def kernel_ps(self) -> int:
        """A kernel's own time, before its first and after its last block."""
        return round(self.generation.kernel_ns.value * 1000)

    @cached_property
    def pin_gb_s(self) -> float:
        """Peak DRAM rate of the mode."""
        memory = self.machine.memory
        channel = load_device(memory.device).bandwidth_gb_s(self.mode.memory_mt_s.value)
        return channel * memory.channels.value

    @cached_property
    def read_gb_s(self) -> float:
        """Rate of reads that the controller's sectors in flight allow."""
        memory, sector = self.machine.memory, self.machine.l2.sector_bytes.value
        per_channel = memory.controller.outstanding_reads.value * sector
        return memory.channels.value * per_channel / memory.controller.read_latency_ns.value

    @property
    def turn_ns(self) -> float:
        """What a channel's data bus loses when it turns from reads to writes and back."""
        return _turn_ns(self.machine.memory.device, round(self.mode.memory_mt_s.value))

    def read_ps(self, size_bytes: I64) -> I64:
        """Return how long the controller takes at least to bring reads of these sizes."""
        duration: I64 = np.ceil(size_bytes * (1000 / self.read_gb_s)).astype(np.int64)
        return duration

    def dram_ns(self, read_bytes: float, write_bytes: float) -> float:
        """Return how long large streams take: by the pins, or by the reads in flight."""
        memory = self.machine.memory
        pins = self.pin_gb_s * memory.controller.pin_fraction.value
        # a channel turns to its writes when its buffer has filled, and back for the next read
        burst = load_device(memory.device).burst_bytes
        turns = min(write_bytes / memory.controller.drained_bursts, read_bytes) / burst
        turning = turns / memory.channels.value * self.turn_ns
        return max((read_bytes + write_bytes) / pins + turning, read_bytes / self.read_gb_s)


@cache
def _turn_ns(device: str, data_rate_mt_s: int) -> float:
    dram = load_device(device)
    return dram.clocks_to_ps(turn_clocks(dram, data_rate_mt_s), data_rate_mt_s) / 1e3
