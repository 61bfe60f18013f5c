"""Study files: read, checked and everything they name looked up, before anything is computed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from archsim.base.errors import ConfigError
from archsim.base.problems import one_of
from archsim.base.shipped import find_yaml, list_shipped
from archsim.base.yaml_places import Places, apply_set, validate
from archsim.config import list_runs, read_run
from archsim.explore.axis import Axis
from archsim.explore.goals import Goals
from archsim.explore.search import make_searcher
from archsim.explore.space import Point, Space, SpaceError
from archsim.explore.study import StudyConfig
from archsim.summary import RATIOS, SUMMED
from archsim.sweep_problem import RunProblem, set_path
from archsim.traces.trace import Detail

__all__ = ["ResolvedStudy", "list_studies", "load_study", "study_schema"]

_PACKAGE = "archsim.configs.studies"
_MOST_CHECKED = 40  # values of a parameter that are tried on the base before the search

#: columns every system has a number for, and beginnings of those that depend on it
_COLUMNS = (*SUMMED, *RATIOS, "energy_delay_js", "psnr_db", "ssim", "dram_peak_bytes_per_s")
_FAMILIES = ("dram_bytes_by_stream", "energy_by_component_j", "share", "counts")


@dataclass(frozen=True)
class ResolvedStudy:
    """A study that is right: every path, value and column in it stands for something."""

    name: str
    config: StudyConfig
    space: Space
    goals: Goals
    problem: RunProblem


def list_studies() -> list[str]:
    """Return the names of the shipped studies, sorted."""
    return list_shipped(_PACKAGE)


def study_schema() -> dict[str, Any]:
    """Return the JSON Schema of study files."""
    schema = TypeAdapter(StudyConfig).json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def load_study(
    source: str | Path | Mapping[str, Any],
    *,
    assignments: Iterable[str] = (),
    seed: int | None = None,
) -> ResolvedStudy:
    """Read, change by ``--set`` assignments, and check a study.

    ``source`` is a path, the name of a shipped study, or the study itself. Raises
    :class:`ConfigError` for anything wrong in it: an empty or contradictory space, a path that
    the base does not have, a value that no configuration may have, an objective without a column.
    """
    name, data, places, folder = _read(source)
    data = apply_set(StudyConfig, data, places, assignments)
    if seed is not None and isinstance(data, dict):
        data = {**data, "seed": seed}
        places.overrides["seed",] = f"--seed {seed}"
    config: StudyConfig = validate(StudyConfig, data, places)
    try:
        space = Space(config.space, config.links)
        if config.search.kind == "grid":
            next(space.grid())
    except SpaceError as error:
        raise ConfigError(
            f"{'.'.join(error.where)}: {error.message}",
            place=places.of(error.where),
            remedy=error.remedy,
        ) from error
    problem = _problem(config, places, folder)
    _check_values(space, problem, places)
    if config.screen is not None:
        try:
            problem.check(config.screen.set)
        except ConfigError as error:
            raise ConfigError(f"screen.set: {error.message}", place=places.of(("screen", "set")),
                              remedy=error.remedy) from error  # fmt: skip
    systems = list(problem.config({}).systems)
    for where in ("objectives", "constraints"):
        for column in getattr(config, where):
            _check_column(column, systems, places, (where, column))
    for position, column in enumerate(config.show):
        _check_column(column, systems, places, ("show", position))
    for column, constraint in config.constraints.items():
        for side in ("at_least", "at_most"):
            if isinstance(bound := getattr(constraint, side), str):
                _check_column(bound, systems, places, ("constraints", column, side))
    try:
        make_searcher(config, space)  # what it needs is installed
    except ConfigError as error:
        raise ConfigError(error.message, place=places.of(("search", "kind")),
                          remedy=error.remedy) from error  # fmt: skip
    return ResolvedStudy(name, config, space, Goals(config.objectives, config.constraints), problem)


def _read(source: str | Path | Mapping[str, Any]) -> tuple[str, Any, Places, Path | None]:
    if isinstance(source, Mapping):
        return "study", dict(source), Places("study"), None
    return find_yaml(source, _PACKAGE, "study")


def _problem(config: StudyConfig, places: Places, folder: Path | None) -> RunProblem:
    base: str | Mapping[str, Any] | Path = config.base
    if isinstance(base, str) and folder is not None and (folder / base).is_file():
        base = folder / base
    try:
        _, data, base_places, base_folder = read_run(base)
    except ConfigError as error:
        if error.place is not None and error.place != str(config.base):
            raise
        raise ConfigError(f"base: {error.message}", place=places.of(("base",)),
                          remedy=f"give a run configuration: a file, or {', '.join(list_runs())}"
                          ) from error  # fmt: skip
    inline = not isinstance(base, str | Path)
    if inline:  # its lines are the study's
        base_places = Places(places.source)
    for path, value in config.set.items():
        place = f"{places.of(('set', path))}: set.{path}"
        data = set_path(data, base_places, path, value, place)
    bounds = [b for c in config.constraints.values() for b in (c.at_least, c.at_most)]
    asked = [*config.objectives, *config.constraints, *config.show, *map(str, bounds)]
    detail: Detail = "full" if any(".counts." in column for column in asked) else "work"
    return RunProblem(data, base_places, folder if inline else base_folder, detail)


def _check_values(space: Space, problem: RunProblem, places: Places) -> None:
    problem.check({})
    for name, axis in space.axes.items():
        for value in _tried(axis):
            point = _reaching(space, name, value)
            if not space.exists(name, point):
                continue  # its conditions exclude each other along the way
            try:
                problem.check(space.settings(point))
            except (ConfigError, ValueError) as error:
                message = error.message if isinstance(error, ConfigError) else str(error)
                raise ConfigError(
                    f"space.{name}: {value!r} cannot be set: {message}",
                    place=places.of(("space", name)),
                    remedy=error.remedy if isinstance(error, ConfigError) else None,
                ) from error


def _tried(axis: Axis) -> list[Any]:
    if axis.levels is None:
        return list(axis.span)
    levels = axis.levels
    return levels if len(levels) <= _MOST_CHECKED else [levels[0], levels[-1]]


def _reaching(space: Space, name: str, value: Any) -> Point:
    """Return a point with this value: conditions met, everything else at its first value."""
    wanted: dict[str, Any] = {name: value}
    left = [name]
    while left:
        for other, values in space.axes[left.pop()].parameter.when.items():
            if other not in wanted:
                wanted[other] = values[0]
                left.append(other)
    return space.choose(lambda axis: wanted[axis.name] if axis.name in wanted else axis.at(0.0))


def _check_column(
    column: str, systems: list[str], places: Places, path: tuple[str | int, ...]
) -> None:
    system, _, what = column.partition(".")
    shown = path[0]
    if system not in systems:
        raise ConfigError(
            f"{shown}: {column!r} begins with no system of the base",
            place=places.of(path),
            remedy=f"write SYSTEM.COLUMN; {one_of(system, systems)}",
        )
    bounded = what.removesuffix("_low").removesuffix("_high")
    if what.partition(".")[0] in _FAMILIES or bounded in _COLUMNS:
        return
    raise ConfigError(f"{shown}: no result has a column {what!r}", place=places.of(path),
                      remedy=one_of(what, [*_COLUMNS, *(f"{f}." for f in _FAMILIES)]))  # fmt: skip
