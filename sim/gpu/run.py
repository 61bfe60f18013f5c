"""Kernels one after the other on a GPU: time, bytes, energy by component and by rail.

The host launches ahead: a kernel starts when the one before has ended and its launch has arrived,
one launch after the other. Work that is shorter than a launch waits for the host; longer work
hides it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from archsim.arch.dram import load_device
from archsim.base.interval import Interval
from archsim.sim.energy import energy_by_component_pj, energy_by_rail_pj
from archsim.sim.gpu.device import Device
from archsim.sim.gpu.timing import KernelTime, kernel_time
from archsim.sim.gpu.work import Work

__all__ = ["GpuRun", "Ran", "run_kernels"]

_WARP = 32


@dataclass(frozen=True)
class Ran:
    """One kernel of a run: when it started, and its time."""

    work: Work
    start_ns: float
    time: KernelTime


@dataclass(frozen=True)
class GpuRun:
    """What a sequence of kernels took.

    ``energy_pj`` is by component, as :func:`archsim.sim.energy.energy_by_component_pj` names
    them, and ``rails_pj`` the same by supply rail; ``waiting_ns`` is the time the GPU waited for
    launches.
    """

    kernels: tuple[Ran, ...]
    total_ns: float
    waiting_ns: float
    read_bytes: float
    write_bytes: float
    actions: dict[str, int]
    energy_pj: dict[str, Interval]
    rails_pj: dict[str, Interval]

    def time_by_kind_ns(self) -> dict[str, float]:
        """Return the kernels' time by their class."""
        found: dict[str, float] = {}
        for ran in self.kernels:
            found[ran.work.kind] = found.get(ran.work.kind, 0.0) + ran.time.total_ns
        return found


def run_kernels(works: Sequence[Work], device: Device, *, cold: bool = False) -> GpuRun:
    """Run kernels in order; ``cold`` starts from the governor's idle clock and warms up.

    Kernels that appear several times (the same object) are timed once.
    """
    launch_ns = device.machine.launch_ns.value
    timed: dict[int, KernelTime] = {}
    ran: list[Ran] = []
    now = waiting = launched = busy = 0.0
    for work in works:
        launched += launch_ns * work.launches
        waiting += max(launched - now, 0.0)
        now = max(now, launched)
        if cold:
            time = kernel_time(work, device.after(busy * 1e-6))
        elif (known := timed.get(id(work))) is not None:
            time = known
        else:
            time = timed[id(work)] = kernel_time(work, device)
        ran.append(Ran(work, now, time))
        now += time.total_ns
        busy += time.total_ns
    reads = sum(one.time.read_bytes for one in ran)
    writes = sum(one.time.write_bytes for one in ran)
    actions = _actions(ran)
    energy = energy_by_component_pj(
        device.machine, device.mode_name, actions=actions, time_ps=round(now * 1e3),
        dram_counts=_commands(device, reads, writes, now),
    )  # fmt: skip
    return GpuRun(
        tuple(ran), now, waiting, reads, writes, actions, energy,
        energy_by_rail_pj(device.machine, energy),
    )  # fmt: skip


def _actions(ran: Sequence[Ran]) -> dict[str, int]:
    names = {"issue": "sm/instructions", "fp32": "sm/fp32", "sfu": "sm/sfu",
             "tensor": "sm/tensor", "l2": "l2/bytes"}  # fmt: skip
    counts = dict.fromkeys(names.values(), 0.0)
    for one in ran:
        for pipe, name in names.items():
            counts[name] += one.work.total(pipe) * (_WARP if pipe == "issue" else 1)
    return {name: round(count) for name, count in counts.items()}


def _commands(device: Device, reads: float, writes: float, time_ns: float) -> dict[str, int]:
    """Return the DRAM's commands for large streams: an activate per row, refresh by the clock."""
    dram = load_device(device.machine.memory.device)
    channels = int(device.machine.memory.channels.value)
    burst = dram.burst_bytes
    row = dram.organisation.page_bytes.value
    moving_ps = (reads + writes) / device.pin_gb_s * 1e3 * channels
    active = min(moving_ps, channels * time_ns * 1e3)
    return {
        "activates": round((reads + writes) / row),
        "read_bursts": round(reads / burst),
        "write_bursts": round(writes / burst),
        "refreshes": round(channels * time_ns / dram.timing["trefi_ns"].value),
        "active_ps/streams": round(active),
        "bytes": round(reads + writes),
    }
