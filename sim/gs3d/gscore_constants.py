"""Sizes and operation counts of GSCore that are the method's, not the machine's, with sources."""

from __future__ import annotations

import math

from archsim.arch.sourced import Sourced

__all__ = ["CONSTANTS", "assumed_constants", "constant", "sh_degree_of"]


def _exact(value: int, source: str) -> Sourced:
    return Sourced(value=value, low=value, high=value, source=source)


def _assumed(value: int, low: int, high: int, source: str) -> Sourced:
    return Sourced(value=value, low=low, high=high, source=source, assumed=True)


#: name -> constant; the unit is the name's last word
CONSTANTS: dict[str, Sourced] = {
    "parameter_bytes": _exact(
        4,
        "FP32: NeRArch-Sim's Lego frame reads 78.8 MB = 358,000 Gaussians x 55 words of 4 bytes "
        "(derived; second-hand)",
    ),
    "feature_bytes": _assumed(
        32, 18, 64,
        "assumed record of 2 + 3 + 1 + 3 values (mean, conic, opacity, colour): 18 bytes in the "
        "FP16 of NeRArch-Sim's volume rendering unit, padded to one burst; a public design-space "
        "script of GSCore also has 32",
    ),
    "entry_bytes": _assumed(
        8, 4, 8,
        "assumed: 32-bit depth, Gaussian number and subtile bitmap in another 32 bits; NeRArch-Sim "
        "moves 12.4 MB of sort buffer traffic for the 1.57 M pairs that a public script gives Lego",
    ),
    "pixel_bytes": _assumed(4, 3, 6, "assumed: 8-bit RGBA; NeRArch-Sim: 3.1 MB for 800 x 800"),
    "pixel_state_bytes": _assumed(
        8, 8, 16,
        "assumed: colour and transmittance in FP16; two tiles of state for each of four cores are "
        "then the 16 KB pixel buffer",
    ),
    "bitonic_width_entries": _exact(16, "NeRArch-Sim's model of the unit (SORT_NUM); second-hand"),
    "alpha_multiplies": _exact(8, "8 MUL + 4 ADD + 1 EXP per alpha (axis-shared 3DGS, ISCA 2026)"),
    "alpha_adds": _exact(4, "8 MUL + 4 ADD + 1 EXP per alpha (axis-shared 3DGS, ISCA 2026)"),
    "blend_multiplies": _exact(5, "5 MUL + 4 ADD per blend (axis-shared 3DGS, ISCA 2026)"),
    "blend_adds": _exact(4, "5 MUL + 4 ADD per blend (axis-shared 3DGS, ISCA 2026)"),
}  # fmt: skip


def sh_degree_of(parameters_per_gaussian: int) -> int:
    """Return the degree of a scene's spherical harmonics.

    A Gaussian has 11 parameters and 3 coefficients for each of (degree + 1)^2 functions.
    """
    return math.isqrt((parameters_per_gaussian - 11) // 3) - 1


def constant(name: str) -> int:
    """Return the value of a constant of :data:`CONSTANTS`."""
    return int(CONSTANTS[name].value)


def assumed_constants() -> dict[str, str]:
    """Return every assumed constant as dotted place -> value, range and source, for reports."""
    return {
        f"gscore.{name}": f"{c.value:g} [{c.low:g}, {c.high:g}]: {c.source}"
        for name, c in CONSTANTS.items()
        if c.assumed
    }
