"""Energy of a frame by component: what was done x what it costs, and what power times time costs.

A component is ``dram/...`` (by command) and ``memory controller`` on every machine,
``leakage/...`` and the name of a unit or buffer on accelerators, ``gpu/...`` on GPUs. The boundary
is not the same: ``gpu/idle`` is a whole module at idle, processor cores, I/O and regulators
included; an accelerator is charged no host and no regulators.

Ranges are worst cases: all constants at their low or high ends together. Energy follows the counts
and times that the run recorded; nothing is fitted to a published result.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

from archsim.arch.dram import energy_breakdown_pj, load_device
from archsim.arch.machine import Accelerator, Gpu, MemorySystem
from archsim.arch.operations import load_operations, logic_table
from archsim.arch.sram import buffer_cost
from archsim.base.errors import ConfigError
from archsim.base.interval import Interval
from archsim.base.problems import one_of
from archsim.sim.area import logic_area_mm2
from archsim.sim.result import GPU_IDLE

__all__ = ["ENERGY_BOUNDARY", "energy_by_component_pj", "energy_by_rail_pj"]

#: kind of machine -> what its energy holds and what it leaves out, for people who compare them
ENERGY_BOUNDARY = {
    "gpu": "the module while the frame runs: GPU, DRAM, memory controller and PHY, and all that "
    "the module draws at idle (processor cores, I/O, regulators: gpu/idle)",
    "accelerator": "the accelerator, DRAM, memory controller and PHY; no host processor, no I/O, "
    "no regulators",
}
_PJ_PER_MW_PS = 1e-3
_NOTHING = Interval.exact(0.0)


def energy_by_component_pj(
    machine: Accelerator | Gpu,
    mode: str | None,
    *,
    actions: Mapping[str, int],
    time_ps: int,
    dram_counts: Mapping[str, int],
) -> dict[str, Interval]:
    """Return the energy of ``time_ps`` of simulated time by component, in pJ.

    Parameters
    ----------
    machine, mode
        ``mode`` is the power mode of a GPU and ``None`` for an accelerator.
    actions
        Counts by ``component/action``, as :class:`archsim.sim.program.Program` documents. On an
        accelerator: ``<unit>/items``, ``<unit>/<operation>``, ``<fifo>/items``,
        ``<buffer>/read_bytes`` and ``<buffer>/write_bytes``; on a GPU ``sm/instructions``,
        ``sm/fp32``, ``sm/sfu``, ``sm/tensor`` and ``l2/bytes``.
    dram_counts
        The counters of :class:`archsim.sim.dram.row.RowDram`.

    Raises
    ------
    ConfigError
        For an action that the machine has no price for.
    """
    if isinstance(machine, Gpu):
        if mode is None:
            raise ValueError("a GPU runs in a power mode")
        parts = _gpu(machine, mode, actions, time_ps)
    else:
        parts = {**_units(machine, actions), **_buffers(machine, actions)}
        parts.update(_fifos(machine, actions))
        parts.update(_leakage(machine, time_ps))
    controller = machine.memory.controller_byte_pj.interval * dram_counts.get("bytes", 0)
    return {**parts, "memory controller": controller, **_dram(machine.memory, time_ps, dram_counts)}


def energy_by_rail_pj(machine: Gpu, parts: Mapping[str, Interval]) -> dict[str, Interval]:
    """Return the energy of a GPU's module by supply rail; the rails add up to the components.

    A component hangs on the first rail that names it; idle energy is shared out as the rails say.
    A rail's range holds that of its share, so that the rails' ranges together are wider than the
    sum's. Modules without rails have the one ``input``. Raises :class:`ConfigError` for a component
    that no rail names.
    """
    if not machine.rails:
        return {"input": sum(parts.values(), _NOTHING)}
    idle = parts.get(GPU_IDLE, _NOTHING)
    rails = {name: _share_of(idle, machine, name) for name in machine.rails}
    for component, energy in parts.items():
        if component == GPU_IDLE:
            continue
        for name, rail in machine.rails.items():
            if any(fnmatchcase(component, pattern) for pattern in rail.components):
                rails[name] = rails[name] + energy
                break
        else:
            raise ConfigError(
                f"{machine.name}: no rail supplies {component}",
                remedy="name it in the components of one of the rails",
            )
    return rails


def _share_of(idle: Interval, machine: Gpu, name: str) -> Interval:
    """Return a rail's part of the idle energy: its share of all shares, others at either end."""
    own = machine.rails[name].idle_fraction.interval
    others = sum(
        (r.idle_fraction.interval for n, r in machine.rails.items() if n != name), _NOTHING
    )
    return Interval(
        idle.value * own.value / (own.value + others.value),
        idle.low * own.low / (own.low + others.high),
        idle.high * own.high / (own.high + others.low),
    )


def _power(power_mw: Interval, time_ps: int) -> Interval:
    return power_mw * (time_ps * _PJ_PER_MW_PS)


# --- accelerators -------------------------------------------------------------------------------


def _units(machine: Accelerator, actions: Mapping[str, int]) -> dict[str, Interval]:
    library = load_operations(machine.operations)
    node_nm = machine.node_nm.value
    parts = dict.fromkeys(machine.units, _NOTHING)
    priced_by_operation = set()
    for action, count in actions.items():
        component, _, what = action.partition("/")
        unit = machine.units.get(component)
        if unit is None:
            if component not in machine.buffers and component not in machine.fifos:
                known = [*machine.units, *machine.buffers, *machine.fifos]
                raise ConfigError(
                    f"{machine.name} has no unit, buffer or fifo for the action {action!r}",
                    remedy=one_of(component, known),
                )
            continue
        if what == "items":
            if unit.dynamic_pj_per_item is not None:
                parts[component] = unit.dynamic_pj_per_item.interval * count
        elif unit.dynamic_pj_per_item is None:
            parts[component] = parts[component] + library.energy_pj(what, node_nm) * count
            priced_by_operation.add(component)
    for name, unit in machine.units.items():
        items = actions.get(f"{name}/items", 0)
        if items and unit.dynamic_pj_per_item is None and name not in priced_by_operation:
            raise ConfigError(
                f"{machine.name}: unit {name} did {items} items, and nothing says what they cost",
                remedy=f"state units.{name}.dynamic_pj_per_item, or count its operations",
            )
    return parts


def _buffers(machine: Accelerator, actions: Mapping[str, int]) -> dict[str, Interval]:
    parts = {}
    for name, buffer in machine.buffers.items():
        unknown = [
            a
            for a in actions
            if a.startswith(f"{name}/") and a not in (f"{name}/read_bytes", f"{name}/write_bytes")
        ]
        if unknown:
            raise ConfigError(
                f"{machine.name}: a buffer has no price for the action {unknown[0]!r}",
                remedy=f"count {name}/read_bytes or {name}/write_bytes",
            )
        cost = buffer_cost(buffer, machine.node_nm.value, machine.sram_cell)
        read = cost.read_pj_per_byte * actions.get(f"{name}/read_bytes", 0)
        write = cost.write_pj_per_byte * actions.get(f"{name}/write_bytes", 0)
        parts[name] = read + write
    return parts


def _fifos(machine: Accelerator, actions: Mapping[str, int]) -> dict[str, Interval]:
    parts = {}
    for name, fifo in machine.fifos.items():
        unknown = [a for a in actions if a.startswith(f"{name}/") and a != f"{name}/items"]
        if unknown:
            raise ConfigError(
                f"{machine.name}: a fifo has no price for the action {unknown[0]!r}",
                remedy=f"count {name}/items",
            )
        parts[name] = fifo.dynamic_pj_per_item.interval * actions.get(f"{name}/items", 0)
    return parts


def _leakage(machine: Accelerator, time_ps: int) -> dict[str, Interval]:
    logic = logic_area_mm2(machine) * logic_table().leakage_mw_per_mm2.interval
    memories = _NOTHING
    for buffer in machine.buffers.values():
        cost = buffer_cost(buffer, machine.node_nm.value, machine.sram_cell)
        memories = memories + cost.leakage_mw
    return {"leakage/logic": _power(logic, time_ps), "leakage/sram": _power(memories, time_ps)}


# --- GPUs ---------------------------------------------------------------------------------------


def _gpu(machine: Gpu, mode: str, actions: Mapping[str, int], time_ps: int) -> dict[str, Interval]:
    cost = machine.energy
    prices = {
        "sm/instructions": ("gpu/instructions", cost.instruction_pj),
        "sm/fp32": ("gpu/fp32", cost.fp32_pj),
        "sm/sfu": ("gpu/sfu", cost.sfu_pj),
        "sm/tensor": ("gpu/tensor", cost.tensor_mac_pj),
        "l2/bytes": ("gpu/l2", cost.l2_byte_pj),
    }
    unknown = [action for action in actions if action not in prices]
    if unknown:
        raise ConfigError(
            f"{machine.name} has no price for the action {unknown[0]!r}",
            remedy=one_of(unknown[0], list(prices)),
        )
    parts = {
        component: price.interval * actions.get(action, 0)
        for action, (component, price) in prices.items()
    }
    parts[GPU_IDLE] = _power(machine.modes[mode].idle_power_mw.interval, time_ps)
    return parts


# --- DRAM ---------------------------------------------------------------------------------------


def _dram(memory: MemorySystem, time_ps: int, counts: Mapping[str, int]) -> dict[str, Interval]:
    """Return DRAM energy by command and state, all channels together.

    A channel without a stream in service is taken to be precharged and awake; power-down, which
    a controller may use there, is the low end.
    """
    commands = ("activates", "read_bursts", "write_bursts", "refreshes")
    active, asleep = (
        sum(ps for name, ps in counts.items() if name.startswith(state))
        for state in ("active_ps/", "power_down_ps/")
    )
    closed = max(int(memory.channels.value) * time_ps - active - asleep, 0)
    parts = energy_breakdown_pj(
        load_device(memory.device),
        {name: counts.get(name, 0) for name in commands},
        {"active": active, "power_down": asleep, "idle": closed},
    )
    return {f"dram/{name}": energy for name, energy in parts.items()}
