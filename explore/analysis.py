"""What a study's points say: hypervolume over evaluations, importance, sensitivity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from archsim.explore.pareto import Box, front
from archsim.explore.problem import Outcome
from archsim.explore.space import Space

__all__ = ["Change", "hypervolume_curve", "importance", "sensitivity", "shared_box"]

_CURVE_POINTS = 80
_BINS = 8  # of a continuous axis


def shared_box(outcomes: Sequence[Outcome]) -> Box | None:
    """Return the box of all valid points, for hypervolumes that can be compared."""
    values = [o.values for o in outcomes if o.valid]
    return Box(np.array(values, np.float64)) if values else None


def hypervolume_curve(outcomes: Sequence[Outcome], box: Box) -> list[tuple[int, float]]:
    """Return (points evaluated, hypervolume) while ``outcomes``, in their order, come in.

    Points that are not valid count as evaluated and add nothing.
    """
    count = len(outcomes)
    steps = np.unique(np.linspace(1, count, min(count, _CURVE_POINTS)).astype(int)).tolist()
    curve, best, done = [], np.empty((0, len(box.ideal))), 0
    for step in steps:
        new = [o.values for o in outcomes[done:step] if o.valid]
        if new:
            best = np.vstack([best, np.array(new, np.float64)])
            best = best[front(best)]
        curve.append((step, box.hypervolume(best)))
        done = step
    return curve


def importance(space: Space, outcomes: Sequence[Outcome], objective: int) -> dict[str, float]:
    """Return, per parameter, the share of an objective's variance that it explains by itself.

    The correlation ratio (eta squared) of the objective's rank, corrected for the number of
    groups as by Kelley (epsilon squared, never below 0): 1 when nothing else matters. Ranks make it
    independent of the objective's scale. Interactions belong to no parameter, so the shares add up
    to at most about 1; points that a search chose are not spread evenly, and sway it.
    """
    measured = [o for o in outcomes if o.status == "measured" and o.values is not None]
    if len(measured) < 3:
        return dict.fromkeys(space.axes, 0.0)
    ranks = _ranks(np.array([(o.values or ())[objective] for o in measured], np.float64))
    return {name: _explained([_group(space, name, o) for o in measured], ranks)
            for name in space.axes}  # fmt: skip


def _ranks(values: Any) -> Any:
    """Return ranks, the mean rank for equal values."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[inverse]


def _group(space: Space, name: str, outcome: Outcome) -> int:
    axis = space.axes[name]
    if name not in outcome.point:
        return -1
    if axis.levels is not None:
        return axis.index(outcome.point[name])
    return min(int(axis.share(outcome.point[name]) * _BINS), _BINS - 1)


def _explained(groups: list[int], values: Any) -> float:
    total = float(((values - values.mean()) ** 2).sum())
    labels = np.array(groups)
    distinct = np.unique(labels)
    spare = len(values) - len(distinct)
    if total == 0 or len(distinct) < 2 or spare < 1:
        return 0.0
    within = sum(
        float(((v - v.mean()) ** 2).sum()) for v in (values[labels == g] for g in distinct)
    )
    return max(0.0, 1 - within / spare * (len(values) - 1) / total)


@dataclass(frozen=True)
class Change:
    """One step away from a point: ``parameter`` from ``old`` to ``new``.

    ``ratios`` are the objectives there over those here, ``None`` where the step is infeasible or
    failed; ``outcome`` says why, and whether constraints still hold.
    """

    parameter: str
    old: Any
    new: Any
    ratios: tuple[float, ...] | None
    outcome: Outcome


def sensitivity(space: Space, center: Outcome, outcomes: Sequence[Outcome]) -> list[Change]:
    """Return what one step along each parameter does, of those steps that were evaluated."""
    known = {space.key(o.point): o for o in outcomes}
    changes = []
    for name in center.point:
        for value in space.axes[name].neighbours(center.point[name]):
            there = known.get(space.key(space.changed(center.point, name, value)))
            if there is None:
                continue
            ratios = None
            if there.status == "measured" and there.values and center.values:
                ratios = tuple(b / a if a else 1.0 for a, b in zip(center.values, there.values))
            changes.append(Change(name, center.point[name], value, ratios, there))
    return changes
