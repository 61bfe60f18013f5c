"""The Python API of studies: ``archsim.sweep(study)`` and the :class:`Study` it returns."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from archsim.base.errors import ConfigError
from archsim.base.hashing import hash_data
from archsim.base.jit import cache_dir
from archsim.explore.driver import Driver, Progress, Watcher
from archsim.explore.fleets import cores, on_cluster, on_processes
from archsim.explore.pareto import front, middle
from archsim.explore.problem import Outcome
from archsim.explore.screen import Screening
from archsim.explore.search import make_searcher
from archsim.explore.search.sampling import Random
from archsim.explore.space import Point
from archsim.explore.store import Store
from archsim.explore.study import Budget
from archsim.explore.workers import Fleet, Workers
from archsim.study_file import ResolvedStudy, load_study
from archsim.sweep_folder import begin_folder, write_results

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Study", "sweep"]

#: added to a study's seed for the random points that its search is compared with
_RANDOM_SEED = 1_000_003


@dataclass(frozen=True)
class Study:
    """What a sweep found.

    Attributes
    ----------
    resolved
        The study as read.
    outcomes
        Every point, sorted by its parameters.
    manifest
        How it came about: study, versions, counts, why it ended.
    phases
        ``search``, ``random`` and ``sensitivity``: their points in the order of their being told;
        a point may belong to several.
    center
        The point whose neighbours were evaluated: the front's middle before they were.
    folder
        Where it was written, ``None`` when it was not.
    notes
        What a user should know: points from the store, damaged records, workers that died.
    """

    resolved: ResolvedStudy = field(repr=False)
    outcomes: list[Outcome] = field(repr=False)
    manifest: dict[str, Any] = field(repr=False)
    phases: dict[str, list[Outcome]] = field(default_factory=dict, repr=False)
    center: Outcome | None = None
    folder: Path | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def front(self) -> list[Outcome]:
        """The points that keep every constraint and that no other such point dominates."""
        valid = [o for o in self.outcomes if o.valid]
        if not valid:
            return []
        keep = front(np.array([o.values for o in valid], np.float64))
        return [o for o, on_it in zip(valid, keep) if on_it]

    @property
    def middle(self) -> Outcome | None:
        """The front's point nearest to the best of every objective."""
        found = self.front
        return found[middle(np.array([o.values for o in found]))] if found else None

    def to_pandas(self) -> pd.DataFrame:
        """Return all points, one row each, as ``points.parquet`` has them."""
        from archsim.sweep_table import points_table

        table: pd.DataFrame = points_table(self).to_pandas()
        return table

    def configuration(self, outcome: Outcome) -> dict[str, Any]:
        """Return the run configuration of a point, for :func:`archsim.run` or a file."""
        return self.resolved.problem.data(self.resolved.space.settings(outcome.point))

    def report(self, path: str | Path) -> Path:
        """Write the report, one HTML file that needs nothing else, and return its path."""
        from archsim.sweep_report import render_study

        target = Path(path)
        target.write_text(render_study(self), encoding="utf-8")
        return target


def sweep(
    study: str | Path | Mapping[str, Any],
    *,
    set: Mapping[str, Any] | Iterable[str] = (),
    out: str | Path | None = None,
    store: str | Path | None = None,
    jobs: int | None = None,
    cluster: str | None = None,
    fleet: AbstractContextManager[Fleet] | None = None,
    resume: bool = False,
    seed: int | None = None,
    watcher: Watcher | None = None,
    command: list[str] | None = None,
) -> Study:
    """Run a study and return what it found.

    Parameters
    ----------
    study
        A YAML file, the name of a shipped study, or the study as a mapping.
    set
        Changes: ``{"budget.points": 100}`` or ``["budget.points=100"]``.
    out
        Folder for table, report and best configurations; nothing is written without it.
    store
        Folder of the store; the user's cache without it.
    jobs
        Local worker processes; as many as there are cores without it.
    cluster
        Address of a Dask scheduler, in place of local processes.
    fleet
        Where jobs run, in place of both: :func:`archsim.explore.fleets.here` runs them in this
        process.
    resume
        Go on with the sweep in ``out``; without it, an earlier one there is an error.
    seed
        In place of the study's.
    watcher
        Told of the progress; the command line shows it.
    command
        For the manifest: the command that asked for this sweep.

    Local processes are spawned: in a script, call this below ``if __name__ == "__main__":``.
    Raises :class:`archsim.base.errors.ArchsimError`; each kind says what to do about it.
    """
    started, clock = datetime.now(UTC), time.monotonic()
    assignments = (
        [f"{path}={json.dumps(value)}" for path, value in set.items()]
        if isinstance(set, Mapping) else list(set)
    )  # fmt: skip
    if cluster is not None and jobs is not None:
        raise ConfigError("both given", place="--jobs and --cluster",
                          remedy="a cluster's workers are as many as were started")  # fmt: skip
    resolved = load_study(study, assignments=assignments, seed=seed)
    identity = hash_data({"study": resolved.config.model_dump(mode="json"),
                          "base": resolved.problem.data({})})  # fmt: skip
    folder = None if out is None else Path(out)
    where = Path(store) if store is not None else cache_dir() / "results"
    if folder is not None:
        begin_folder(folder, identity, resolved.problem.version, resume=resume)
    label = str(folder.absolute()) if folder is not None else identity
    segment = f"{_plain(resolved.name)}-{hash_data(label)[:12]}"
    if fleet is None:
        fleet = on_cluster(cluster) if cluster is not None else on_processes(jobs or cores())
    with Store(where, resolved.problem.version, segment) as kept, fleet as workplace:
        workers = Workers(workplace, resolved.problem.evaluate)
        phases, ends, screening, center = _search(resolved, kept, workers, watcher or _ignore)
    unique = {resolved.space.key(o.point): o for points in phases.values() for o in points}
    outcomes = sorted(unique.values(), key=lambda o: resolved.space.rank(o.point))
    manifest = {
        "schema": "archsim-study-1", "name": resolved.name, "identity": identity,
        "study": resolved.config.model_dump(mode="json"), "ended": ends,
        "models_sha256": resolved.problem.version, "store": str(kept.path), "command": command,
        "started": started.isoformat(timespec="seconds"),
        "took_s": round(time.monotonic() - clock, 3),
        "screening": screening and {"seen": screening.seen, "promoted": screening.promoted,
                                    "full_to_cheap": screening.error},
    }  # fmt: skip
    notes = [*kept.notes, *_notes(outcomes, workers)]
    found = Study(resolved, outcomes, manifest, phases, center, folder, notes)
    if folder is not None:
        write_results(found, folder)
    return found


def _search(
    resolved: ResolvedStudy, store: Store, workers: Workers, watcher: Watcher
) -> tuple[dict[str, list[Outcome]], dict[str, str], Screening | None, Outcome | None]:
    """Run the search, the random points beside it, and the neighbours of the front's middle."""
    config, space = resolved.config, resolved.space
    screening = Screening(config.screen, resolved.goals) if config.screen is not None else None
    driver = Driver(space, resolved.goals, resolved.problem, store, workers, watcher, screening)
    batch = config.search.batch
    phases, ends = {}, {}
    searcher = make_searcher(config, space)
    phases["search"] = driver.run("search", searcher, batch=batch, budget=config.budget)
    ends["search"] = driver.ended
    if config.compare_random:
        random = Random(space, config.seed + _RANDOM_SEED)
        budget = Budget(points=config.compare_random)
        phases["random"] = driver.run("random", random, batch=batch, budget=budget, screened=False)
        ends["random"] = driver.ended
    best = Study(resolved, driver.outcomes, {}).middle
    if config.sensitivity and best is not None:
        around = _Listed(space.neighbours(best.point))
        phases["sensitivity"] = driver.run(
            "sensitivity", around, batch=batch, budget=Budget(), screened=False
        )
    return phases, ends, screening, best


class _Listed:
    """A searcher that asks for given points."""

    def __init__(self, points: list[Point]):
        self._points = points

    def ask(self, count: int) -> list[Point]:
        points, self._points = self._points[:count], self._points[count:]
        return points

    def tell(self, outcomes: Any) -> None:
        """Nothing is learnt."""


def _notes(outcomes: list[Outcome], workers: Workers) -> list[str]:
    notes = []
    reused = sum(o.reused for o in outcomes)
    if reused:
        notes.append(f"{reused} of {len(outcomes)} points from the store")
    if workers.deaths:
        notes.append(f"warning: workers died {workers.deaths} times; their points ran again")
    failed = [o for o in outcomes if o.status == "failed"]
    if failed:
        notes.append(f"warning: {len(failed)} points failed, such as {failed[0].point}: "
                     f"{failed[0].error}")  # fmt: skip
    return notes


def _plain(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in name)


def _ignore(progress: Progress) -> None:
    """Take no notice."""
