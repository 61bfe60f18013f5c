"""One parameter of a design space: its values, their order, their neighbours."""

from __future__ import annotations

import itertools
import math
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["Axis", "Parameter", "same"]

_MOST_LEVELS = 100_000


def same(a: Any, b: Any) -> bool:
    """Return whether two values of a configuration are the same; 1 and true are not."""
    return type(a) is type(b) and bool(a == b)


class Parameter(BaseModel):
    """One parameter of the space: where it is set, and what it may be.

    Exactly one of ``values``, ``range``, ``log_range`` and ``options`` says what it may be.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str | list[str] | None = Field(
        default=None,
        description="where the value is set, as for --set; several paths get the same value. "
        "Example: systems.streaminggs.set.units.cfu.count.value",
    )
    values: list[Any] | None = Field(
        default=None, min_length=1, description="the values it may have. Example: [4, 8, 16]"
    )
    range: tuple[float, float] | None = Field(
        default=None, description="lowest and highest value. Example: [500, 1500]"
    )
    log_range: tuple[float, float] | None = Field(
        default=None,
        description="lowest and highest value, stepped through by ratios. Example: [16384, 262144]",
    )
    step: float | None = Field(
        default=None, gt=0, description="distance of neighbours in a range. Example: 250"
    )
    factor: float | None = Field(
        default=None, gt=1, description="ratio of neighbours in a log_range. Example: 2"
    )
    whole: bool = Field(
        default=False, description="whole numbers only, in a range without step or factor"
    )
    options: dict[str, dict[str, Any]] | None = Field(
        default=None,
        min_length=1,
        description="named choices that set several paths each. Example: {lpddr4: "
        "{systems.a.set.memory.device: lpddr4-3200, systems.a.set.memory.channels.value: 8}}",
    )
    when: dict[str, list[Any]] = Field(
        default_factory=dict,
        description="the parameter exists only while others have one of these values. "
        "Example: {vq: [true]}",
    )

    @model_validator(mode="after")
    def _says_one_thing(self) -> Parameter:
        given = [n for n in ("values", "range", "log_range", "options") if getattr(self, n)]
        if len(given) != 1:
            raise ValueError(
                "expected exactly one of values, range, log_range and options, found "
                + (" and ".join(given) or "none")
            )
        if (self.options is None) == (self.path is None):
            raise ValueError(
                "options name their own paths: leave path out" if self.options is not None
                else "missing path: where the value is set"
            )  # fmt: skip
        for name, of in (("step", "range"), ("factor", "log_range")):
            if getattr(self, name) is not None and getattr(self, of) is None:
                raise ValueError(f"{name} belongs to a {of}")
        for name in ("range", "log_range"):
            bounds = getattr(self, name)
            if bounds is not None and not bounds[0] < bounds[1]:
                raise ValueError(f"{name} {list(bounds)} is empty: the first must be the lower")
            if bounds is not None and not all(map(math.isfinite, bounds)):
                raise ValueError(f"{name} {list(bounds)} must be finite")
        if self.log_range is not None and self.log_range[0] <= 0:
            raise ValueError(f"log_range {list(self.log_range)} must be above zero")
        for values in [self.values or [], *self.when.values()]:
            for a, b in itertools.combinations(values, 2):
                if same(a, b):
                    raise ValueError(f"{a!r} is given twice")
        if self.whole and not self._bounds_are_whole():
            raise ValueError("whole belongs to a range or log_range between whole numbers")
        return self

    def _bounds_are_whole(self) -> bool:
        bounds = self.range or self.log_range
        return bounds is not None and all(float(b).is_integer() for b in bounds)

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path that some value of the parameter sets."""
        if self.options is not None:
            return tuple(dict.fromkeys(path for choice in self.options.values() for path in choice))
        return (self.path,) if isinstance(self.path, str) else tuple(self.path or ())

    def settings(self, value: Any) -> dict[str, Any]:
        """Return path -> value for one value of the parameter."""
        if self.options is not None:
            return dict(self.options[value])
        return dict.fromkeys(self.paths, value)


class Axis:
    """A parameter's values in order: levels, or a continuous span.

    Attributes
    ----------
    levels
        The values where they can be counted; ``None`` for a continuous span.
    ordered
        Whether neighbours are alike: numbers are, other values only as the study lists them.
    """

    def __init__(self, name: str, parameter: Parameter):
        self.name, self.parameter = name, parameter
        self.levels = _levels(parameter)
        if self.levels is not None and len(self.levels) > _MOST_LEVELS:
            raise ValueError(f"has {len(self.levels):,} values; use a larger step")
        self.log = parameter.log_range is not None
        self.ordered = self.levels is None or all(
            isinstance(v, (int, float)) and not isinstance(v, bool) for v in self.levels
        )

    @property
    def span(self) -> tuple[float, float]:
        """Lowest and highest value of a range."""
        bounds = self.parameter.range or self.parameter.log_range
        assert bounds is not None  # callers ask spans only
        return bounds

    def at(self, share: float) -> Any:
        """Return the value at ``share`` in [0, 1) of the axis."""
        if self.levels is not None:
            return self.levels[min(int(share * len(self.levels)), len(self.levels) - 1)]
        low, high = self.span
        if self.log:
            return float(min(max(low * (high / low) ** share, low), high))
        return float(low + (high - low) * share)

    def share(self, value: Any) -> float:
        """Return where a value lies, in [0, 1]: the middle of a level's part of the axis."""
        if self.levels is not None:
            return (self.index(value) + 0.5) / len(self.levels)
        low, high = self.span
        if self.log:
            return math.log(value / low) / math.log(high / low)
        return float((value - low) / (high - low))

    def index(self, value: Any) -> int:
        """Return the position of a value among the levels; ``ValueError`` for another value."""
        assert self.levels is not None
        for i, level in enumerate(self.levels):
            if same(level, value):
                return i
        raise ValueError(f"{self.name}: {value!r} is none of its values")

    def has(self, value: Any) -> bool:
        """Return whether the parameter may have this value."""
        if self.levels is not None:
            return any(same(level, value) for level in self.levels)
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return is_number and self.span[0] <= value <= self.span[1]

    def neighbours(self, value: Any, distance: float = 0.1) -> list[Any]:
        """Return the next lower and higher value; of unordered values, all others.

        On a continuous span the neighbours lie ``distance`` of it apart, within it.
        """
        if self.levels is None:
            here = self.share(value)
            moves = (max(here - distance, 0.0), min(here + distance, 1.0))
            return [self.at(share) for share in moves if abs(share - here) > 1e-9]
        here = self.index(value)
        if not self.ordered:
            return [level for i, level in enumerate(self.levels) if i != here]
        return [self.levels[i] for i in (here - 1, here + 1) if 0 <= i < len(self.levels)]

    def rank(self, value: Any) -> float:
        """Return a number that sorts the parameter's values."""
        return float(self.index(value)) if self.levels is not None else float(value)


def _levels(parameter: Parameter) -> list[Any] | None:
    if parameter.values is not None:
        return list(parameter.values)
    if parameter.options is not None:
        return list(parameter.options)
    if parameter.range is not None:
        low, high = parameter.range
        step = parameter.step or (1.0 if parameter.whole else None)
        if step is None:
            return None
        count = math.floor((high - low) / step + 1e-9) + 1
        if count > _MOST_LEVELS:
            raise ValueError(f"has {count:,} values; use a larger step")
        return [_tidy(low + i * step) for i in range(count)]
    assert parameter.log_range is not None
    low, high = parameter.log_range
    if parameter.factor is None:
        return _whole_log(low, high) if parameter.whole else None
    count = math.floor(math.log(high / low) / math.log(parameter.factor) + 1e-9) + 1
    return [_tidy(low * parameter.factor**i) for i in range(count)]


def _whole_log(low: float, high: float) -> list[Any]:
    """Return whole numbers about 5 % apart: all of the small ones."""
    found, value = [], int(low)
    while value <= high:
        found.append(value)
        value = max(value + 1, round(value * 1.05))
    return found


def _tidy(value: float) -> int | float:
    """Return whole numbers as such, others without the dust of adding steps."""
    value = float(f"{value:.12g}")
    return int(value) if value.is_integer() else value
