"""Optuna's samplers (NSGA-II, TPE, Gaussian process) behind our ask-and-tell protocol.

Optuna's study lives in memory and only for the search: what is kept is our own store.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from archsim.base.errors import ConfigError
from archsim.explore.axis import Axis
from archsim.explore.problem import Outcome
from archsim.explore.space import Point, Space
from archsim.explore.study import StudyConfig

__all__ = ["OptunaSearch"]

#: name of the constraint that stands for being feasible at all, beside the study's own
_FITS = "fits"


class OptunaSearch:
    """Asks an Optuna sampler.

    Numbers are told to it by their position among the parameter's values, which keeps their order;
    values without order are categories. An infeasible point counts as a violated constraint, by
    the share of the bound that is missing; a failed one is told as failed.
    """

    def __init__(self, space: Space, study: StudyConfig):
        self._optuna = optuna = _import()
        self._space = space
        self._constraints = list(study.constraints)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            self._study = optuna.create_study(
                directions=["minimize"] * len(study.objectives),
                sampler=_sampler(optuna, study.search, study.seed),
            )
        self._trials: dict[str, list[Any]] = {}  # point's key -> trials not told, oldest first
        self._worst: list[float] = []

    def ask(self, count: int) -> list[Point]:
        """Return the sampler's next points."""
        points = []
        for _ in range(count):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # fallbacks and experimental parts of Optuna
                trial = self._study.ask()
                point = self._space.choose(lambda axis, trial=trial: _suggest(trial, axis))  # type: ignore[misc]
            self._trials.setdefault(self._space.key(point), []).append(trial)
            points.append(point)
        return points

    def tell(self, outcomes: Sequence[Outcome]) -> None:
        """Tell the sampler values and violations."""
        for outcome in outcomes:
            waiting = self._trials.get(self._space.key(outcome.point))
            if not waiting:
                continue
            trial = waiting.pop(0)
            if outcome.status == "failed":
                self._study.tell(trial, state=self._optuna.trial.TrialState.FAIL)
                continue
            if outcome.values is not None:
                values = list(outcome.values)
                self._worst = [max(a, b) for a, b in zip(self._worst or values, values)]
            else:  # ranked by its violation alone, as constraints come first
                values = self._worst or [0.0] * len(self._study.directions)
            violations = outcome.violations or (0.0,) * len(self._constraints)
            trial.set_constraint(_FITS, _missing(outcome))
            for name, violation in zip(self._constraints, violations):
                trial.set_constraint(name, violation)
            self._study.tell(trial, values)


def _missing(outcome: Outcome) -> float:
    """Return the share of the bound that an infeasible point lacks; 0 for a feasible one."""
    if outcome.infeasible is None:
        return 0.0
    gap, bound = outcome.infeasible.gap, outcome.infeasible.bound
    return gap / bound if gap and bound else 1.0


def _suggest(trial: Any, axis: Axis) -> Any:
    if axis.levels is None:
        low, high = axis.span
        return trial.suggest_float(axis.name, low, high, log=axis.log)
    last = len(axis.levels) - 1
    if axis.ordered:
        return axis.levels[trial.suggest_int(axis.name, 0, last)]
    return axis.levels[trial.suggest_categorical(axis.name, list(range(last + 1)))]


def _sampler(optuna: Any, search: Any, seed: int) -> Any:
    samplers = optuna.samplers
    if search.kind == "nsga2":
        return samplers.NSGAIISampler(population_size=search.population, seed=seed)
    if search.kind == "tpe":
        return samplers.TPESampler(n_startup_trials=search.first, seed=seed)
    try:
        import torch  # noqa: F401  (what the sampler needs, and imports late)
    except ModuleNotFoundError as error:
        raise ConfigError(
            "a gp search needs PyTorch, which is not installed",
            place="search.kind",
            remedy="pip install 'archsim[gp]', or search: {kind: tpe}",
        ) from error
    return samplers.GPSampler(
        n_startup_trials=search.first, seed=seed, deterministic_objective=True
    )


def _import() -> Any:
    try:
        import optuna
    except ModuleNotFoundError as error:
        raise ConfigError(
            "nsga2, tpe and gp searches need Optuna, which is not installed",
            place="search.kind",
            remedy="pip install 'archsim[search]', or search: {kind: refine}",
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna
