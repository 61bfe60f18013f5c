"""The parts of the validation and the modules that hold their checks."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module

from archsim.base.errors import ConfigError
from archsim.sim.validation.checks import Check

__all__ = ["PARTS", "checks_of"]

#: part -> modules of this package, each with ``CHECKS``
PARTS = {
    "dram": ("dram_cycle", "dram_exact", "dram_row", "dram_streams"),
    "energy": ("energy",),
    "sram": ("sram",),
    "renderer": ("renderer",),
    "streaminggs": ("voxels",),
    "executors": ("executors",),
    "gpu": ("gpu", "gpu_jetson"),
}


def checks_of(parts: Iterable[str]) -> list[Check]:
    """Return the checks of the named parts; :class:`ConfigError` lists the known ones."""
    checks: list[Check] = []
    for part in parts:
        if part not in PARTS:
            raise ConfigError(
                f"there is no part {part!r} of the validation",
                remedy=f"use one of: {', '.join(PARTS)}; or none, for all",
            )
        for module in PARTS[part]:
            checks.extend(import_module(f"archsim.sim.validation.{module}").CHECKS)
    return checks
