"""What a study needs of the thing it explores, and what comes back of a point."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from archsim.explore.space import Point
from archsim.explore.store import Record

__all__ = ["Infeasible", "Job", "Outcome", "Problem", "Status"]

Status = Literal["measured", "screened", "infeasible", "failed"]


@dataclass(frozen=True)
class Job:
    """A part of a point that is computed and stored by itself, such as one of its systems.

    Attributes
    ----------
    key
        Hash of everything that the record depends on beside the models' sources.
    payload
        What a worker is handed; can be pickled.
    """

    key: str
    payload: Any


class Problem(Protocol):
    """What is explored.

    Attributes
    ----------
    version
        Hash of the sources that records depend on.
    evaluate
        Called in a worker with a job's payload: returns the record's row, JSON-able. A module's
        function, so that it can be pickled. What it raises is recorded:
        :class:`~archsim.base.errors.ConfigError` as infeasible, anything else as failed.
    """

    version: str
    evaluate: Callable[[Any], dict[str, Any]]

    def jobs(self, settings: Mapping[str, Any]) -> dict[str, Job]:
        """Return the jobs of a point by name.

        Raises :class:`~archsim.base.errors.ConfigError` where it is no valid configuration.
        """
        ...

    def columns(self, rows: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        """Return a point's result columns from the rows of its jobs."""
        ...


@dataclass(frozen=True)
class Infeasible:
    """Why a point cannot be: what was asked of which bound, and what closes the gap."""

    reason: str
    place: str | None = None
    demand: float | None = None
    bound: float | None = None
    unit: str | None = None
    levers: tuple[str, ...] = ()

    @property
    def gap(self) -> float | None:
        """How much is missing, in ``unit``."""
        if self.demand is None or self.bound is None:
            return None
        return self.demand - self.bound

    @staticmethod
    def of(record: Record) -> Infeasible:
        """Return what a record says."""
        return Infeasible(
            **{**record["infeasible"], "levers": tuple(record["infeasible"]["levers"])}
        )


@dataclass(frozen=True)
class Outcome:
    """One point of a study and what became of it.

    Attributes
    ----------
    asked
        Position in the order in which points were asked for, from 0.
    source
        ``search``, ``random`` (the search compared with) or ``sensitivity``.
    status
        ``measured``; ``screened``: seen by the cheap model only; ``infeasible``; ``failed``.
    columns
        Result columns; of the cheap model when screened, empty when infeasible or failed.
    values
        Objectives as numbers to minimize; ``None`` when there are none.
    violations
        By how much each constraint is missed, 0 when it is kept; empty without columns.
    reused
        Whether everything came from the store.
    took_s
        Computing time of its jobs, wherever they ran and whenever.
    """

    asked: int
    point: Point
    source: str
    status: Status
    columns: Mapping[str, Any] = field(default_factory=dict)
    values: tuple[float, ...] | None = None
    violations: tuple[float, ...] = ()
    infeasible: Infeasible | None = None
    error: str | None = None
    reused: bool = False
    took_s: float = 0.0

    @property
    def valid(self) -> bool:
        """Whether the point may be on the front: measured, and every constraint kept."""
        return self.status == "measured" and not any(self.violations)
