"""A number with the range that the constants' ranges give it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Interval"]


@dataclass(frozen=True)
class Interval:
    """``low <= value <= high``; sums and products of non-negative intervals stay intervals."""

    value: float
    low: float
    high: float

    def __add__(self, other: Interval) -> Interval:
        return Interval(self.value + other.value, self.low + other.low, self.high + other.high)

    def __mul__(self, other: Interval | float) -> Interval:
        if isinstance(other, Interval):
            return Interval(self.value * other.value, self.low * other.low, self.high * other.high)
        return Interval(self.value * other, self.low * other, self.high * other)

    @staticmethod
    def exact(value: float) -> Interval:
        """Return the interval of a number that is known."""
        return Interval(value, value, value)
