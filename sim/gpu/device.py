"""A GPU in one of its power modes, and how many blocks of a kernel it holds at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archsim.arch.dram import load_device
from archsim.arch.load import power_mode
from archsim.arch.machine import Gpu, PowerMode, SmFacts
from archsim.base.errors import ConfigError

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


@dataclass(frozen=True)
class Device:
    """A GPU in one power mode."""

    machine: Gpu
    mode_name: str
    mode: PowerMode

    @staticmethod
    def of(machine: Gpu, mode: str | None) -> Device:
        """Return the machine in ``mode``, or in the mode it ships in for ``None``.

        Raises :class:`ConfigError` when the machine has no mode of this name.
        """
        name = power_mode(machine, mode)
        assert name is not None  # every GPU has a default mode
        return Device(machine, name, machine.modes[name])

    @property
    def sms(self) -> int:
        """Multiprocessors switched on."""
        return int(self.mode.sms.value)

    @property
    def launch_ps(self) -> int:
        """Gap before a kernel that depends on the one before it."""
        return round(self.machine.launch_ns.value * 1000)

    def busy_ps(self, issue_slots: I64, fp32_slots: I64, sfu_slots: I64) -> I64:
        """Return how long one multiprocessor computes, in whole cycles as picoseconds.

        Slots are warp instructions, a masked lane costing as much as an active one. The longest
        of three bounds counts: issue (``issue_per_cycle x issue_efficiency`` a cycle), FP32
        lanes and special-function lanes (32 lanes of a warp over the lanes there are).
        """
        sm = self.machine.sm
        rate = sm.issue_per_cycle.value * self.machine.issue_efficiency.value
        cycles = np.maximum(
            np.maximum(
                np.ceil(issue_slots / rate), np.ceil(fp32_slots * _WARP / sm.fp32_lanes.value)
            ),
            np.ceil(sfu_slots * _WARP / sm.sfu_lanes.value),
        ).astype(np.int64)
        khz = round(self.mode.gpu_clock_mhz.value * 1000)
        duration: I64 = -(-cycles * 10**9 // khz)
        return duration

    @property
    def pin_gb_s(self) -> float:
        """Peak DRAM rate of the mode."""
        memory = self.machine.memory
        channel = load_device(memory.device).bandwidth_gb_s(self.mode.memory_mt_s.value)
        return channel * memory.channels.value

    def read_ps(self, size_bytes: I64) -> I64:
        """Return how long the path from DRAM to the L2 takes to carry reads of these sizes."""
        rate = self.pin_gb_s * self.machine.read_fraction.value
        duration: I64 = np.ceil(size_bytes * (1000 / rate)).astype(np.int64)
        return duration
