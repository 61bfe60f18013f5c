"""Every point of a space."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from archsim.explore.problem import Outcome
from archsim.explore.space import Point, Space

__all__ = ["Grid"]


class Grid:
    """All points in order, the last parameter fastest."""

    def __init__(self, space: Space):
        self._points = space.grid()

    def ask(self, count: int) -> list[Point]:
        """Return the next points."""
        return list(itertools.islice(self._points, count))

    def tell(self, outcomes: Sequence[Outcome]) -> None:
        """Nothing is learnt: all are visited."""
