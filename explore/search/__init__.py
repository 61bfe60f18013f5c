"""Searchers: which points to look at next, behind one ask-and-tell protocol."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from archsim.explore.problem import Outcome
from archsim.explore.space import Point, Space
from archsim.explore.study import StudyConfig

if TYPE_CHECKING:
    from typing import Any

__all__ = ["Searcher", "make_searcher"]


class Searcher(Protocol):
    """Chooses points.

    What it asks for depends on the seed and on what it was told, in order, and on nothing else.
    """

    def ask(self, count: int) -> list[Point]:
        """Return the next points, ``count`` at most; none when the search is over for now.

        The same point may come again; it is answered from memory.
        """
        ...

    def tell(self, outcomes: Sequence[Outcome]) -> None:
        """Take note of what became of points, in the order in which they were asked for."""
        ...


def make_searcher(study: StudyConfig, space: Space) -> Searcher:
    """Return the searcher that a study names; imports what it needs."""
    search: Any = study.search
    if search.kind == "grid":
        from archsim.explore.search.grid import Grid

        return Grid(space)
    if search.kind == "random":
        from archsim.explore.search.sampling import Random

        return Random(space, study.seed)
    if search.kind == "sobol":
        from archsim.explore.search.sampling import Sobol

        return Sobol(space, study.seed)
    if search.kind == "latin-hypercube":
        from archsim.explore.search.sampling import LatinHypercube

        assert study.budget.points is not None  # the study's own check
        return LatinHypercube(space, study.seed, study.budget.points)
    if search.kind == "refine":
        from archsim.explore.search.refine import Refine

        return Refine(space, study.seed, search.first)
    from archsim.explore.search.optuna_search import OptunaSearch

    return OptunaSearch(space, study)
