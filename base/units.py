"""Quantities with units in text, such as ``102.4 GB/s``, and times as integer picoseconds."""

from __future__ import annotations

import re

from archsim.base.errors import ConfigError

__all__ = ["PS_PER_S", "UNITS", "cycles_to_ps", "format_quantity", "parse_quantity"]

PS_PER_S = 10**12

#: dimension -> unit -> factor to the dimension's base unit (the first one listed).
UNITS: dict[str, dict[str, float]] = {
    "bytes": {
        "B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30,
    },
    "bandwidth": {"B/s": 1, "kB/s": 1e3, "MB/s": 1e6, "GB/s": 1e9, "TB/s": 1e12},
    "frequency": {"MHz": 1, "kHz": 1e-3, "Hz": 1e-6, "GHz": 1e3},
    "time": {"s": 1, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "ps": 1e-12},
    "energy": {"pJ": 1, "fJ": 1e-3, "nJ": 1e3, "uJ": 1e6, "mJ": 1e9, "J": 1e12},
    "power": {"mW": 1, "uW": 1e-3, "W": 1e3},
    "area": {"mm2": 1, "um2": 1e-6},
    "length": {"nm": 1, "um": 1e3, "mm": 1e6},
    "angle": {"deg": 1, "rad": 57.29577951308232},
}  # fmt: skip

_QUANTITY = re.compile(r"^\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*([A-Za-z0-9/]*)\s*$")


def parse_quantity(text: str | int | float, dimension: str, *, place: str | None = None) -> float:
    """Return ``text`` in the base unit of ``dimension`` (see :data:`UNITS`).

    A bare number is taken to be in the base unit already. Raises :class:`ConfigError` that
    names the units understood when the unit is missing from the dimension.
    """
    units = UNITS[dimension]
    known = ", ".join(units)
    if isinstance(text, bool):
        raise ConfigError(f"expected {dimension} ({known}), found {text!r}", place=place)
    if isinstance(text, (int, float)):
        return float(text)
    match = _QUANTITY.match(text)
    if match is None:
        raise ConfigError(f"expected {dimension} such as '1 {next(iter(units))}', found {text!r}",
                          place=place, remedy=f"write a number and one of: {known}")  # fmt: skip
    number, unit = float(match[1]), match[2]
    if not unit:
        return number
    if unit not in units:
        raise ConfigError(f"{text!r} has the wrong unit: {unit!r} does not measure {dimension}",
                          place=place, remedy=f"use one of: {known}")  # fmt: skip
    return number * units[unit]


def cycles_to_ps(cycles: int, clock_mhz: float) -> int:
    """Return the duration of whole ``cycles`` in picoseconds, rounded up."""
    khz = round(clock_mhz * 1000)
    return -(-int(cycles) * 10**9 // khz)


def format_quantity(value: float, unit: str) -> str:
    """Return ``value`` with an SI prefix and three or four significant digits: ``1.23 ms``."""
    if value == 0:
        return f"0 {unit}"
    for factor, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1, ""), (1e-3, "m"),
                           (1e-6, "u"), (1e-9, "n"), (1e-12, "p")):  # fmt: skip
        if abs(value) >= factor * 0.99995:
            return f"{value / factor:.4g} {prefix}{unit}"
    return f"{value:.4g} {unit}"
