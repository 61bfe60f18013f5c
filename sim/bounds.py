"""Bounds by hand: what each unit's work and the memory's bytes take at least.

A unit cannot be done sooner than its items x initiation interval / servers / clock, the memory not
sooner than its bytes / peak rate. The largest is the frame's lower bound; what the simulated time
lies above it is filling, draining and waiting.
"""

from __future__ import annotations

from typing import Any, Protocol

from archsim.base.errors import CheckError
from archsim.base.units import PS_PER_S
from archsim.sim.program import Program
from archsim.sim.schedule import Schedule

__all__ = ["lower_bounds"]


class _Peaked(Protocol):
    @property
    def peak_bytes_per_s(self) -> float: ...


def lower_bounds(program: Program, schedule: Schedule, dram: _Peaked) -> list[dict[str, Any]]:
    """Return one row per stated work and one for DRAM, largest bound first.

    Raises :class:`CheckError` when the run undercuts one of them.
    """
    rows: list[dict[str, Any]] = [
        {
            "unit": work.unit, "what": work.what, "items": work.items,
            "interval_cycles": work.interval_cycles, "servers": work.servers,
            "bound_ps": work.bound_ps,
        }
        for work in program.work
    ]  # fmt: skip
    moved = int(schedule.dram_bytes.sum())
    if moved:
        rows.append({
            "unit": "dram", "what": "bytes at the pins' peak", "items": moved,
            "interval_cycles": None, "servers": None,
            "bound_ps": int(moved * PS_PER_S / dram.peak_bytes_per_s),
        })  # fmt: skip
    for row in rows:
        if row["bound_ps"] > schedule.makespan_ps:
            raise CheckError(
                f"{row['unit']}: {row['items']} {row['what']} take at least {row['bound_ps']} ps, "
                f"and the run ended after {schedule.makespan_ps} ps",
                remedy="report this with the configuration: a program left work out",
            )
    return sorted(rows, key=lambda row: -row["bound_ps"])
