"""Timing values of a DRAM device table, and their clocks at a data rate.

A table gives each time of :data:`TIMES` in nanoseconds (``trcd_read_ns``), in clocks
(``tccd_short_clocks``) or both, as data sheets do: the longer of the two counts. At another data
rate the nanoseconds stay and their clocks are counted anew, rounded up; clocks stay.

:func:`resolve` names the clocks as Ramulator 2.1 does (nRCD, nCCDS, nFAW ...), the same names for
all standards; where that simulator has two names for one thing (nRFC and nRFCab), both are there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from archsim.arch.dram.standards import DramClocks
from archsim.arch.sourced import Sourced

if TYPE_CHECKING:
    from archsim.arch.dram.device import DramDevice

__all__ = ["TIMES", "check_timing", "device_clocks", "duration_ns", "resolve", "timing_names"]

#: what every device has
_ALWAYS = {
    "tcl": "read command to its first data",
    "tcwl": "write command to its first data",
    "trcd": "activate to column command; to a read, where writes have their own",
    "trp": "precharge of one bank",
    "tras": "activate to precharge",
    "trrd_short": "activate to activate, other bank group",
    "tfaw": "window of four activates",
    "twr": "last write data to precharge",
    "trtp": "read command to precharge",
    "twtr_short": "last write data to a read of another bank group",
    "tccd_short": "column to column command, other bank group",
    "trefi": "interval of all-bank refreshes",
    "trfc": "duration of an all-bank refresh",
    "txp": "power-down exit to the next command",
}
#: what only some standards have
_SOMETIMES = {
    "trcd_write": "activate to write, where it differs from reads",
    "trp_all": "precharge of all banks, where it takes longer than of one",
    "trrd_long": "activate to activate, same bank group",
    "twtr_long": "last write data to a read of the same bank group",
    "tccd_long": "column to column command, same bank group",
    "trc": "activate to activate of one bank, where it is less than the clocks of tRAS and tRP",
    "tccd_long_write": "write to write command, same bank group, where it differs from reads",
    "tburst_long": "column access of a bank group, where it lasts longer than a burst",
    "trtrs": "LPDDR3, LPDDR4: idle data clocks between a read burst and a write's preamble",
    "twpre": "LPDDR3, LPDDR4: preamble of a write",
    "tppd": "precharge to precharge",
    "trefi_bank": "interval of per-bank refreshes",
    "trfc_bank": "duration of a per-bank refresh",
    "trefresh_refresh": "per-bank refresh to per-bank refresh, other bank",
    "trefresh_act": "per-bank refresh to activate, other bank",
    "taad": "LPDDR5: first to second command of an activate, at most",
    "tcas": "LPDDR5: idle clocks between data-clock synchronisation and column command",
    "twck_post": "LPDDR5: clocks that the data clock keeps running after a burst",
}
#: Timing values of a device, without their unit: name -> meaning.
TIMES = _ALWAYS | _SOMETIMES

#: Idle clocks between the bursts of two ranks (Ramulator 2.1); all devices here have one rank.
_RANK_GAP = 2

#: clocks of a time under the names of Ramulator 2.1
_NAMES = {
    "nCL": "tcl", "nCWL": "tcwl", "nRCD": "trcd", "nRCDRD": "trcd",
    "nRCDWR": "trcd_write", "nRP": "trp", "nRPab": "trp_all", "nRAS": "tras", "nWR": "twr",
    "nRTP": "trtp", "nRTPL": "trtp", "nPPD": "tppd", "nCCDS": "tccd_short", "nCCDL": "tccd_long",
    "nCCDS_WR": "tccd_short", "nCCD": "tccd_short", "nRRD": "trrd_short", "nWTR": "twtr_short",
    "nRTRS": "trtrs", "nWPRE": "twpre", "nRRDS": "trrd_short", "nRRDL": "trrd_long",
    "nWTRS": "twtr_short",
    "nWTRL": "twtr_long", "nFAW": "tfaw", "nRFC": "trfc", "nRFCab": "trfc", "nREFI": "trefi",
    "nRFCpb": "trfc_bank", "nREFIpb": "trefi_bank", "nPBR2PBR": "trefresh_refresh",
    "nPBR2ACT": "trefresh_act", "nRREFD": "trefresh_act", "nAAD": "taad", "nCAS": "tcas",
    "nWCKPST": "twck_post", "nXP": "txp", "nRC": "trc",
    "nCCDL_WR": "tccd_long_write", "nBL_max": "tburst_long",
}  # fmt: skip

#: clocks that are others', unless the table gives them, in an order that fills them
_ELSE = {
    "nRCDWR": "nRCD", "nRPab": "nRP", "nRRDL": "nRRDS", "nWTRL": "nWTRS", "nCCDL": "nCCDS",
    "nCCDL_WR": "nCCDL", "nBL_max": "nBL",
}  # fmt: skip


def check_timing(timing: dict[str, Sourced]) -> dict[str, Sourced]:
    """Return a table's timing; :class:`ValueError` for a time unknown, missing or unit-less."""
    known = {f"{time}_{unit}" for time in TIMES for unit in ("ns", "clocks")}
    unknown = sorted(set(timing) - known)
    if unknown:
        raise ValueError(f"unknown timing {unknown[0]!r}, expected a time and its unit: tcl_ns")
    missing = [t for t in _ALWAYS if not {f"{t}_ns", f"{t}_clocks"} & set(timing)]
    if missing:
        raise ValueError(f"missing timing {missing[0]}_ns or {missing[0]}_clocks")
    return timing


def timing_names() -> dict[str, str]:
    """Return the names of :func:`resolve`, each with the time of the table behind it."""
    return dict(_NAMES)


def _clocks(device: DramDevice, timing: Mapping[str, Sourced], time: str, rate: int) -> int | None:
    ns, clocks = timing.get(f"{time}_ns"), timing.get(f"{time}_clocks")
    if ns is None and clocks is None:
        return None
    counted = 0 if ns is None else device.clocks(ns.value, rate)
    return max(counted, 0 if clocks is None else int(clocks.value))


def duration_ns(device: DramDevice, time: str) -> float:
    """Return a time of :data:`TIMES` in nanoseconds, not rounded to clocks, at the own data rate.

    Zero for a time that the device does not have.
    """
    ns, clocks = device.timing.get(f"{time}_ns"), device.timing.get(f"{time}_clocks")
    return max(
        0 if ns is None else ns.value, 0 if clocks is None else clocks.value * device.clock_ns
    )


def resolve(device: DramDevice, data_rate_mt_s: float | None = None) -> dict[str, int]:
    """Return the timing of a device in clocks, at its own data rate or another.

    Times that the device does not have are absent, but for those that follow from others: ``nRC``
    is nRAS + nRP, ``nRCDWR`` is nRCD, ``nRPab`` is nRP, same-group times are those of other groups.
    ``nBL`` and ``nBL_min`` are the clocks of a burst, ``rate`` is in MT/s and ``tCK_ps`` the clock,
    to the nearest picosecond.
    """
    rate = round(device.data_rate_mt_s.value if data_rate_mt_s is None else data_rate_mt_s)
    timing = device.timing
    burst, beats = device.burst_clocks, int(device.organisation.beats_per_clock.value)
    clocks = {
        "rate": rate,
        "tCK_ps": round(beats * 1e6 / rate),
        "nBL": burst,
        "nBL_min": burst,
        "nCS": _RANK_GAP,
    }
    for name, time in _NAMES.items():
        counted = _clocks(device, timing, time, rate)
        if counted is not None:
            clocks[name] = counted
    clocks.setdefault("nRC", clocks["nRAS"] + clocks["nRP"])
    for name, same in _ELSE.items():
        clocks.setdefault(name, clocks[same])
    return clocks


def device_clocks(device: DramDevice, data_rate_mt_s: float | None = None) -> DramClocks:
    """Return one channel of a device in clocks of a data rate: what its standard's rules need."""
    o = device.organisation
    timings = resolve(device, data_rate_mt_s)
    page_bytes = int(o.page_bytes.value)
    channel_bytes = int(o.density_gbit.value * o.devices.value) << 27
    return DramClocks(
        standard=device.standard,
        ranks=1,
        bank_groups=int(o.bank_groups.value),
        banks_per_group=int(o.banks_per_group.value),
        rows=channel_bytes // (page_bytes * device.banks),
        columns=page_bytes // device.burst_bytes,
        burst_bytes=device.burst_bytes,
        clock_ps=o.beats_per_clock.value * 1e6 / timings["rate"],
        timings=timings,
    )
