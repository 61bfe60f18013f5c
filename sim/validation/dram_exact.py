"""The command-level DRAM model against Ramulator 2.1, exactly, and DRAMsim3, within bounds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from archsim.sim.dram.cycle.reference import LEFT_OUT, compare_reference
from archsim.sim.validation.checks import Check
from archsim.sim.validation.dram_traces import simulator_source
from archsim.sim.validation.inputs import Inputs
from archsim.sim.validation.row import Row, Tolerance, compare, skipped

__all__ = ["CHECKS"]

_PART = "dram"
_FILE = "hardware/dram_reference.json"
_RAMULATOR, _DRAMSIM3 = "ramulator2_", "dramsim3_"
#: DRAMsim3: reads whose neighbouring bursts lie in different banks, and everything else.
_INTERLEAVED_READS, _ELSEWHERE = 0.03, 0.20
_COMPARED = {"cycles_total": "total clocks", "avg_read_latency": "mean read latency"}


def against_simulators(inputs: Inputs) -> Iterator[Row]:
    """Yield a row per group of Ramulator's cases, and rows of every case of DRAMsim3."""
    file = inputs.json(_FILE)
    inputs.progress(f"{_PART}: running the cases of {_FILE}")
    found = compare_reference(inputs.path(_FILE))
    for name, of_one in found.groupby("configuration", sort=False):
        source = simulator_source(file, str(name))
        if str(name).startswith(_RAMULATOR):
            yield from _exact(str(name), of_one, source)
        else:
            yield from _close(str(name), of_one, source, file["configurations"][name])
    for name, why in LEFT_OUT.items():
        yield skipped(_PART, f"cycle model, {name}", "everything", why)


def _exact(name: str, found: pd.DataFrame, source: str) -> Iterator[Row]:
    kind = found["case"].str.rpartition("/")[0]
    for group, rows in found.groupby(kind, sort=False):
        equal = rows.groupby("case", sort=False)["exact"].all()
        others = [str(case).rpartition("/")[2] for case in equal.index[~equal]]
        yield compare(
            _PART, f"cycle model, {name} {group}", "cases equal in every figure",
            reference=len(equal), ours=int(equal.sum()), unit="cases", source=source,
            tolerance=Tolerance.exact(), note=f"not {', '.join(others)}" if others else "",
        )  # fmt: skip


def _close(
    name: str, found: pd.DataFrame, source: str, configuration: Mapping[str, Any]
) -> Iterator[Row]:
    for row in found.to_dict("records"):
        if row["quantity"] not in _COMPARED or row["reference"] == 0:
            continue
        allowed = (
            _INTERLEAVED_READS if _interleaved_reads(row["case"], configuration) else _ELSEWHERE
        )
        yield compare(
            _PART, f"cycle model, {name} {row['case']}", _COMPARED[row["quantity"]],
            reference=float(row["reference"]), ours=float(row["ours"]), unit="clocks",
            source=source, tolerance=Tolerance.within(allowed),
        )  # fmt: skip


def _interleaved_reads(case: str, configuration: Mapping[str, Any]) -> bool:
    """Return whether a case reads only and neighbouring bursts lie in different banks."""
    kind, _, trace = case.rpartition("/")
    if kind == "micro" or not trace.endswith("_r"):
        return False
    fields = configuration["mappings_lsb_first"][kind.partition("/")[0]]
    lowest = next(name for name, bits in fields if bits)
    return bool(lowest in ("bg", "ba"))


CHECKS = (Check(_PART, "cycle model against command-level simulators", against_simulators),)
