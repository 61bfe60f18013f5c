"""Known deviations: misses that are understood, with their size and their cause.

``deviations.yaml`` is the list; ``DEVIATIONS.md`` is made from it by
``python -m archsim.sim.validation.deviations > DEVIATIONS.md``. A miss is explained when an entry
names its part, case and quantity and its error lies in the entry's range: a deviation that grows
is a new miss. Tests fail when an entry's rows no longer miss.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import cache
from importlib import resources

from pydantic import BaseModel, ConfigDict, Field, model_validator

from archsim.base.yaml_places import parse_yaml, validate
from archsim.sim.validation.row import Row

__all__ = ["Deviation", "deviations", "explain", "markdown", "read_deviations"]


_HEAD = (
    "# Known deviations",
    "",
    "Where archsim differs from a reference by more than the tolerance of its claim, and why.",
    "Made from `sim/validation/deviations.yaml`. `archsim validate` accepts a miss only when it is",
    "listed here with an error in the stated range; tests fail when a gap closes. Errors are",
    "ours / reference - 1 in per cent where a claim's tolerance is relative, else differences in",
    "the unit given.",
    "",
    "| id | part | cases | quantity | measured deviation | cause |",
    "|---|---|---|---|---|---|",
)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Deviation(_Part):
    """One known deviation."""

    id: str
    part: str
    cases: list[str] = Field(min_length=1, description="cases, with * and ? as in file names")
    quantity: str
    errors: tuple[float, float] = Field(
        description="smallest and largest measured error: a share where the tolerance is "
        "relative, else a difference in ``unit``"
    )
    unit: str | None = Field(None, description="of errors that are differences")
    cause: str

    @model_validator(mode="after")
    def _ordered(self) -> Deviation:
        if self.errors[0] > self.errors[1]:
            raise ValueError("errors go from the smallest to the largest")
        return self

    def names(self, row: Row) -> bool:
        """Return whether the entry is about this row."""
        return (
            row.part == self.part
            and row.quantity == self.quantity
            and any(fnmatchcase(row.case, pattern) for pattern in self.cases)
        )

    def explains(self, row: Row) -> bool:
        """Return whether the entry is about this row, its miss, and an error of this size."""
        return (
            row.verdict == "miss"
            and row.error is not None
            and self.errors[0] <= row.error <= self.errors[1]
            and self.names(row)
        )


class _Deviations(_Part):
    deviations: list[Deviation]

    @model_validator(mode="after")
    def _unique(self) -> _Deviations:
        ids = [entry.id for entry in self.deviations]
        if len(set(ids)) < len(ids):
            raise ValueError("two deviations have the same id")
        return self


def read_deviations(text: str, name: str) -> tuple[Deviation, ...]:
    """Return the entries of a YAML text; wrong keys and values name ``name`` and the line."""
    data, places = parse_yaml(text, name)
    found: _Deviations = validate(_Deviations, data, places)
    return tuple(found.deviations)


@cache
def deviations() -> tuple[Deviation, ...]:
    """Return the shipped entries."""
    file = resources.files("archsim.sim.validation").joinpath("deviations.yaml")
    return read_deviations(file.read_text(encoding="utf-8"), "validation/deviations.yaml")


def explain(row: Row, entries: Iterable[Deviation]) -> Row:
    """Return the row with the id of the first entry that explains it, if any does."""
    for entry in entries:
        if entry.explains(row):
            return replace(row, deviation=entry.id)
    return row


def markdown(entries: Iterable[Deviation]) -> str:
    """Return the text of ``DEVIATIONS.md``."""
    lines = [*_HEAD]
    for entry in entries:
        cases = "<br>".join(f"`{case}`" for case in entry.cases)
        cause = " ".join(entry.cause.split())
        lines.append(
            f"| {entry.id} | {entry.part} | {cases} | {entry.quantity} | {_span(entry)} | {cause} |"
        )
    return "\n".join(lines) + "\n"


def _span(entry: Deviation) -> str:
    low, high = entry.errors
    if entry.unit is None:
        return f"{100 * low:+.1f} to {100 * high:+.1f} %"
    return f"{low:+g} to {high:+g} {entry.unit}".rstrip()


if __name__ == "__main__":
    print(markdown(deviations()), end="")
