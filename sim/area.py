"""Area of an accelerator: its units, as the machine states them, and its SRAM."""

from __future__ import annotations

from archsim.arch.machine import Accelerator, Gpu
from archsim.arch.sram import buffer_cost
from archsim.base.interval import Interval

__all__ = ["area_mm2", "logic_area_mm2"]


def area_mm2(machine: Accelerator | Gpu) -> dict[str, Interval] | None:
    """Return area by unit, buffer and queue, in mm2; ``None`` for GPUs, whose modules state none.

    Wiring between them, pads and the DRAM interface are left out. Whether a published total holds
    wiring is mostly not stated, so it may lie above the sum of these parts.
    """
    if isinstance(machine, Gpu):
        return None
    areas = {
        name: unit.area_mm2.interval * unit.count.interval for name, unit in machine.units.items()
    }
    for name, buffer in machine.buffers.items():
        areas[name] = buffer_cost(buffer, machine.node_nm.value, machine.sram_cell).area_mm2
    return areas | {name: fifo.area_mm2.interval for name, fifo in machine.fifos.items()}


def logic_area_mm2(machine: Accelerator) -> Interval:
    """Return the area of all units and queues of registers together, in mm2."""
    total = Interval.exact(0.0)
    for unit in machine.units.values():
        total = total + unit.area_mm2.interval * unit.count.interval
    for fifo in machine.fifos.values():
        total = total + fifo.area_mm2.interval
    return total
