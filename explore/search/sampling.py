"""Points spread over a space without looking at results: random, Sobol, Latin hypercube."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from archsim.base.errors import ConfigError
from archsim.explore.problem import Outcome
from archsim.explore.space import Point, Space

__all__ = ["LatinHypercube", "Random", "Sobol"]


class _Sampling:
    """Points at rows of shares in [0, 1), one column per parameter."""

    def __init__(self, space: Space):
        self._space = space

    def ask(self, count: int) -> list[Point]:
        """Return the next points."""
        names = list(self._space.axes)
        return [self._space.at(dict(zip(names, row))) for row in self._rows(count)]

    def tell(self, outcomes: Sequence[Outcome]) -> None:
        """Nothing is learnt."""

    def _rows(self, count: int) -> list[list[float]]:
        raise NotImplementedError


class Random(_Sampling):
    """Points drawn evenly and independently."""

    def __init__(self, space: Space, seed: int):
        super().__init__(space)
        self._random = np.random.default_rng(seed)

    def _rows(self, count: int) -> list[list[float]]:
        return self._random.random((count, len(self._space))).tolist()  # type: ignore[no-any-return]


class Sobol(_Sampling):
    """A Sobol sequence with Owen's scrambling (scipy)."""

    def __init__(self, space: Space, seed: int):
        super().__init__(space)
        self._engine = _qmc().Sobol(len(space), scramble=True, rng=np.random.default_rng(seed))

    def _rows(self, count: int) -> list[list[float]]:
        # one by one: scipy warns of blocks that are no power of two, and a sequence is a sequence
        return [self._engine.random(1)[0].tolist() for _ in range(count)]


class LatinHypercube(_Sampling):
    """One Latin hypercube of so many points (scipy)."""

    def __init__(self, space: Space, seed: int, points: int):
        super().__init__(space)
        rng = np.random.default_rng(seed)
        self._left = _qmc().LatinHypercube(len(space), rng=rng).random(points).tolist()

    def _rows(self, count: int) -> list[list[float]]:
        rows, self._left = self._left[:count], self._left[count:]
        return rows  # type: ignore[no-any-return]


def _qmc() -> Any:
    try:
        from scipy.stats import qmc
    except ModuleNotFoundError as error:
        raise ConfigError(
            "sobol and latin-hypercube searches need scipy, which is not installed",
            place="search.kind",
            remedy="pip install 'archsim[search]', or search: {kind: random}",
        ) from error
    return qmc
