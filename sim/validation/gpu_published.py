"""GPU figures published as single points or small tables (``gpu_published.yaml``)."""

from __future__ import annotations

from functools import cache
from typing import Literal

from pydantic import BaseModel, ConfigDict, model_validator

from archsim.base.shipped import read_shipped
from archsim.base.yaml_places import validate
from archsim.sim.validation.gpu_measured import role_of

__all__ = ["JetsonFigure", "Prefill", "Published", "published"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PrefillRow(_Part):
    """Time to the first token for one prompt."""

    tokens: int
    seconds: float
    role: Literal["fit", "check"]


class Prefill(_Part):
    """A table of prefill times."""

    source: str
    machine: str
    rows: list[PrefillRow]

    @model_validator(mode="after")
    def _split_by_the_rule(self) -> Prefill:
        if any(row.role != role_of(index) for index, row in enumerate(self.rows)):
            raise ValueError("even rows are fitted and odd ones checked")
        return self


class JetsonFigure(_Part):
    """One figure measured on a Jetson module in a power mode."""

    machine: str
    mode: str
    quantity: str
    value: float
    unit: str
    role: Literal["fit", "check"]
    source: str


class Host(_Part):
    """Host time that measurements hold beside the kernels."""

    source: str
    call_us: dict[str, float]
    prefill_us_per_token: float


class Published(_Part):
    """All of them, with their sources."""

    sources: dict[str, str]
    prefill: Prefill
    jetson: list[JetsonFigure]
    host: Host

    @model_validator(mode="after")
    def _sources_are_those_used(self) -> Published:
        used = {self.prefill.source, *(figure.source for figure in self.jetson)}
        if used != set(self.sources):
            raise ValueError(f"sources and figures disagree on {sorted(used ^ set(self.sources))}")
        return self


@cache
def published() -> Published:
    """Return the shipped figures."""
    shipped = read_shipped("archsim.sim.validation", "gpu_published")
    found: Published = validate(Published, *shipped)
    return found
