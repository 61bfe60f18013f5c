"""Local refinement: the neighbours of the front, until it stays."""

from __future__ import annotations

from collections.abc import Sequence

from archsim.explore.pareto import dominates
from archsim.explore.problem import Outcome
from archsim.explore.search.sampling import Random
from archsim.explore.space import Point, Space

__all__ = ["Refine"]

#: shares of a continuous axis that neighbours lie apart: halved when the front stays
_DISTANCES = (0.1, 0.05, 0.025)


class Refine:
    """Draws points evenly first; then visits the neighbours of every point on the front.

    Where nothing new is left around the front, it looks nearer on continuous axes, and then ends.
    """

    def __init__(self, space: Space, seed: int, first: int):
        self._space, self._first = space, first
        self._random = Random(space, seed)
        self._seen: set[str] = set()
        self._front: list[Outcome] = []
        self._waiting = 0  # points asked for and not told
        self._level = 0

    def ask(self, count: int) -> list[Point]:
        """Return random points at first, then neighbours."""
        if self._first > 0:
            points = self._random.ask(min(count, self._first))
            self._first -= len(points)
        else:
            points = self._neighbours(count)
            while not points and not self._waiting and self._level + 1 < len(_DISTANCES):
                self._level += 1
                points = self._neighbours(count)
        self._seen.update(map(self._space.key, points))
        self._waiting += len(points)
        return points

    def tell(self, outcomes: Sequence[Outcome]) -> None:
        """Bring the front up to date."""
        self._waiting -= len(outcomes)
        for outcome in outcomes:
            if not outcome.valid or outcome.values is None:
                continue
            new = outcome.values
            if any(dominates(o.values or (), new) for o in self._front):
                continue
            self._front = [o for o in self._front if not dominates(new, o.values or ())]
            self._front.append(outcome)

    def _neighbours(self, count: int) -> list[Point]:
        found: dict[str, Point] = {}
        for outcome in self._front:
            for point in self._space.neighbours(outcome.point, _DISTANCES[self._level]):
                key = self._space.key(point)
                if key not in self._seen:
                    found.setdefault(key, point)
                if len(found) == count:
                    return list(found.values())
        return list(found.values())
