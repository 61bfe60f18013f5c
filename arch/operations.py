"""Operation-energy libraries: one published set each, never mixed, brought to a node."""

from __future__ import annotations

from functools import cache

from pydantic import model_validator

from archsim.arch.scaling import area_factor, energy_factor
from archsim.arch.sourced import Part, Sourced
from archsim.arch.tables import list_tables, read_table
from archsim.base.errors import ConfigError
from archsim.base.interval import Interval
from archsim.base.problems import one_of

__all__ = [
    "Composition",
    "LogicTable",
    "Operation",
    "OperationLibrary",
    "list_operation_libraries",
    "load_operations",
    "logic_table",
]

_PREFIX = "operations-"


class Operation(Part):
    """One arithmetic operation at the library's node."""

    energy_pj: Sourced
    area_mm2: Sourced | None = None


class Composition(Part):
    """An operation that the set does not have, made of those it has."""

    of: dict[str, int]
    times: Sourced


class OperationLibrary(Part):
    """Energies and areas of operations from one source at one node."""

    title: str
    node_nm: Sourced
    operations: dict[str, Operation]
    compositions: dict[str, Composition]

    @model_validator(mode="after")
    def _composed_of_operations(self) -> OperationLibrary:
        for name, composition in self.compositions.items():
            unknown = sorted(set(composition.of) - set(self.operations))
            if unknown or name in self.operations:
                raise ValueError(f"{name} must be composed of operations, not of {unknown}")
        return self

    @property
    def names(self) -> list[str]:
        """Names of everything that the library prices."""
        return sorted([*self.operations, *self.compositions])

    def energy_pj(self, name: str, node_nm: float) -> Interval:
        """Return the energy of one operation at a node; the range holds the scaling's too.

        Raises :class:`ConfigError` for an operation that the library does not have.
        """
        factor = energy_factor(self.node_nm.value, node_nm)
        if name in self.operations:
            return self.operations[name].energy_pj.interval * factor
        composition = self._composition(name)
        parts = Interval.exact(0.0)
        for part, times in composition.of.items():
            parts = parts + self.operations[part].energy_pj.interval * times
        return parts * composition.times.interval * factor

    def area_mm2(self, name: str, node_nm: float) -> Interval:
        """Return the area of one unit of the operation at a node.

        Raises :class:`ConfigError` where the library states no area, as for compositions, whose
        circuits share or repeat their parts.
        """
        operation = self.operations.get(name)
        if operation is None:
            self._composition(name)
        if operation is None or operation.area_mm2 is None:
            raise ConfigError(
                f"{self.title}: no area of {name}",
                remedy="state the unit's area in the machine file",
            )
        return operation.area_mm2.interval * area_factor(self.node_nm.value, node_nm)

    def _composition(self, name: str) -> Composition:
        if name not in self.compositions:
            raise ConfigError(
                f"{self.title}: no operation {name!r}", remedy=one_of(name, self.names)
            )
        return self.compositions[name]


class LogicTable(Part):
    """What logic costs by its area."""

    leakage_mw_per_mm2: Sourced


def list_operation_libraries() -> list[str]:
    """Return the names of the shipped libraries, sorted."""
    return list_tables(_PREFIX)


@cache
def load_operations(name: str) -> OperationLibrary:
    """Return a library by name; :class:`ConfigError` gives the nearest one."""
    known = list_operation_libraries()
    if name not in known:
        raise ConfigError(f"unknown operation library {name!r}", remedy=one_of(name, known))
    return read_table(f"{_PREFIX}{name}", OperationLibrary)


@cache
def logic_table() -> LogicTable:
    """Return what logic costs by its area."""
    return read_table("logic", LogicTable)
