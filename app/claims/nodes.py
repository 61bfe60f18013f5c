"""What a machine's area, power and energy become at other nodes, each with its factor and range.

Dynamic energy is multiplied by the energy factor of :mod:`archsim.arch.scaling`, areas and leakage
by the area factor (leakage per mm2 is taken to stay); the factors' ranges span the published
methods. Clock, time, DRAM and its controller stay as they are: papers compare an accelerator at
its GPU's node without another clock or memory.
"""

from __future__ import annotations

from collections.abc import Mapping

from archsim.arch.load import load_machine
from archsim.arch.machine import Accelerator
from archsim.arch.scaling import area_estimates, area_factor, energy_estimates, energy_factor
from archsim.base.interval import Interval
from archsim.claims.bench import Bench, System
from archsim.claims.verdict import Section
from archsim.sim.area import area_mm2
from archsim.sim.result import SystemResult
from archsim.words import DASH, TIMES, digits

__all__ = ["chip_energy_pj", "machine_of", "node_section"]

#: nodes of the table: those that designs of this field are published at, and the Orin's
NODES_NM = (28.0, 22.0, 16.0, 12.0, 8.0, 7.0)
_LEAKAGE = "leakage/"
_OUTSIDE = ("dram/", "memory controller")  # of the chip
_GPU = "orin-nx"


def chip_energy_pj(
    parts: Mapping[str, Interval], from_nm: float, to_nm: float | None = None
) -> Interval:
    """Return a frame's energy without DRAM and its controller, scaled to a node where given."""
    dynamic = leakage = Interval.exact(0.0)
    for name, energy in parts.items():
        if name.startswith(_LEAKAGE):
            leakage = leakage + energy
        elif not name.startswith(_OUTSIDE):
            dynamic = dynamic + energy
    if to_nm is None:
        return dynamic + leakage
    return dynamic * energy_factor(from_nm, to_nm) + leakage * area_factor(from_nm, to_nm)


def machine_of(system: System) -> Accelerator:
    """Return the accelerator of a system with what the system sets."""
    changes = {place: (value, "claims") for place, value in (system.get("set") or {}).items()}
    machine = load_machine(str(system["machine"]), changes=changes)
    if not isinstance(machine, Accelerator):
        raise ValueError(f"{machine.name} is no accelerator")
    return machine


def node_section(bench: Bench) -> Section:
    """Return the table of a claims' system on its first scene, at its own node and others."""
    name = bench.claims.system
    machine = machine_of(bench.system(name))
    own = machine.node_nm.value
    scene = bench.scenes("default")[0]
    found = bench.on(scene, [name, *([_GPU] if bench.has(_GPU) else [])])
    frame = found[name].frames[0]
    outside = sum(
        (e for part, e in frame.energy_by_component_pj.items() if part.startswith(_OUTSIDE)),
        Interval.exact(0.0),
    )
    area = sum((area_mm2(machine) or {}).values(), Interval.exact(0.0))
    rows = []
    for node in (own, *(n for n in NODES_NM if n < own)):
        chip = chip_energy_pj(frame.energy_by_component_pj, own, node)
        rows.append((
            f"{node:g}\u00a0nm", _span(area_factor(own, node)),
            _span(area * area_factor(own, node)),
            _span(energy_factor(own, node)), _span(chip * (1 / frame.time_ps)),
            _span((chip + outside) * 1e-9), _saving(found, chip + outside),
        ))  # fmt: skip
    return Section(
        f"{name} at other nodes, on {scene.name}",
        ("node", f"area {TIMES}", "mm²", f"dynamic energy {TIMES}", "chip, W", "frame, mJ",
         f"energy saved over {_GPU}"),
        tuple(rows),
        note="chip: without DRAM and its controller, which stay as they are in the frame's energy. "
        f"From {own:g} to 7 nm by method: {_methods(own)}. Leakage follows area; clock and time "
        "stay.",
    )  # fmt: skip


def _saving(found: Mapping[str, SystemResult], energy: Interval) -> str:
    if _GPU not in found:
        return DASH
    frame = found[_GPU].frames[0]
    gpu = sum(frame.energy_by_component_pj.values(), Interval.exact(0.0))
    return (f"{digits(gpu.value / energy.value)}{TIMES} "
            f"({digits(gpu.low / energy.high)}{DASH}{digits(gpu.high / energy.low)})")  # fmt: skip


def _methods(own: float) -> str:
    energy, area = energy_estimates(own, 7.0), area_estimates(own, 7.0)
    words = [
        f"{name} {digits(one.value)} energy"
        + (f", {digits(area[name].value)} area" if name in area else "")
        for name, one in energy.items()
        if name != "preferred"
    ]
    return f"{'; '.join(words)}; used {digits(energy['preferred'].value)} and " \
           f"{digits(area['preferred'].value)}"  # fmt: skip


def _span(one: Interval) -> str:
    if one.low == one.high:
        return digits(one.value)
    return f"{digits(one.value)} ({digits(one.low)}{DASH}{digits(one.high)})"
