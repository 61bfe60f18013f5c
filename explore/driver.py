"""The loop of a study: ask, look up or compute, store, tell.

What is asked for depends on the study, its seed and the results alone, never on how many workers
there are or which of them is done first: points are asked for in batches of a fixed size, two
batches are under way at once, and a batch is told when it is complete, in the order it was asked.
Going on with a stopped sweep is the same loop: what is in the store is not computed again.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from archsim.base.errors import ConfigError, ResourceError
from archsim.explore.goals import Goals
from archsim.explore.pareto import dominates
from archsim.explore.problem import Infeasible, Job, Outcome, Problem
from archsim.explore.screen import Screening
from archsim.explore.search import Searcher
from archsim.explore.space import Point, Space
from archsim.explore.store import Record, Store
from archsim.explore.study import Budget
from archsim.explore.workers import Workers, infeasible_fields

__all__ = ["Driver", "Progress", "Watcher"]

_BATCHES = 2  # under way at once: workers do not idle at the end of one
_FRUITLESS = 20  # batches of known points only, after which a search has nothing more to say
_UNLUCKY = 8  # points that all fail before a sweep gives up
_PATIENCE_S = 0.1  # between looks at the clock and at the display


@dataclass(frozen=True)
class Progress:
    """What a watcher is shown.

    Attributes
    ----------
    phase
        ``search``, ``random`` or ``sensitivity``.
    done, total
        Points of the phase, those of incomplete batches included; the total is ``None`` where
        nobody knows.
    front
        The valid points that no other dominates, so far.
    """

    phase: str
    done: int
    total: int | None
    front: Sequence[Outcome]
    outcomes: Sequence[Outcome]


Watcher = Callable[[Progress], None]


@dataclass
class _Entry:
    """A point under way."""

    point: Point
    asked: int
    jobs: dict[str, Job] = field(default_factory=dict)
    records: dict[str, Record] = field(default_factory=dict)
    known: Outcome | None = None  # from an earlier phase: nothing to compute
    invalid: dict[str, Any] | None = None  # why the configuration itself cannot be
    cheap: Outcome | None = None
    reused: bool = True

    @property
    def complete(self) -> bool:
        return len(self.records) == len(self.jobs)


@dataclass
class _Batch:
    points: list[Point]
    entries: list[_Entry]
    promoted: bool = False


class Driver:
    """Runs the phases of a study on one store and one set of workers.

    Attributes
    ----------
    outcomes
        Every point so far, in the order in which they were told.
    """

    def __init__(self, space: Space, goals: Goals, problem: Problem, store: Store,
                 workers: Workers, watcher: Watcher,
                 screening: Screening | None = None):  # fmt: skip
        self._space, self._goals, self._problem = space, goals, problem
        self._store, self._workers, self._watcher = store, workers, watcher
        self._screening = screening
        self._waiting: dict[str, list[_Entry]] = {}  # job's key -> points that wait for it
        self.outcomes: list[Outcome] = []
        self._known: dict[str, Outcome] = {}
        self._front: list[Outcome] = []
        self._batches: list[_Batch] = []
        self._asked = 0
        self.ended = ""

    def run(self, source: str, searcher: Searcher, *, batch: int, budget: Budget,
            screened: bool = True) -> list[Outcome]:  # fmt: skip
        """Run one phase until its budget is spent or its searcher has no more; return its points.

        Points that an earlier phase has seen cost nothing and are returned, too. Without
        ``screened`` every point gets the full model.
        """
        self._phase, self._total = source, budget.points
        self._screens = screened and self._screening is not None
        self._mine: dict[str, Outcome] = {}
        self._started, self._stale = time.monotonic(), 0
        batches = self._batches = []
        fruitless, self.ended = 0, ""
        promised = 0  # points asked for, new to this phase
        while True:
            while not self.ended and len(batches) < _BATCHES:
                left = math.inf if budget.points is None else budget.points - promised
                points = searcher.ask(int(min(batch, left))) if left > 0 else []
                if not points:
                    break
                new = self._begin(points, source, batches)
                batches.append(new)
                count = len(new.entries)
                promised += count
                fruitless = 0 if count else fruitless + 1
                if fruitless >= _FRUITLESS:
                    self.ended = "the search asks for known points only"
            if not batches:
                break
            if self._finish(batches[0], source):
                first = batches.pop(0)
                self._check_luck()
                searcher.tell([self._mine[self._space.key(p)] for p in first.points])
                self._judge(budget)
            else:
                self._collect()
            self._show()
        self.ended = self.ended or (
            "the budget of points is spent" if budget.points and promised >= budget.points
            else "the search is complete"
        )  # fmt: skip
        self._show()
        return list(self._mine.values())

    # --- a batch: begin, promote, finish ----------------------------------------------------

    def _begin(self, points: list[Point], source: str, under_way: list[_Batch]) -> _Batch:
        entries: list[_Entry] = []
        taken = {self._space.key(e.point) for b in under_way for e in b.entries}
        for point in points:
            key = self._space.key(point)
            if key in self._mine or key in taken:
                continue
            taken.add(key)
            entry = _Entry(point, self._asked)
            self._asked += 1
            entries.append(entry)
            known = self._known.get(key)
            if known is None or (known.status == "screened" and not self._screens):
                self._order(entry, cheap=self._screens)
            else:
                entry.known = known
        return _Batch(points, entries, promoted=not self._screens)

    def _order(self, entry: _Entry, *, cheap: bool) -> None:
        """Find or start everything that a point needs."""
        entry.jobs, entry.records = {}, {}
        try:
            settings = self._space.settings(entry.point)
            if cheap and self._screening is not None:
                settings |= self._screening.settings
            entry.jobs = self._problem.jobs(settings)
        except ConfigError as error:
            entry.invalid = infeasible_fields(error)
            return
        except ValueError as error:  # a linked value that cannot be computed here
            entry.invalid = {"reason": str(error), "levers": []}
            return
        for name, job in entry.jobs.items():
            record = self._store.get(job.key)
            if record is not None:
                entry.records[name] = record
                continue
            entry.reused = False
            waiting = self._waiting.setdefault(job.key, [])
            if not waiting:
                self._workers.submit(job)
            waiting.append(entry)

    def _collect(self) -> None:
        """Take what workers have done."""
        for job, record in self._workers.wait(_PATIENCE_S):
            self._store.put(job.key, record)
            for entry in self._waiting.pop(job.key):
                for name, wanted in entry.jobs.items():
                    if wanted.key == job.key:
                        entry.records[name] = record

    def _finish(self, batch: _Batch, source: str) -> bool:
        """Bring a batch forward; return whether all its outcomes are there."""
        if not all(entry.complete for entry in batch.entries):
            return False
        if not batch.promoted:
            batch.promoted = True
            self._promote(batch)
            if not all(entry.complete for entry in batch.entries):
                return False
        for entry in batch.entries:
            key = self._space.key(entry.point)
            outcome = entry.known or self._outcome(entry, source)
            if self._screening is not None and entry.cheap is not None:
                self._screening.learn(entry.cheap, outcome)
            if entry.known is None:
                if key in self._known:  # it was screened only
                    self.outcomes.remove(self._known[key])
                self._known[key] = outcome
                self.outcomes.append(outcome)
            self._mine[key] = outcome
            self._stale = 0 if self._improves(outcome) else self._stale + 1
        return True

    def _promote(self, batch: _Batch) -> None:
        """Give the promising points of a screened batch to the full model."""
        assert self._screening is not None
        for entry in batch.entries:
            if entry.known is not None:
                continue
            cheap = self._outcome(entry, "screen")
            if cheap.status != "measured":
                continue  # what the cheap model cannot do, the full one cannot
            if self._screening.promotes(cheap, self._front):
                entry.cheap = cheap
                self._order(entry, cheap=False)
            else:
                entry.records = {n: {**r, "screened": True} for n, r in entry.records.items()}

    def _outcome(self, entry: _Entry, source: str) -> Outcome:
        at: dict[str, Any] = {"asked": entry.asked, "point": entry.point, "source": source,
                              "reused": entry.reused}  # fmt: skip
        if entry.invalid is not None:
            return Outcome(**at, status="infeasible",
                           infeasible=Infeasible.of({"infeasible": entry.invalid}))  # fmt: skip
        records = [entry.records[name] for name in entry.jobs]
        at["took_s"] = sum(record["took_s"] for record in records)
        for record in records:
            if record["status"] == "infeasible":
                return Outcome(**at, status="infeasible", infeasible=Infeasible.of(record))
        for record in records:
            if record["status"] == "failed":
                return Outcome(**at, status="failed", error=record["error"])
        columns = self._problem.columns({name: entry.records[name]["row"] for name in entry.jobs})
        values, violations = self._goals.judge(columns)
        screened = any(record.get("screened") for record in records)
        return Outcome(**at, status="screened" if screened else "measured", columns=columns,
                       values=values, violations=violations)  # fmt: skip

    def _check_luck(self) -> None:
        """Stop when the first points all failed: it is not them, and hours would be wasted."""
        if len(self.outcomes) >= _UNLUCKY and all(o.status == "failed" for o in self.outcomes):
            raise ResourceError(
                f"all of the first {len(self.outcomes)} points failed: {self.outcomes[0].error}",
                remedy="mend that; failed points are tried again",
            )

    # --- judging and showing ----------------------------------------------------------------

    def _improves(self, outcome: Outcome) -> bool:
        """Bring the front up to date; return whether it changed."""
        if not outcome.valid or outcome.values is None:
            return False
        new = outcome.values
        if any(o.values == new or dominates(o.values or (), new) for o in self._front):
            return False
        self._front = [o for o in self._front if not dominates(new, o.values or ())]
        self._front.append(outcome)
        return True

    def _judge(self, budget: Budget) -> None:
        if budget.no_improvement is not None and self._stale >= budget.no_improvement:
            self.ended = f"{self._stale} points in a row left the front as it was"
        if budget.time_s is not None and time.monotonic() - self._started >= budget.time_s:
            self.ended = f"the budget of {budget.time_s:g} s is spent"

    def _show(self) -> None:
        ready = sum(entry.complete for batch in self._batches for entry in batch.entries)
        done = len(self._mine) + ready
        self._watcher(Progress(self._phase, done, self._total, self._front, self.outcomes))
