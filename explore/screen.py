"""Screening: a cheaper model of the same point decides which points the full model sees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archsim.explore.goals import Goals
from archsim.explore.problem import Outcome
from archsim.explore.study import Screen

__all__ = ["Screening"]


class Screening:
    """Which points are promoted from the cheap model to the full one.

    The first points go to both models. Per objective, the ratios full : cheap that were seen span
    a range; widened by the margin, its favourable end gives what a point may reach at best. A
    point is promoted unless even that is dominated by a point the full model has measured, or
    misses a constraint. Every promoted point adds its own ratio.
    """

    def __init__(self, screen: Screen, goals: Goals):
        self.settings: dict[str, Any] = dict(screen.set)
        self._goals, self._margin, self._left = goals, screen.margin, screen.calibrate
        self._low: list[float] = []
        self._high: list[float] = []
        self.seen = self.promoted = 0

    @property
    def error(self) -> dict[str, tuple[float, float]]:
        """Per objective, the lowest and highest ratio of full to cheap model seen."""
        return dict(zip(self._goals.objectives, zip(self._low, self._high)))

    @property
    def _doubt(self) -> float:
        """Share by which a column of the cheap model may be off."""
        return self._margin * max(abs(ratio - 1) for ratio in (*self._low, *self._high, 1.0))

    def promotes(self, cheap: Outcome, front: Sequence[Outcome]) -> bool:
        """Return whether a point is worth the full model."""
        self.seen += 1
        if self._left > 0:
            self._left -= 1
            self.promoted += 1
            return True
        if max(cheap.violations, default=0.0) > self._doubt:
            return False
        best = self._best(cheap.values or ())
        promoted = not any(
            all(have <= could for have, could in zip(other.values or (), best)) for other in front
        )
        self.promoted += promoted
        return promoted

    def learn(self, cheap: Outcome, full: Outcome) -> None:
        """Take note of a point that both models have seen."""
        if not cheap.values or not full.values:
            return
        ratios = [b / a if a else 1.0 for a, b in zip(cheap.values, full.values)]
        self._low = [min(a, b) for a, b in zip(self._low or ratios, ratios)]
        self._high = [max(a, b) for a, b in zip(self._high or ratios, ratios)]

    def _best(self, values: Sequence[float]) -> list[float]:
        """Return the lowest objectives that a point with these cheap ones may have."""
        best = []
        for value, low, high in zip(values, self._low, self._high):
            spare = (self._margin - 1) * (high - low)
            # of a negative number (something to maximize) the higher ratio is the lower value
            best.append(value * (low - spare if value >= 0 else high + spare))
        return best
