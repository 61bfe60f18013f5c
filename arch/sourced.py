"""A constant with its source: value, where it is from, and the range it may lie in."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from archsim.base.errors import ConfigError
from archsim.base.interval import Interval
from archsim.base.units import UNITS, parse_quantity

__all__ = ["Count", "Fraction", "Part", "Positive", "Sourced", "unit_of"]

#: ending of a field's name -> (dimension of archsim.base.units, unit of the number)
_SUFFIXES: dict[str, tuple[str, str]] = {
    "bytes": ("bytes", "B"),
    "mhz": ("frequency", "MHz"),
    "ns": ("time", "ns"),
    "pj": ("energy", "pJ"),
    "mw": ("power", "mW"),
    "mm2": ("area", "mm2"),
    "nm": ("length", "nm"),
}
#: endings that are units without a text form: the number stands alone
_PLAIN_SUFFIXES = {"mt_s": "MT/s", "cycles": "cycles", "bits": "bits", "ma": "mA", "v": "V"}
_NUMBERS = ("value", "low", "high")


def unit_of(field: str) -> str:
    """Return the unit that a field's name states: ``clock_mhz`` -> ``MHz``; ``""`` for counts.

    ``pj_per_item`` reads ``pJ/item``; ``mw_per_mm2`` reads ``mW/mm2``.
    """
    head, _, per = field.partition("_per_")
    for suffix, unit in _PLAIN_SUFFIXES.items():
        if head == suffix or head.endswith(f"_{suffix}"):
            return f"{unit}/{per}" if per else unit
    dimension = _SUFFIXES.get(head.rpartition("_")[2])
    if dimension is None:
        return ""
    return f"{dimension[1]}/{per}" if per else dimension[1]


def _number(text: Any, field: str) -> Any:
    """Return text with a unit as a number in the unit of the field's name; others unchanged."""
    if not isinstance(text, str):
        return text
    try:
        return float(text)  # no unit written: it is the field's own
    except ValueError:
        pass
    suffix = field.partition("_per_")[0].rpartition("_")[2]
    if suffix not in _SUFFIXES:
        unit = unit_of(field)
        return _Unreadable(f"found {text!r}, expected a number{f' in {unit}' if unit else ''}")
    dimension, unit = _SUFFIXES[suffix]
    try:
        return parse_quantity(text, dimension) / UNITS[dimension][unit]
    except ConfigError:
        return _Unreadable(
            f"found {text!r}, expected a number in {unit} or text with one of the units "
            f"{', '.join(UNITS[dimension])}"
        )


class Sourced(BaseModel):
    """A number with value, source and a low-high range, in the unit its field's name ends with.

    ``assumed`` marks a guess; results list every assumed constant they rest on. No constant of a
    machine is negative, so sums and products of ranges stay ranges.
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
        if not isinstance(data, dict):
            return data
        unknown = [key for key in data if key not in {*cls.model_fields, "range"}]
        if "range" not in data and not {"low", "high"} & set(data):
            found = f", found the unknown key {unknown[0]!r}" if unknown else ""
            raise ValueError(f"missing range: [low, high] or the word exact{found}")
        data = dict(data)
        span = data.pop("range", None)
        if span == "exact":
            value = data.get("value")
            readable = isinstance(value, (int, float)) and not isinstance(value, bool)
            data["low"] = data["high"] = value if readable else 0.0  # the value's error is enough
        elif isinstance(span, list) and len(span) == 2:
            data["low"], data["high"] = span
        elif span is not None:
            raise ValueError(f"found range {span!r}, expected [low, high] or the word exact")
        return data

    @field_validator("value", "low", "high", mode="before")
    @classmethod
    def _is_number(cls, value: Any) -> Any:
        if isinstance(value, bool):
            raise ValueError(f"found {str(value).lower()}, expected a number")
        if isinstance(value, _Unreadable):
            raise ValueError(value.message)
        return value

    @model_validator(mode="after")
    def _ordered(self) -> Sourced:
        if not all(math.isfinite(x) for x in (self.value, self.low, self.high)):
            raise ValueError(f"value {self.value} and its range must be finite")
        if not 0 <= self.low <= self.value <= self.high:
            raise ValueError(
                f"value {self.value} lies outside its range [{self.low}, {self.high}]"
                if self.low >= 0
                else f"range [{self.low}, {self.high}] reaches below zero"
            )
        return self

    @property
    def interval(self) -> Interval:
        """The value with its range."""
        return Interval(self.value, self.low, self.high)


def _count(constant: Sourced) -> Sourced:
    if constant.value < 1 or constant.value != round(constant.value):
        raise ValueError(f"found {constant.value:g}, expected a whole number of at least 1")
    return constant


def _positive(constant: Sourced) -> Sourced:
    if constant.value <= 0:
        raise ValueError(f"found {constant.value:g}, expected a number above 0")
    return constant


def _fraction(constant: Sourced) -> Sourced:
    if not 0 < constant.value <= 1:
        raise ValueError(f"found {constant.value:g}, expected a fraction above 0, at most 1")
    return constant


Count = Annotated[Sourced, AfterValidator(_count)]  #: of things, bytes or bits: 1, 2, ...
Positive = Annotated[Sourced, AfterValidator(_positive)]  #: what something is divided by
Fraction = Annotated[Sourced, AfterValidator(_fraction)]


class Part(BaseModel):
    """Base of everything described in YAML: unknown keys are errors, units may be written.

    In a field whose name ends with a unit (``clock_mhz``, ``capacity_bytes``, ``area_mm2``) the
    numbers of a :class:`Sourced` may be text with a unit of the same kind: ``1 GHz``, ``32 KiB``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _read_units(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        return {key: _in_unit_of(str(key), part) for key, part in data.items()}


@dataclass(frozen=True)
class _Unreadable:
    """Stands in for a text that is no number, so that the error is raised at the value's place."""

    message: str


def _in_unit_of(field: str, part: Any) -> Any:
    """Return the mapping of a :class:`Sourced` with its numbers in the unit of its field."""
    if not (isinstance(part, dict) and "value" in part and "source" in part):
        return part
    out = {key: _number(part[key], field) if key in _NUMBERS else part[key] for key in part}
    if isinstance(out.get("range"), list):
        out["range"] = [_number(bound, field) for bound in out["range"]]
    return out
