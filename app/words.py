"""Numbers as people read them: three significant digits, a unit, a range."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = [
    "DASH",
    "TIMES",
    "digits",
    "percent",
    "quantity",
    "range_text",
    "ratio",
    "scale_of",
    "size",
    "ssim",
]

TIMES = "\u00d7"  # multiplication sign
DASH = "\u2013"  # en dash

_PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"))


def digits(value: float) -> str:
    """Return three significant digits without an exponent: ``0.0123``, ``1.20``, ``12,300``."""
    if value == 0:
        return "0"
    if abs(value) >= 999.5:
        return f"{value:,.0f}"
    return f"{value:#.3g}".rstrip(".") if abs(value) >= 0.001 else f"{value:.1e}"


def quantity(value: float, unit: str) -> str:
    """Return ``value`` with an SI prefix: ``12.3 ms``, ``1.21 GB``."""
    for factor, prefix in _PREFIXES:
        if abs(value) >= factor * 0.9995:
            return f"{digits(value / factor)} {prefix}{unit}"
    return f"0 {unit}" if value == 0 else f"{digits(value * 1e9)} n{unit}"


def ratio(value: float) -> str:
    """Return a factor: ``25.0`` and the multiplication sign."""
    return digits(value) + TIMES


def percent(share: float) -> str:
    """Return a share: ``43%``, ``0.4%``."""
    return f"{share * 100:.0f}%" if share >= 0.0995 or share == 0 else f"{share * 100:.1f}%"


def size(value: float) -> str:
    """Return a count: ``1.20 M``, ``950``."""
    if float(value).is_integer() and abs(value) < 10_000:
        return f"{value:,.0f}"
    return quantity(value, "").strip()


def ssim(value: float) -> str:
    """Return an SSIM with four decimals, or as many as tell it from 1: ``0.9834``, ``0.99999``."""
    decimals = next((n for n in range(4, 9) if round(value, n) < 1), 8)
    return f"{value:.{decimals}f}" if value < 1 else "1"


def range_text(bounds: Sequence[float] | None, unit: str) -> str:
    """Return low to high in one unit, chosen by the high end; empty for a single point or none."""
    low, high = bounds or (0.0, 0.0)
    if low == high:
        return ""
    if unit in ("", TIMES):
        return f"{digits(low)}{DASH}{digits(high)}"
    for factor, _ in _PREFIXES:
        if abs(high) >= factor * 0.9995:
            return f"{digits(low / factor)}{DASH}{quantity(high, unit)}"
    return f"{digits(low)}{DASH}{quantity(high, unit)}"


def scale_of(most: float, unit: str) -> tuple[float, str]:
    """Return the factor and unit in which ``most`` is at least 1: ``(1e3, "ms")``."""
    for factor, prefix in _PREFIXES:
        if most >= factor:
            return 1 / factor, f"{prefix}{unit}"
    return 1e9, f"n{unit}"
