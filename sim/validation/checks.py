"""The checks of a part, and how a validation runs them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from archsim.sim.validation.deviations import Deviation, explain
from archsim.sim.validation.inputs import Inputs, MissingInputError
from archsim.sim.validation.row import Row, skipped

__all__ = ["Check", "run_checks", "unexplained"]


@dataclass(frozen=True)
class Check:
    """Some comparisons that need the same inputs.

    Attributes
    ----------
    part
        The part it belongs to.
    title
        What is held against what; the case of the row that says the check was skipped.
    rows
        Yields the rows; raises :class:`MissingInputError` when an input is not there.
    """

    part: str
    title: str
    rows: Callable[[Inputs], Iterator[Row]]


def run_checks(
    checks: Iterable[Check], inputs: Inputs, entries: Iterable[Deviation]
) -> Iterator[Row]:
    """Yield the rows of the checks as they come, misses with the deviation that explains them."""
    known = tuple(entries)
    for check in checks:
        inputs.progress(f"{check.part}: {check.title}")
        try:
            for row in check.rows(inputs):
                yield explain(row, known)
        except MissingInputError as missing:
            yield skipped(check.part, check.title, "everything", str(missing))


def unexplained(rows: Iterable[Row]) -> list[Row]:
    """Return the misses that no known deviation explains."""
    return [row for row in rows if row.verdict == "miss" and row.deviation is None]
