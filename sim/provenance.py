"""Every constant that a machine's numbers rest on, with its source, and which are assumed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from archsim.arch.dram import load_device
from archsim.arch.generation import load_generation
from archsim.arch.machine import Accelerator, Gpu
from archsim.arch.operations import load_operations, logic_table
from archsim.arch.scaling import energy_factor, scaling_table
from archsim.arch.sourced import Sourced, unit_of
from archsim.arch.sram import off_table, sram_table

__all__ = ["Constant", "assumed_constants", "constants"]


@dataclass(frozen=True)
class Constant:
    """One constant and where it is from; ``place`` is dotted, ``unit`` empty for counts."""

    place: str
    value: float
    unit: str
    low: float
    high: float
    source: str
    assumed: bool


def constants(machine: Accelerator | Gpu, mode: str | None = None) -> list[Constant]:
    """Return the constants that ``machine`` rests on, its tables included, in reading order.

    Places start with ``machine``, ``dram``, ``generation``, ``operations``, ``sram``, ``logic``
    or ``scaling``.
    With ``mode`` given, the machine's other power modes are left out.
    """
    found = []
    for constant in _walk(machine, "machine"):
        in_modes = constant.place.startswith("machine.modes.")
        if mode is None or not in_modes or constant.place.startswith(f"machine.modes.{mode}."):
            found.append(constant)
    found += _walk(load_device(machine.memory.device), "dram")
    if isinstance(machine, Gpu):
        found += _walk(load_generation(machine.generation), "generation")
    if isinstance(machine, Accelerator):
        found += _accelerator(machine)
    return found


def assumed_constants(machine: Accelerator | Gpu, mode: str | None = None) -> dict[str, str]:
    """Return the guesses that ``machine``'s numbers rest on: dotted place -> value and reason."""
    return {
        c.place: f"{c.value:g}{f' {c.unit}' if c.unit else ''} "
        f"({c.low:g} to {c.high:g}): {c.source}"
        for c in constants(machine, mode)
        if c.assumed
    }


def _accelerator(machine: Accelerator) -> list[Constant]:
    """Return the constants of the tables that this accelerator's energy and area read."""
    node_nm = machine.node_nm.value
    outside = off_table(node_nm, machine.sram_cell)
    found = [
        c
        for c in _walk(sram_table(), "sram")
        if outside or not c.place.endswith("leakage_off_node")
    ]
    found += _walk(logic_table(), "logic")
    scaled_from = []
    if any(unit.dynamic_pj_per_item is None for unit in machine.units.values()):
        library = load_operations(machine.operations)
        found += _walk(library, "operations")
        scaled_from.append(library.node_nm.value)
    if outside:
        scaled_from.append(outside)
    scaled_from = [nm for nm in scaled_from if nm != node_nm]
    if scaled_from:
        found += _walk(scaling_table(), "scaling")
        found += [_scaling(nm, node_nm) for nm in dict.fromkeys(scaled_from)]
    return found


def _scaling(from_nm: float, to_nm: float) -> Constant:
    factor = energy_factor(from_nm, to_nm)
    table = scaling_table()
    source = (
        f"{from_nm:g} to {to_nm:g} nm by the methods that cover the step: "
        f"{table.stillmaker_baas.source}; {table.deepscaletool.source}; "
        f"{table.operation_tables.source}"
    )
    return Constant(
        f"scaling.energy.from_{from_nm:g}_nm",
        factor.value,
        "",
        factor.low,
        factor.high,
        source,
        False,
    )


def _walk(part: Any, place: str) -> Iterator[Constant]:
    if isinstance(part, Sourced):
        yield Constant(
            place, part.value, unit_of(_field(place)), part.low, part.high, part.source,
            part.assumed,
        )  # fmt: skip
    elif isinstance(part, BaseModel):
        for name in type(part).model_fields:
            yield from _walk(getattr(part, name), f"{place}.{name}")
    elif isinstance(part, dict):
        for key, value in part.items():
            yield from _walk(
                value, f"{place}.{key:g}" if isinstance(key, float) else f"{place}.{key}"
            )


def _field(place: str) -> str:
    """Return the field's name that states the unit; a table by node carries it one level up."""
    head, _, last = place.rpartition(".")
    return head.rpartition(".")[2] if last.isdigit() else last
