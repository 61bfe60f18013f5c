"""The study file: what is searched, for what, under which constraints, and for how long."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from archsim.base.errors import ConfigError
from archsim.base.units import parse_quantity
from archsim.explore.axis import Parameter

__all__ = ["Budget", "Constraint", "Goal", "Screen", "Search", "StudyConfig"]

Goal = Literal["minimize", "maximize"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _seconds(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = value.strip()
    for unit, seconds in (("min", 60.0), ("h", 3600.0), ("d", 86400.0)):
        number = text.removesuffix(unit).strip()
        if text.endswith(unit) and number.replace(".", "", 1).isdigit():
            return float(number) * seconds
    try:
        return parse_quantity(text, "time")
    except ConfigError as error:
        raise ValueError(f"{error.message}; or min, h, d") from error


class Constraint(_Part):
    """A bound on a result column; a point outside is measured, but never on the front."""

    at_least: float | str | None = Field(
        default=None, description="a number, or another column. Example: 30"
    )
    at_most: float | str | None = Field(
        default=None, description="a number, or another column. Example: gscore.area_mm2"
    )
    slack: float = Field(
        default=0.0, ge=0, description="share of the bound that may be missed. Example: 0.05"
    )

    @model_validator(mode="after")
    def _bounds_something(self) -> Constraint:
        if self.at_least is None and self.at_most is None:
            raise ValueError("expected at_least or at_most, found neither")
        low, high = self.at_least, self.at_most
        if isinstance(low, (int, float)) and isinstance(high, (int, float)) and low > high:
            raise ValueError(f"at_least {low:g} and at_most {high:g} exclude everything")
        return self


class Budget(_Part):
    """When the search ends; whichever comes first. A grid ends by itself."""

    points: int | None = Field(
        default=None, ge=1, description="points evaluated, infeasible ones included. Example: 300"
    )
    time_s: Annotated[
        float | None, BeforeValidator(_seconds, json_schema_input_type=float | str | None)
    ] = Field(default=None, gt=0, description="wall-clock time. Example: 30 min")
    no_improvement: int | None = Field(
        default=None, ge=1, description="points in a row that leave the front as it is. Example: 60"
    )


class _Search(_Part):
    batch: int = Field(
        default=16,
        ge=1,
        description="points asked for at once; what is found depends on it, not on the workers",
    )


class GridSearch(_Search):
    """Every point of the space."""

    kind: Literal["grid"] = "grid"


class RandomSearch(_Search):
    """Points drawn evenly, each once."""

    kind: Literal["random"] = "random"


class SobolSearch(_Search):
    """A scrambled Sobol sequence: random, but without holes and clusters."""

    kind: Literal["sobol"] = "sobol"


class LatinHypercubeSearch(_Search):
    """A Latin hypercube over the whole budget: each part of each parameter equally often."""

    kind: Literal["latin-hypercube"] = "latin-hypercube"


class RefineSearch(_Search):
    """Points drawn evenly first, then the neighbours of the front, as long as it moves."""

    kind: Literal["refine"] = "refine"
    first: int = Field(default=64, ge=1, description="points drawn before refining begins")


class Nsga2Search(_Search):
    """NSGA-II (Deb et al. 2002), by Optuna; constraints count as in the paper."""

    kind: Literal["nsga2"] = "nsga2"
    population: int = Field(default=32, ge=4, description="points of a generation")


class TpeSearch(_Search):
    """Tree-structured Parzen estimator (Bergstra et al. 2011), multi-objective, by Optuna."""

    kind: Literal["tpe"] = "tpe"
    first: int = Field(default=48, ge=1, description="points drawn before the model is used")


class GpSearch(_Search):
    """Gaussian process with expected hypervolume improvement, by Optuna (needs extra gp)."""

    kind: Literal["gp"] = "gp"
    first: int = Field(default=16, ge=1, description="points drawn before the model is used")


Search = Annotated[
    GridSearch
    | RandomSearch
    | SobolSearch
    | LatinHypercubeSearch
    | RefineSearch
    | Nsga2Search
    | TpeSearch
    | GpSearch,
    Field(discriminator="kind"),
]


class Screen(_Part):
    """A cheaper model that sees every point first; only promising ones get the full model.

    Its error against the full model is measured on the first points, per objective. A point is
    promoted unless another one is better in every objective by more than that error.
    """

    set: dict[str, Any] = Field(
        min_length=1,
        description="what makes the model cheap. "
        "Example: {systems.streaminggs.method.max_tasks: 2000}",
    )
    calibrate: int = Field(
        default=24, ge=4, description="points given to both models to measure the error"
    )
    margin: float = Field(
        default=1.5, ge=1, description="factor on the largest error seen, for those not seen"
    )


class StudyConfig(_Part):
    """A study: many runs over a design space, and what makes one better than another."""

    base: str | dict[str, Any] = Field(
        description="the run configuration that points change: a shipped name, a file (looked for "
        "beside the study first), or the configuration itself. Example: streaminggs"
    )
    set: dict[str, Any] = Field(
        default_factory=dict,
        description="changes of the base for all points, as --set makes them. "
        "Example: {workload.resolution: [640, 360]}",
    )
    space: dict[str, Parameter] = Field(
        description="parameters by name: where they are set, and what they may be"
    )
    links: dict[str, str] = Field(
        default_factory=dict,
        description="further paths computed from parameters. "
        "Example: {systems.streaminggs.set.units.ffu.count.value: max(1, cfu // 4)}",
    )
    objectives: dict[str, Goal] = Field(
        min_length=1,
        description="result columns to minimize or maximize, as SYSTEM.COLUMN. "
        "Example: {streaminggs.time_s: minimize, streaminggs.area_mm2: minimize}",
    )
    constraints: dict[str, Constraint] = Field(
        default_factory=dict,
        description="bounds on result columns. Example: {streaminggs.psnr_db: {at_least: 30}}",
    )
    show: list[str] = Field(
        default_factory=list,
        description="further result columns in tables and hovers. Example: [streaminggs.fps]",
    )
    search: Search = Field(default_factory=GridSearch, description="how points are chosen")
    budget: Budget = Field(default_factory=Budget, description="when the search ends")
    screen: Screen | None = Field(
        default=None, description="a cheaper model that sees every point first"
    )
    compare_random: int = Field(
        default=0,
        ge=0,
        description="points drawn at random beside the search, for its hypervolume to be compared "
        "with; they count for the front, too",
    )
    sensitivity: bool = Field(
        default=True,
        description="evaluate the neighbours of the front's middle point after the search",
    )
    seed: int = Field(default=0, ge=0, description="seed of the search")

    @model_validator(mode="after")
    def _ends(self) -> StudyConfig:
        budget = self.budget
        endless = self.search.kind not in ("grid", "refine")
        if endless and budget.points is None and budget.time_s is None:
            raise ValueError(
                f"a {self.search.kind} search needs budget.points or budget.time_s to end"
            )
        if self.search.kind == "latin-hypercube" and budget.points is None:
            raise ValueError("a latin-hypercube search needs budget.points: it is one design")
        return self
