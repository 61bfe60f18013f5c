"""The cycle model against two public simulators, on the same timings and traces.

The reference figures are those of ``hardware/dram_reference.json``: Ramulator 2.1, whose policy is
the default of :class:`~archsim.sim.dram.cycle.Policy` and which therefore has to be met exactly,
and DRAMsim3. Against DRAMsim3 the device has the timings of its configuration in this project's
constraint tables, and the write buffer its marks (drained once full, until empty). What differs:

- it has a queue of 8 commands per bank behind its queue of 32 requests: one more cycle of
  latency, and up to 8 more requests per bank under way, so that reads wait two to three times as
  long under load, random reads find more banks, and a drain of the write buffer comes after more
  reads (copies);
- a row with queued hits is not closed before it has served four of them;
- writes are acknowledged a cycle after acceptance, and some stay in the buffer at the end;
- its read-to-write turnaround is tRTRS in all standards; DDR4's table has two clocks (preamble and
  postamble), one more.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from archsim.arch.dram.standards import DramClocks
from archsim.base.errors import InputError
from archsim.sim.dram.cycle.controller import CycleDram, CycleResult, Policy
from archsim.sim.dram.cycle.traces import formula_trace

__all__ = ["compare_reference", "reference_device", "run_case"]

Json = Mapping[str, Any]

#: Configurations that cannot be compared, and why.
LEFT_OUT = {
    "dramsim3_LPDDR4_2400_x64": "its file gives LPDDR4 bank groups, which the standard has not",
}
#: DRAMsim3's protocols and what each names otherwise: our timing -> its parameter, or clocks.
_PROTOCOLS: dict[str, tuple[str, dict[str, str | int]]] = {
    "DDR4": ("DDR4", {"nRFC": "tRFC", "nCS": 2}),
    "LPDDR3": ("LPDDR3", {"nRPab": "tRP", "nRTRS": "tRTRS", "nWPRE": 0, "nRFCpb": "tRFCb"}),
    "LPDDR4": (
        "LPDDR4",
        {"nRPab": "tRP", "nRTRS": "tRTRS", "nWPRE": 0, "nRFCpb": "tRFCb", "nPPD": "tPPD"},
    ),
    # its reader ignores tRTP_L and tRTP_S and has 5; its files give no tRFCb or tRREFD
    "HBM": (
        "HBM2",
        {"nRCDRD": "tRCDRD", "nRCDWR": "tRCDWR", "nRTPL": 5, "nRFCpb": 0, "nRREFD": 0, "nPPD": 0},
    ),
}
_SAME = {
    "nCL": "CL", "nCWL": "CWL", "nRCD": "tRCD", "nRP": "tRP", "nRAS": "tRAS", "nWR": "tWR",
    "nRTP": "tRTP", "nCCDS": "tCCD_S", "nCCDL": "tCCD_L", "nCCD": "tCCD_S", "nRRDS": "tRRD_S",
    "nRRDL": "tRRD_L", "nRRD": "tRRD_S", "nWTRS": "tWTR_S", "nWTRL": "tWTR_L", "nWTR": "tWTR_S",
    "nFAW": "tFAW", "nRFC": "tRFC", "nREFI": "tREFI",
}  # fmt: skip
_QUANTITIES = (
    "cycles_last_accept", "cycles_last_read_return", "cycles_last_write_issue", "cycles_total",
    "avg_read_latency", "max_read_latency", "row_hits", "row_misses", "row_conflicts",
    "read_row_hits", "read_row_misses", "read_row_conflicts", "row_hits_read",
    "num_read_reqs_forwarded", "num_write_reqs_coalesced",
)  # fmt: skip


def compare_reference(path: str | Path) -> pd.DataFrame:
    """Run every case of the reference figures and return a row per case and quantity.

    Columns: ``configuration``, ``case``, ``quantity``, ``reference``, ``ours``, ``error`` (ours
    relative to the reference) and ``exact``. For ``read_return_cycles``, the first 64 requests,
    the row shows the one that differs most.
    """
    figures = json.loads(Path(path).read_text("utf-8"))
    rows = []
    for name, configuration in figures["configurations"].items():
        if name in LEFT_OUT:
            continue
        for case in configuration["results"]:
            result = run_case(figures, name, case)
            for quantity, reference, ours in _pairs(configuration["results"][case], result):
                error = 0.0 if ours == reference else np.divide(ours - reference, abs(reference))
                rows.append(
                    (name, case, quantity, reference, ours, float(error), ours == reference)
                )
    columns = ["configuration", "case", "quantity", "reference", "ours", "error", "exact"]
    return pd.DataFrame(rows, columns=columns)


def run_case(figures: Json, name: str, case: str) -> CycleResult:
    """Run one case of the reference figures, such as ``cobg/refresh/random_r``."""
    configuration = figures["configurations"][name]
    device = reference_device(configuration)
    mappings = configuration["mappings_lsb_first"]
    result = configuration["results"][case]
    kind, _, trace = case.rpartition("/")
    policy = _policy(configuration)
    if kind == "micro":
        mapping = mappings["cobg" if "cobg" in mappings else "bgco"]
        steps = [
            step
            for step in figures["micro_sequences"]["sequences"][trace]
            if step[0] < device.bank_groups and step[1] < device.banks_per_group
        ]
        dram = CycleDram(device, mapping=mapping, refresh=False, policy=policy)
        return dram.run_trace([s[5] for s in steps], result["lines"], [s[4] for s in steps])
    which, _, refresh = kind.partition("/")
    dram = CycleDram(device, mapping=mappings[which], refresh=refresh == "refresh", policy=policy)
    return dram.run_trace(*formula_trace(trace, configuration["L"], result["n"]))


def reference_device(configuration: Json) -> DramClocks:
    """Return the device that one configuration of the reference figures describes."""
    fields = {"pc": 0} | dict(next(iter(configuration["mappings_lsb_first"].values())))
    if "resolved" in configuration:
        standard = configuration["resolved"]["standard"]
        timings = configuration["resolved"]["timing_cycles"]
        clock_ps = timings["tCK_ps"]
    else:
        standard, timings = _dramsim3_timings(configuration["ini"])
        clock_ps = 1000 * configuration["ini"]["timing"]["tCK"]
    return DramClocks(
        standard=standard,
        ranks=1 << fields["pc"],
        bank_groups=1 << fields["bg"],
        banks_per_group=1 << fields["ba"],
        rows=1 << fields["row"],
        columns=1 << fields["col"],
        burst_bytes=configuration["tx_bytes"],
        clock_ps=clock_ps,
        timings=timings,
    )


def _policy(configuration: Json) -> Policy:
    if "resolved" not in configuration:
        return Policy(write_high=31 / 32, write_low=1 / 32)
    wck = configuration["resolved"]["controller"].get("wck_sync_mode", "need_sync")
    return Policy(wck=wck)


def _dramsim3_timings(ini: Json) -> tuple[str, dict[str, int]]:
    given, structure = ini["timing"], ini["dram_structure"]
    if structure["protocol"] not in _PROTOCOLS:
        raise InputError(
            f"reference figures of DRAMsim3's protocol {structure['protocol']}",
            remedy=f"use {', '.join(_PROTOCOLS)}",
        )
    standard, own = _PROTOCOLS[structure["protocol"]]
    clocks = {ours: given[its] for ours, its in _SAME.items() if its in given}
    clocks |= {ours: its if isinstance(its, int) else given[its] for ours, its in own.items()}
    clocks["nBL"] = structure["BL"] // 2
    clocks["nRC"] = clocks["nRAS"] + clocks["nRP"]
    clocks.setdefault("nPPD", 0)
    return standard, clocks


def _pairs(expected: Json, result: CycleResult) -> Iterator[tuple[str, float, float]]:
    """Yield quantity, reference and ours."""
    reads = ~result.write
    returned = np.where(reads, result.return_cycle, -1)[: len(expected["read_return_cycles"])]
    reference = np.array(expected["read_return_cycles"])
    worst = int(np.argmax(np.abs(returned - reference)))
    yield "read_return_cycles", int(reference[worst]), int(returned[worst])
    ours = _quantities(result)
    for quantity in _QUANTITIES:
        if quantity in expected:
            yield quantity, expected[quantity], ours[quantity]
    counts = dict(result.commands)
    counts["PRE"] = counts["PREpb"]
    for command, count in expected.get("commands", {}).items():
        yield f"commands {command}", count, counts[command]


def _quantities(result: CycleResult) -> dict[str, float]:
    reads = ~result.write
    latency = result.read_latency_cycles
    return {
        "cycles_last_accept": int(result.accept_cycle.max()),
        "cycles_last_read_return": int(result.return_cycle[reads].max(initial=0)),
        "cycles_last_write_issue": int(result.return_cycle[~reads].max(initial=0)),
        "cycles_total": result.cycles_total,
        "avg_read_latency": round(float(latency.mean()), 4) if latency.size else 0,
        "max_read_latency": int(latency.max(initial=0)),
        "row_hits": result.row_hits,
        "row_misses": result.row_misses,
        "row_conflicts": result.row_conflicts,
        "read_row_hits": result.read_row_hits,
        "read_row_misses": result.read_row_misses,
        "read_row_conflicts": result.read_row_conflicts,
        "row_hits_read": result.commands["RD"] - result.read_row_misses
        - result.read_row_conflicts,
        "num_read_reqs_forwarded": result.forwarded_reads,
        "num_write_reqs_coalesced": result.absorbed_writes,
    }  # fmt: skip
