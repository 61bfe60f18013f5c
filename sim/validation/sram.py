"""SRAM costs against the sweep of CACTI 7 that the shipped table was taken from."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from archsim.arch.sram import off_table, sram, sram_table
from archsim.sim.validation.checks import Check
from archsim.sim.validation.inputs import Inputs
from archsim.sim.validation.row import Row, Tolerance, compare

__all__ = ["CHECKS"]

_PART = "sram"
_SWEEP = "hardware/cacti_sram.json"
_SOURCE = "CACTI 7 (1ffd8df), sweep of 441 memories from 1 KiB to 4 MiB, 64 to 512 bits"
_FIGURES = {"read energy": "read_pj", "write energy": "write_pj",
            "leakage": "leakage_mw", "area": "area_mm2"}  # fmt: skip
_UNITS = {"read energy": "pJ", "write energy": "pJ", "leakage": "mW", "area": "mm2"}
_SMALLEST = 4096  # bytes of the smallest memory of the table
#: The table gives two significant digits.
_ROUNDING = 0.05
#: Per cent that CACTI itself is off by against chips at most (10 to 30): less is agreement.
_ACCURACY = 30.0


def _figures(row: list[float | str]) -> dict[str, float]:
    return dict(zip(_FIGURES, (float(figure) for figure in row[4:8])))


def _model(row: list[float | str], quantity: str) -> float:
    node_nm, cell, capacity, word_bits = row[:4]
    cost = sram(float(capacity), float(word_bits), float(node_nm), str(cell))
    return float(getattr(cost, _FIGURES[quantity]).value)


def table(inputs: Inputs) -> Iterator[Row]:
    """Yield, per cell and node of the shipped table, the figure that its rounding moved most."""
    shipped = sram_table()
    sweep = inputs.json(_SWEEP)["rows"]
    for cell, by_node in shipped.cells.items():
        for node_nm in by_node:
            own = [
                row
                for row in sweep
                if (row[0], row[1], row[3]) == (node_nm, cell, shipped.word_bits)
                and row[2] // 1024 in by_node[node_nm]
            ]
            for quantity in _FIGURES:
                pairs = [(_figures(row)[quantity], _model(row, quantity), row[2]) for row in own]
                reference, ours, capacity = max(pairs, key=lambda p: abs(p[1] / p[0] - 1))
                yield compare(
                    _PART, f"shipped table, {cell} {node_nm:g} nm, worst of {len(own)}", quantity,
                    reference=reference, ours=ours, unit=_UNITS[quantity], source=_SOURCE,
                    tolerance=Tolerance.within(_ROUNDING), note=f"at {capacity // 1024} KiB",
                )  # fmt: skip


def whole_sweep(inputs: Inputs) -> Iterator[Row]:
    """Yield, per word, the error that 90 % of the sweep stays within, interpolation included."""
    sweep = inputs.json(_SWEEP)["rows"]
    chosen = [
        row for row in sweep if row[2] >= _SMALLEST and off_table(float(row[0]), row[1]) is None
    ]
    for word_bits in sorted({row[3] for row in chosen}):
        own = [row for row in chosen if row[3] == word_bits]
        for quantity in _FIGURES:
            ratios = np.array([_model(row, quantity) / _figures(row)[quantity] for row in own])
            worst = 100 * float(np.quantile(np.abs(ratios - 1), 0.9))
            yield compare(
                _PART, f"{word_bits}-bit words, {len(own)} memories", f"{quantity}, 90 % err by",
                reference=0.0, ours=worst, unit="%",
                source=f"{_SOURCE}; tolerance: what CACTI itself errs by against chips",
                tolerance=Tolerance(0.0, _ACCURACY, relative=False),
            )  # fmt: skip


CHECKS = (
    Check(_PART, "shipped table", table),
    Check(_PART, "interpolation over the whole sweep", whole_sweep),
)
