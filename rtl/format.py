"""Number formats of the RTL, one definition for hardware and golden model.

Raw values are int64 arrays in the model and bit vectors in hardware; every operation here is
integer arithmetic that the units of :mod:`archsim.rtl.flow.units` do bit by bit alike. Results
are truncated towards zero magnitude; nothing rounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["FLOAT", "Float", "Q"]

I64 = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Q:
    """Fixed point: ``i`` integer bits, ``f`` fraction bits, and a sign bit if ``signed``.

    ``Q(8, 4, signed=True)`` is written SQ8.4 and has 13 bits; ``Q(0, 12)`` is UQ0.12.
    """

    i: int
    f: int
    signed: bool = False

    @property
    def width(self) -> int:
        """Bits in all."""
        return self.i + self.f + self.signed

    @property
    def low(self) -> int:
        """Smallest raw value."""
        return -(1 << (self.i + self.f)) if self.signed else 0

    @property
    def high(self) -> int:
        """Largest raw value."""
        return (1 << (self.i + self.f)) - 1

    def shape(self) -> Any:
        """Return the Amaranth shape."""
        from amaranth.hdl import signed, unsigned

        return (signed if self.signed else unsigned)(self.width)

    def quantize(self, values: npt.ArrayLike) -> I64:
        """Return real numbers as raw values: nearest, saturating."""
        scaled = np.rint(np.asarray(values, np.float64) * 2.0**self.f)
        return np.clip(scaled, self.low, self.high).astype(np.int64)

    def real(self, raw: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return raw values as real numbers."""
        return np.asarray(raw, np.float64) * 2.0**-self.f

    def __str__(self) -> str:
        return f"{'S' if self.signed else 'U'}Q{self.i}.{self.f}"


def _bit_length(values: I64) -> I64:
    """Return the number of significant bits of non-negative integers below 2**53."""
    return np.frexp(values.astype(np.float64))[1].astype(np.int64)


@dataclass(frozen=True)
class Float:
    """Floating point: sign, ``e`` exponent bits, ``m`` fraction bits behind a hidden one.

    Exponent 0 is the number zero (no subnormals); too small results become zero, too large ones
    the largest number; there are neither infinities nor NaN. Fractions are cut, not rounded. The
    raw value is ``sign << (e + m) | exponent << m | fraction``; magnitudes compare as integers.
    """

    e: int = 7
    m: int = 16

    @property
    def width(self) -> int:
        """Bits in all."""
        return 1 + self.e + self.m

    @property
    def bias(self) -> int:
        """Exponent code of 1.0."""
        return (1 << (self.e - 1)) - 1

    @property
    def largest(self) -> int:
        """Raw value of the largest number."""
        return (1 << (self.e + self.m)) - 1

    def __str__(self) -> str:
        return f"FP{self.width} (1+{self.e}+{self.m})"

    def shape(self) -> Any:
        """Return the Amaranth shape."""
        from amaranth.hdl import unsigned

        return unsigned(self.width)

    def quantize(self, values: npt.ArrayLike) -> I64:
        """Return real numbers as raw values, fractions cut."""
        value = np.asarray(values, np.float64)
        fraction, exponent = np.frexp(np.abs(value))  # fraction in [0.5, 1)
        significand = np.floor(fraction * 2.0 ** (self.m + 1)).astype(np.int64)
        code = np.where(value == 0, 0, exponent.astype(np.int64) - 1 + self.bias)
        return self._pack(value < 0, code, significand)

    def real(self, raw: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return raw values as real numbers."""
        sign, exponent, significand = self._split(np.asarray(raw, np.int64))
        magnitude = np.ldexp(significand.astype(np.float64), exponent - self.bias - self.m)
        return np.where(exponent == 0, 0.0, np.where(sign == 1, -magnitude, magnitude))

    def negate(self, a: I64) -> I64:
        """Return -a."""
        return a ^ (1 << (self.e + self.m))

    def magnitude(self, a: I64) -> I64:
        """Return the absolute value."""
        return a & self.largest

    def scale(self, a: I64, power: int) -> I64:
        """Return a * 2**power."""
        sign, exponent, significand = self._split(a)
        return np.where(exponent == 0, a, self._pack(sign == 1, exponent + power, significand))

    def multiply(self, a: I64, b: I64) -> I64:
        """Return the product."""
        sign_a, exponent_a, significand_a = self._split(a)
        sign_b, exponent_b, significand_b = self._split(b)
        product = significand_a * significand_b
        carry = product >> (2 * self.m + 1)
        result = self._pack(
            sign_a != sign_b, exponent_a + exponent_b - self.bias + carry,
            product >> (self.m + carry),
        )  # fmt: skip
        return np.where((exponent_a == 0) | (exponent_b == 0), 0, result)

    def add(self, a: I64, b: I64) -> I64:
        """Return the sum, from significands with two guard bits."""
        swap = self.magnitude(b) > self.magnitude(a)
        large, small = np.where(swap, b, a), np.where(swap, a, b)
        sign, exponent, high = self._split(large)
        sign_small, exponent_small, low = self._split(small)
        low = np.where(exponent_small == 0, 0, low << 2)
        high = np.where(exponent == 0, 0, high << 2)
        low = low >> np.minimum(exponent - exponent_small, 31)
        total = np.where(sign == sign_small, high + low, high - low)
        length = _bit_length(total)
        significand = (total << (self.m + 4 - length)) >> 3
        result = self._pack(sign == 1, exponent + length - (self.m + 3), significand)
        return np.where(total == 0, 0, result)

    def less(self, a: I64, b: I64) -> I64:
        """Return 1 where a < b; zeros of either sign are equal."""
        return (self._ordered(a) < self._ordered(b)).astype(np.int64)

    def maximum(self, a: I64, b: I64) -> I64:
        """Return the larger one, b where they are equal."""
        return np.where(self.less(b, a) == 1, a, b)

    def minimum(self, a: I64, b: I64) -> I64:
        """Return the smaller one, b where they are equal."""
        return np.where(self.less(a, b) == 1, a, b)

    def first_positive(self, a: I64, b: I64) -> I64:
        """Return a if it is positive, else b if that is, else zero."""
        zero = np.zeros_like(a)
        return np.where(self.less(zero, a) == 1, a, np.where(self.less(zero, b) == 1, b, zero))

    def from_fixed(self, raw: I64, q: Q) -> I64:
        """Return a fixed-point number as float."""
        size = np.abs(raw)
        length = _bit_length(size)
        shift = self.m + 1 - length
        significand = np.where(
            shift >= 0, size << np.maximum(shift, 0), size >> np.maximum(-shift, 0)
        )
        result = self._pack(raw < 0, length - 1 - q.f + self.bias, significand)
        return np.where(raw == 0, 0, result)

    def to_fixed(self, a: I64, q: Q) -> I64:
        """Return a float as fixed point: magnitude cut, saturating."""
        sign, exponent, significand = self._split(a)
        shift = exponent - self.bias - self.m + q.f
        most = q.i + q.f
        right = np.minimum(np.maximum(-shift, 0), self.m + 1)
        left = np.minimum(np.maximum(shift, 0), most)
        value = np.where(exponent == 0, 0, (significand >> right) << left)
        value = np.minimum(value, q.high)
        negative = sign == 1
        return np.where(negative, -value if q.signed else 0, value)

    @cached_property
    def reciprocal_table(self) -> tuple[I64, I64]:
        """Value and slope of 1/x on [1, 2), 256 segments: (0.m+1 bits, 10 bits) each."""
        return self._segments(lambda x: 1.0 / x, np.linspace(1.0, 2.0, 257))

    @cached_property
    def inverse_root_table(self) -> tuple[I64, I64]:
        """Value and slope of 1/sqrt(x), 128 segments on [1, 2), then 128 on [2, 4)."""
        low, high = np.linspace(1.0, 2.0, 129), np.linspace(2.0, 4.0, 129)
        first = self._segments(lambda x: x**-0.5, low)
        second = self._segments(lambda x: x**-0.5, high)
        return np.concatenate([first[0], second[0]]), np.concatenate([first[1], second[1]])

    def reciprocal(self, a: I64) -> I64:
        """Return 1/a, linear in 256 segments; the largest number for zero."""
        sign, exponent, significand = self._split(a)
        fraction = significand & ((1 << self.m) - 1)
        bits = self.m - 8
        value, slope = (t[fraction >> bits] for t in self.reciprocal_table)
        y = value - ((slope * (fraction & ((1 << bits) - 1))) >> bits)  # 1/1.f in UQ0.(m+1)
        whole = y >> (self.m + 1)  # exactly one
        result = self._pack(sign == 1, 2 * self.bias - 1 - exponent + whole, y >> whole)
        zero = (sign << (self.e + self.m)) | self.largest
        return np.where(exponent == 0, zero, result)

    def inverse_root(self, a: I64) -> I64:
        """Return 1/sqrt(\\|a\\|), linear in 256 segments; the largest number for zero."""
        _, exponent, significand = self._split(a)
        fraction = significand & ((1 << self.m) - 1)
        true = exponent - self.bias
        odd = true & 1
        bits = self.m - 7
        index = (odd << 7) | (fraction >> bits)
        value, slope = (t[index] for t in self.inverse_root_table)
        y = value - ((slope * (fraction & ((1 << bits) - 1))) >> bits)
        whole = y >> (self.m + 1)
        result = self._pack(np.zeros_like(whole), self.bias - 1 - (true >> 1) + whole, y >> whole)
        return np.where(exponent == 0, self.largest, result)

    def _segments(self, function: Any, knots: npt.NDArray[np.float64]) -> tuple[I64, I64]:
        """Return start value and fall of each segment in units of 2**-(m+1), start lowered half
        the bend so that the error is centred (not at the very first, which is exactly one)."""
        unit = 2.0 ** (self.m + 1)
        value, middle = function(knots) * unit, function((knots[1:] + knots[:-1]) / 2) * unit
        bend = (value[:-1] + value[1:]) / 2 - middle
        start = np.floor(value[:-1] - bend / 2 + 0.5)
        start[0] = min(start[0], unit)
        fall = np.floor(value[:-1] - value[1:] + 0.5)
        return start.astype(np.int64), fall.astype(np.int64)

    def _split(self, raw: I64) -> tuple[I64, I64, I64]:
        """Return sign, exponent code and significand with its hidden one."""
        return (
            raw >> (self.e + self.m),
            (raw >> self.m) & ((1 << self.e) - 1),
            (raw & ((1 << self.m) - 1)) | (1 << self.m),
        )

    def _pack(self, negative: Any, exponent: I64, significand: I64) -> I64:
        """Return raw values; zero below the smallest exponent, the largest number above."""
        fraction = significand & ((1 << self.m) - 1)
        raw = np.where(exponent >= 1 << self.e, self.largest, (exponent << self.m) | fraction)
        signed = np.where(negative, raw | (1 << (self.e + self.m)), raw)
        return np.where(exponent <= 0, 0, signed)

    def _ordered(self, a: I64) -> I64:
        magnitude = self.magnitude(a)
        magnitude = np.where(magnitude >> self.m == 0, 0, magnitude)
        return np.where(a >> (self.e + self.m) == 1, -magnitude, magnitude)


#: The filters' format: 17 significant bits, the operand of one 18-bit multiplier.
FLOAT = Float()
