"""The schema of ``configs/claims/*.yaml``: every published figure once, before it is measured."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from archsim.base.errors import ConfigError
from archsim.base.problems import one_of
from archsim.base.shipped import list_shipped, read_shipped
from archsim.base.yaml_places import validate

__all__ = ["Claim", "ClaimScene", "Claims", "list_claims", "load_claims"]

_PACKAGE = "archsim.configs.claims"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ClaimScene(_Part):
    """A frame that figures are measured on."""

    name: str
    run: str | None = Field(default=None, description="run configuration with the workload")
    data: str | None = Field(
        default=None, description="scene file inside the folder of real scenes; left out without it"
    )
    workload: dict[str, Any] = Field(default={}, description="values of the workload changed")


class Claim(_Part):
    """One published figure and how ours is measured."""

    id: str
    claim: str = Field(description="what is claimed, in words")
    published: float | tuple[float, float]
    at_least: bool = Field(default=False, description="more than published agrees, too")
    up_to: bool = Field(default=False, description="published is the best of several scenes")
    unit: str
    source: str
    certainty: Literal["found", "second-hand", "from-memory", "derived"]
    role: Literal["fit", "check"]
    within: float = Field(ge=0, description="tolerance, a share of the published figure")
    measure: str
    arguments: dict[str, Any] = Field(default={}, alias="with")

    @field_validator("published")
    @classmethod
    def _ordered(cls, value: Any) -> Any:
        if isinstance(value, tuple) and value[0] > value[1]:
            raise ValueError(f"found {list(value)}, expected [low, high]")
        return value

    @property
    def band(self) -> tuple[float, float]:
        """The published figure as low and high, before tolerance."""
        if isinstance(self.published, tuple):
            return self.published
        return self.published, self.published


class Claims(_Part):
    """All claims about one system.

    ``runs`` names the run configurations whose systems ``with`` may name; ``measures`` the module
    with a function for every ``measure``.
    """

    system: str
    title: str
    paper: str = Field(description="what of the source was at hand")
    measures: str
    runs: tuple[str, ...] = ()
    scenes: dict[str, tuple[ClaimScene, ...]]
    rows: tuple[Claim, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_are_known(self) -> Claims:
        ids = [row.id for row in self.rows]
        twice = sorted({i for i in ids if ids.count(i) > 1})
        if twice:
            raise ValueError(f"two rows are called {twice[0]!r}")
        for row in self.rows:
            named = row.arguments.get("scenes", "default")
            if named not in self.scenes:
                raise ValueError(f"row {row.id}: no scenes {named!r}")
        return self


def list_claims() -> list[str]:
    """Return the systems with published figures, sorted."""
    return list_shipped(_PACKAGE)


def load_claims(system: str) -> Claims:
    """Return the claims about a system; :class:`ConfigError` gives the nearest name."""
    known = list_claims()
    if system not in known:
        raise ConfigError(
            f"nothing published about {system!r} is listed", remedy=one_of(system, known)
        )
    claims: Claims = validate(Claims, *read_shipped(_PACKAGE, system))
    return claims
