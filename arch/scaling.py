"""Technology scaling: what energy and area become at another node, by named methods.

Three public methods disagree by up to a factor of six between 45 and 7 nm. The value used is
DeepScaleTool's between 28 and 7 nm (its error against foundry data is a tenth of the
polynomials': 1.7 % area and 5 % power against 24 % and 24.9 %, arXiv 2102.10195) and the
Stillmaker-Baas polynomials' above; the range spans every method that covers the step.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from archsim.arch.sourced import Part, Sourced
from archsim.arch.tables import read_table
from archsim.base.errors import ConfigError
from archsim.base.interval import Interval

__all__ = [
    "NODES_NM",
    "ScalingTable",
    "area_estimates",
    "area_factor",
    "energy_estimates",
    "energy_factor",
    "scaling_table",
    "stillmaker_baas_energy",
]

NODES_NM = (7.0, 45.0)  #: smallest and largest node that the methods cover
_PREFERRED = "preferred"


class _StillmakerBaas(Part):
    source: str
    energy_polynomials: dict[float, tuple[float, float, float]]
    area: dict[float, float]


class _Step(Part):
    source: str
    from_nm: float
    to_nm: float
    energy_divided_by: float
    area_divided_by: float | None = None


class ScalingTable(Part):
    """The factors of ``tables/scaling.yaml``."""

    stillmaker_baas: _StillmakerBaas
    deepscaletool: _Step
    operation_tables: _Step
    supply_v: dict[float, Sourced]


@cache
def scaling_table() -> ScalingTable:
    """Return the published factors."""
    return read_table("scaling", ScalingTable)


def stillmaker_baas_energy(node_nm: float, supply_v: float) -> float:
    """Return the energy of one switching relative to 45 nm at 1.0 V (linear between nodes)."""
    _check_node(node_nm)
    table = scaling_table().stillmaker_baas.energy_polynomials
    nodes = sorted(table)
    values = [_polynomial(table[node], supply_v) for node in nodes]
    return float(np.interp(node_nm, nodes, values)) / _polynomial(table[45.0], 1.0)


def energy_estimates(from_nm: float, to_nm: float) -> dict[str, Interval]:
    """Return by method what dynamic energy is multiplied by between two nodes at nominal supply.

    The polynomials' range is that of the supply; a method that does not cover both nodes is
    left out. ``preferred`` chains DeepScaleTool within its nodes with the polynomials outside.
    """
    table = scaling_table()
    estimates = {
        "stillmaker-baas": Interval(
            _polynomial_ratio(from_nm, to_nm, 0),
            _polynomial_ratio(from_nm, to_nm, -1),
            _polynomial_ratio(from_nm, to_nm, 1),
        )
    }
    covered = {"deepscaletool": table.deepscaletool, "operation-tables": table.operation_tables}
    for name, step in covered.items():
        if (_clamp(from_nm, step), _clamp(to_nm, step)) == (from_nm, to_nm):
            factor = _log_interpolated(step, step.energy_divided_by, from_nm, to_nm)
            estimates[name] = Interval.exact(factor)
    step = table.deepscaletool
    inner = _clamp(from_nm, step), _clamp(to_nm, step)
    chained = _log_interpolated(step, step.energy_divided_by, *inner)
    chained *= _polynomial_ratio(from_nm, inner[0], 0) * _polynomial_ratio(inner[1], to_nm, 0)
    return {**estimates, _PREFERRED: Interval.exact(chained)}


def area_estimates(from_nm: float, to_nm: float) -> dict[str, Interval]:
    """Return by method what area is multiplied by between two nodes, as `energy_estimates`."""
    step = scaling_table().deepscaletool
    divided_by = step.area_divided_by
    if divided_by is None:
        raise ValueError("DeepScaleTool's step states no area")
    estimates = {"stillmaker-baas": Interval.exact(_area_ratio(from_nm, to_nm))}
    inner = _clamp(from_nm, step), _clamp(to_nm, step)
    if inner == (from_nm, to_nm):
        estimates["deepscaletool"] = Interval.exact(
            _log_interpolated(step, divided_by, from_nm, to_nm)
        )
    chained = _log_interpolated(step, divided_by, *inner)
    chained *= _area_ratio(from_nm, inner[0]) * _area_ratio(inner[1], to_nm)
    return {**estimates, _PREFERRED: Interval.exact(chained)}


def energy_factor(from_nm: float, to_nm: float) -> Interval:
    """Return what dynamic energy is multiplied by; the range spans all methods.

    Raises :class:`ConfigError` for nodes outside :data:`NODES_NM`.
    """
    return _span(energy_estimates(from_nm, to_nm)) if from_nm != to_nm else Interval.exact(1.0)


def area_factor(from_nm: float, to_nm: float) -> Interval:
    """Return what area is multiplied by; the range spans all methods."""
    return _span(area_estimates(from_nm, to_nm)) if from_nm != to_nm else Interval.exact(1.0)


def _check_node(node_nm: float) -> None:
    low, high = NODES_NM
    if not low <= node_nm <= high:
        raise ConfigError(
            f"no scaling method covers {node_nm:g} nm",
            remedy=f"state the node between {low:g} and {high:g} nm",
        )


def _polynomial(coefficients: tuple[float, float, float], supply_v: float) -> float:
    a, b, c = coefficients
    return a * supply_v**2 + b * supply_v + c


def _supply(node_nm: float, bound: int) -> float:
    table = scaling_table().supply_v
    nodes = sorted(table)
    chosen = [(table[n].low, table[n].value, table[n].high)[bound + 1] for n in nodes]
    return float(np.interp(node_nm, nodes, chosen))


def _polynomial_ratio(from_nm: float, to_nm: float, bound: int) -> float:
    """Return the ratio at nominal supplies; ``bound`` -1 or 1: its low or high end."""
    after = stillmaker_baas_energy(to_nm, _supply(to_nm, bound))
    return after / stillmaker_baas_energy(from_nm, _supply(from_nm, 0))


def _area_ratio(from_nm: float, to_nm: float) -> float:
    _check_node(from_nm)
    _check_node(to_nm)
    table = scaling_table().stillmaker_baas.area
    nodes = sorted(table)
    at = np.interp([from_nm, to_nm], nodes, [table[n] for n in nodes])
    return float(at[1] / at[0])


def _clamp(node_nm: float, step: _Step) -> float:
    return min(max(node_nm, step.to_nm), step.from_nm)


def _log_interpolated(step: _Step, divided_by: float, from_nm: float, to_nm: float) -> float:
    share = math.log(from_nm / to_nm) / math.log(step.from_nm / step.to_nm)
    return float(divided_by**-share)


def _span(estimates: dict[str, Interval]) -> Interval:
    return Interval(
        estimates[_PREFERRED].value,
        min(e.low for e in estimates.values()),
        max(e.high for e in estimates.values()),
    )
