"""The reference figures that the package ships (``figures.yaml``), each with its source."""

from __future__ import annotations

from functools import cache
from importlib import resources

from pydantic import BaseModel, ConfigDict, Field, model_validator

from archsim.base.yaml_places import parse_yaml, validate
from archsim.sim.validation.row import Row, Tolerance, compare

__all__ = ["Figure", "Figures", "figures", "read_figures"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Figure(_Part):
    """One reference figure; see :class:`~archsim.sim.validation.row.Row` for the words."""

    part: str
    case: str
    quantity: str
    value: float
    unit: str = ""
    within: float | None = Field(None, ge=0, description="relative error that passes, either way")
    below: float | None = Field(
        None, ge=0, description="relative amount it may be missed from below"
    )
    off_by: float | None = Field(None, ge=0, description="absolute error that passes, either way")
    source: str = Field(description="a key of the file's sources")

    @model_validator(mode="after")
    def _one_tolerance(self) -> Figure:
        if sum(t is not None for t in (self.within, self.below, self.off_by)) != 1:
            raise ValueError("give one of within, below and off_by")
        return self

    @property
    def tolerance(self) -> Tolerance:
        """The errors that pass."""
        if self.within is not None:
            return Tolerance.within(self.within)
        if self.below is not None:
            return Tolerance.below(self.below)
        assert self.off_by is not None  # the schema wants one of the three
        return Tolerance.absolute(self.off_by)


class Figures(_Part):
    """All shipped figures and their sources."""

    sources: dict[str, str]
    figures: list[Figure]

    @model_validator(mode="after")
    def _consistent(self) -> Figures:
        used = {figure.source for figure in self.figures}
        if used != set(self.sources):
            raise ValueError(f"sources and figures disagree on {sorted(used ^ set(self.sources))}")
        keys = [(figure.part, figure.case, figure.quantity) for figure in self.figures]
        if len(set(keys)) < len(keys):
            raise ValueError("a figure is listed twice")
        return self

    def of(self, part: str, quantity: str | None = None) -> list[Figure]:
        """Return the figures of a part, of one quantity if given."""
        return [
            figure
            for figure in self.figures
            if figure.part == part and quantity in (None, figure.quantity)
        ]

    def compare(self, figure: Figure, ours: float, *, case: str | None = None) -> Row:
        """Return the row that holds ``ours`` against a figure."""
        return compare(
            figure.part,
            case or figure.case,
            figure.quantity,
            reference=figure.value,
            ours=ours,
            source=self.sources[figure.source],
            tolerance=figure.tolerance,
            unit=figure.unit,
        )


def read_figures(text: str, name: str) -> Figures:
    """Return the figures of a YAML text; wrong keys and values name ``name`` and the line."""
    data, places = parse_yaml(text, name)
    found: Figures = validate(Figures, data, places)
    return found


@cache
def figures() -> Figures:
    """Return the shipped figures."""
    file = resources.files(__package__ or "").joinpath("figures.yaml")
    return read_figures(file.read_text(encoding="utf-8"), "validation/figures.yaml")
