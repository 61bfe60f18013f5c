"""The command-level DRAM model against analytic bounds, and the row model against it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np

from archsim.arch.dram import list_devices, load_device, resolve
from archsim.arch.dram.timing import device_clocks
from archsim.sim.dram.cycle.controller import CycleDram, CycleResult
from archsim.sim.dram.cycle.traces import formula_trace
from archsim.sim.dram.mapping import map_device
from archsim.sim.validation.checks import Check
from archsim.sim.validation.dram_bounds import BOUNDED, bound_row
from archsim.sim.validation.dram_traces import (
    PATTERNS,
    REQUESTS,
    fit_note,
    line_bits,
    requests_of,
    row_clocks,
    row_model,
)
from archsim.sim.validation.figures import figures
from archsim.sim.validation.inputs import Inputs
from archsim.sim.validation.row import Row, Tolerance, compare

__all__ = ["CHECKS", "cycle_trace"]

_PART = "dram"
#: What the row model is to keep to on every pattern.
_ROW_TOLERANCE = 0.05
_FEW_REQUESTS = 2_000
#: Cycles between two requests: each finds the channel idle.
_FAR_APART = 400


@cache
def cycle_trace(name: str, mapping: str, key: str) -> CycleResult:
    """Return what the cycle model makes of a trace on one channel of a device."""
    device = load_device(name)
    dram = CycleDram(device_clocks(device), mapping=map_device(mapping, device).fields)
    return dram.run_trace(*requests_of(key, line_bits(device), REQUESTS))


def _share(name: str, mapping: str, key: str) -> float:
    clocks = cycle_trace(name, mapping, key).cycles_total
    return REQUESTS * load_device(name).burst_clocks / clocks


def analytic_bounds(inputs: Inputs) -> Iterator[Row]:
    """Yield the cycle model against what timing alone says of bandwidth and of latency."""
    for name, mapping in BOUNDED:
        for key in ("stream_r", "random_r"):
            ours = _share(name, mapping, key)
            yield bound_row("cycle model", load_device(name), mapping, key, ours)
    for name, mapping in BOUNDED:
        clocks = resolve(load_device(name))
        yield compare(
            _PART, f"cycle model, {name} {mapping} paced", "read of another row, median latency",
            reference=clocks["nRP"] + clocks["nRCD"] + clocks["nCL"] + clocks["nBL"],
            ours=_unloaded_latency(name, mapping), unit="clocks",
            source="timing alone: nRP + nRCD + nCL + nBL, no refresh; a clock more where commands "
            "take two", tolerance=Tolerance(0, 1, relative=False),
        )  # fmt: skip


def _unloaded_latency(name: str, mapping: str) -> float:
    device = load_device(name)
    fields = map_device(mapping, device).fields
    dram = CycleDram(device_clocks(device), mapping=fields, refresh=False)
    _, line, write = formula_trace("random_r", line_bits(device), _FEW_REQUESTS)
    result = dram.run_trace(_FAR_APART * np.arange(_FEW_REQUESTS), line, write)
    return float(np.median(result.read_latency_cycles))


def shares_of_the_peak(inputs: Inputs) -> Iterator[Row]:
    """Yield the shares of the peak against published measurements.

    A case of the figures reads ``cycle model, <device> <mapping> <trace>``.
    """
    known = figures()
    for figure in known.of(_PART, "share of the peak"):
        model, rest = figure.case.split(", ")
        if model == "cycle model":
            name, mapping, key = rest.split(" ")
            yield known.compare(figure, _share(name, mapping, key))


def row_against_cycle(inputs: Inputs) -> Iterator[Row]:
    """Yield the row model's total clocks on every device and trace against the cycle model's."""
    for name in list_devices():
        device = load_device(name)
        grouped = device.organisation.bank_groups.value > 1
        mappings = ["row-bank-column-group"] * grouped + ["row-bank-column"]
        for mapping in mappings:
            inputs.progress(f"{_PART}: row model against cycle model, {name} {mapping}")
            for key in PATTERNS:
                ours = row_clocks(row_model(device, mapping), key, line_bits(device), REQUESTS)
                yield compare(
                    _PART, f"row model, {name} {mapping} {key}", "total clocks",
                    reference=cycle_trace(name, mapping, key).cycles_total, ours=ours,
                    unit="clocks", source="the cycle model on the same device table",
                    tolerance=Tolerance.within(_ROW_TOLERANCE),
                    note=fit_note(name, mapping, key),
                )  # fmt: skip


CHECKS = (
    Check(_PART, "cycle model against analytic bounds", analytic_bounds),
    Check(_PART, "cycle model against published shares of the peak", shares_of_the_peak),
    Check(_PART, "row model against cycle model", row_against_cycle),
)
