"""A constant with its source: value, where it is from, and the range it may lie in."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["Sourced"]


class Sourced(BaseModel):
    """A number with value, source and a low-high range, in the unit its field's name ends with.

    ``assumed`` marks a guess; results list every assumed constant they rest on.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    value: float = Field(description="the number used, in the unit of the field's name")
    source: Annotated[str, Field(min_length=3)] = Field(description="where the number is from")
    low: float = Field(description="lowest credible value")
    high: float = Field(description="highest credible value")
    assumed: bool = Field(default=False, description="true for a guess; shown in every report")

    @model_validator(mode="before")
    @classmethod
    def _range_shorthand(cls, data: Any) -> Any:
        # `range: [low, high]` is how people write it; a constant known exactly says `range: exact`.
        if isinstance(data, dict) and "range" in data:
            data = dict(data)
            span = data.pop("range")
            if span == "exact":
                data["low"] = data["high"] = data.get("value")
            elif isinstance(span, list) and len(span) == 2:
                data["low"], data["high"] = span
            else:
                raise ValueError("range is [low, high] or the word exact")
        return data

    @model_validator(mode="after")
    def _ordered(self) -> Sourced:
        if not self.low <= self.value <= self.high:
            raise ValueError(f"value {self.value} lies outside its range [{self.low}, {self.high}]")
        return self
