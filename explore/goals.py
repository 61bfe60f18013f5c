"""What makes one point better than another: objectives and constraints over result columns."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from archsim.base.errors import ConfigError
from archsim.base.problems import one_of
from archsim.explore.study import Constraint, Goal

__all__ = ["EXACT_PSNR_DB", "Goals"]

#: An identical image has no PSNR; as a goal it counts as this, above what 8-bit images can reach.
EXACT_PSNR_DB = 100.0


class Goals:
    """Objectives and constraints of a study."""

    def __init__(self, objectives: Mapping[str, Goal], constraints: Mapping[str, Constraint]):
        self.objectives, self.constraints = dict(objectives), dict(constraints)

    def judge(self, columns: Mapping[str, Any]) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return objectives as numbers to minimize, and by which share each constraint is missed.

        Raises :class:`ConfigError` for a column that the result does not have.
        """
        values = tuple(
            _number(columns, name, "objectives") * (1 if goal == "minimize" else -1)
            for name, goal in self.objectives.items()
        )
        violations = tuple(
            _violation(columns, name, constraint) for name, constraint in self.constraints.items()
        )
        return values, violations

    def shown(self, values: tuple[float, ...]) -> dict[str, float]:
        """Return objectives as users know them, from numbers to minimize."""
        return {
            name: value if goal == "minimize" else -value
            for (name, goal), value in zip(self.objectives.items(), values)
        }


def _violation(columns: Mapping[str, Any], name: str, constraint: Constraint) -> float:
    value, missed = _number(columns, name, "constraints"), 0.0
    for bound, sign in ((constraint.at_least, 1.0), (constraint.at_most, -1.0)):
        if bound is None:
            continue
        limit = _number(columns, bound, "constraints") if isinstance(bound, str) else bound
        lacking = (limit - value) * sign - abs(limit) * constraint.slack
        missed = max(missed, lacking / (abs(limit) or 1.0))
    return missed


def _number(columns: Mapping[str, Any], name: str, where: str) -> float:
    value = columns.get(name)
    system = name.partition(".")[0]
    if value is None and name.endswith(".psnr_db") and columns.get(f"{system}.exact") is True:
        return EXACT_PSNR_DB
    if isinstance(value, (int, float)) and math.isfinite(value):
        return float(value)
    if name in columns:
        raise ConfigError(
            f"{where}: {name} has no number here: it is {value!r}",
            remedy="choose a column that this system's results have",
        )
    numbers = [n for n, v in columns.items() if isinstance(v, (int, float))]
    raise ConfigError(f"{where}: no result has a column {name!r}", remedy=one_of(name, numbers))
