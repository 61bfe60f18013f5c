"""``result.json``: the one account of a run that every table, chart and file is a view of.

Values are means over the frames (cameras). Intervals are ``[low, high]``, from the ranges of the
constants, at the simulated time; those of ratios take both systems' extremes, as if their constants
were independent. What no constant's range reaches has ``null``: simulated time, and the bytes and
ratios that follow from the simulation alone (:data:`SIMULATED`) - not known exactly, but with an
error that nothing here measures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from archsim.base.errors import CheckError
from archsim.base.interval import Interval
from archsim.sim.result import SCHEMA_VERSION, FrameResult, SystemResult

__all__ = [
    "RATIOS",
    "SIMULATED",
    "SUMMED",
    "below_min_psnr",
    "measured_quantities",
    "ratio_of",
    "summarize",
]

_S = 1e-12  # seconds in a picosecond, joules in a picojoule

#: Quantities with an interval, in the order reports show them.
SUMMED = (
    "time_s", "fps", "energy_j", "energy_without_idle_j", "power_w", "dram_bytes", "area_mm2",
)  # fmt: skip
#: How many times less than the baseline: ratio -> quantity.
RATIOS = {
    "speedup": "time_s",
    "energy_saving": "energy_j",
    "energy_saving_without_idle": "energy_without_idle_j",
    "dram_saving": "dram_bytes",
}
#: Quantities whose interval is ``null``: the constants' ranges do not reach them.
SIMULATED = frozenset({"time_s", "fps", "speedup", "dram_bytes", "dram_saving"})


def summarize(
    results: Sequence[SystemResult],
    *,
    baseline: str,
    seed: int,
    workload: Mapping[str, Any],
    scene: Mapping[str, Any],
    min_psnr_db: float | None = None,
) -> dict[str, Any]:
    """Return the content of ``result.json``; the same results give the same bytes.

    ``workload`` is the configuration's, ``scene`` what is known of the scene (name, Gaussians).
    With ``min_psnr_db`` each system's ``meets_min_psnr`` says whether all its frames reach it.
    Raises :class:`CheckError` when a system took no time or no energy.
    """
    measured = {result.name: measured_quantities(result) for result in results}
    systems = {}
    for result in results:
        values = measured[result.name]
        ratios = {
            name: ratio_of(measured[baseline][key], values[key], same=result.name == baseline)
            for name, key in RATIOS.items()
        }
        systems[result.name] = _system(result, values, ratios)
        systems[result.name]["meets_min_psnr"] = _meets(result, min_psnr_db)
    return {
        "schema": SCHEMA_VERSION,
        "baseline": baseline,
        "min_psnr_db": min_psnr_db,
        "seed": seed,
        "workload": dict(workload),
        "scene": dict(scene),
        "cameras": [frame.camera for frame in results[0].frames],
        "systems": systems,
    }


def _meets(result: SystemResult, min_psnr_db: float | None) -> bool | None:
    if min_psnr_db is None:
        return None
    return all(
        frame.quality["exact"] or frame.quality["psnr_db"] >= min_psnr_db for frame in result.frames
    )


def below_min_psnr(result: Mapping[str, Any]) -> dict[str, float]:
    """Return the worst frame's PSNR of each system that misses a result's ``min_psnr_db``."""
    return {
        name: min(frame["psnr_db"] for frame in system["frames"] if not frame["exact"])
        for name, system in result["systems"].items()
        if system["meets_min_psnr"] is False
    }


def measured_quantities(result: SystemResult) -> dict[str, Interval]:
    """Return the quantities of :data:`SUMMED` that a system has; means over its frames."""
    time = Interval.exact(result.time_s)
    energy = result.energy_j
    if time.value <= 0 or energy.value <= 0:
        raise CheckError(
            f"{result.name}: a frame took {time.value} s and {energy.value} J",
            remedy="report this with the configuration: a model counted nothing",
        )
    values = {
        "time_s": time,
        "fps": Interval(1 / time.value, 1 / time.high, 1 / time.low),
        "energy_j": energy,
        "energy_without_idle_j": result.energy_without_idle_j,
        "power_w": Interval(
            energy.value / time.value, energy.low / time.high, energy.high / time.low
        ),
        "dram_bytes": Interval.exact(result.dram_bytes),
    }
    if result.area_mm2 is not None:
        values["area_mm2"] = _sum(result.area_mm2.values())
    return values


def ratio_of(baseline: Interval, own: Interval, *, same: bool) -> Interval | None:
    """Return how many times less than the baseline; ``same``: it is the baseline itself."""
    if same:
        return Interval.exact(1.0)
    if own.low <= 0:
        return None  # no bytes at all: a ratio says nothing
    return Interval(baseline.value / own.value, baseline.low / own.high, baseline.high / own.low)


def _system(
    result: SystemResult, values: Mapping[str, Interval], ratios: Mapping[str, Interval | None]
) -> dict[str, Any]:
    frames = [_frame(frame) for frame in result.frames]
    everything = {**values, **{name: ratio for name, ratio in ratios.items() if ratio}}
    names = (*SUMMED, *RATIOS)
    quality = result.quality
    return {
        "machine": result.machine,
        "mode": result.mode,
        "method": dict(result.method),
        **{name: everything[name].value if name in everything else None for name in names},
        "lower_bound": _lower_bound(frames),
        "dram_device": result.dram_device,
        "dram_peak_bytes_per_s": result.dram_peak_bytes_per_s,
        "exact": quality["exact"],
        "psnr_db": quality["psnr_db"],
        "ssim": quality["ssim"],
        "quality_errors": dict(quality.get("errors", {})),
        "interval": {
            name: None if name in SIMULATED else [everything[name].low, everything[name].high]
            for name in names
            if name in everything
        },
        "area_by_component_mm2": _intervals(result.area_mm2 or {}),
        "energy_by_component_j": _mean([f["energy_by_component_j"] for f in frames]),
        "energy_by_rail_j": _mean([f["energy_by_rail_j"] for f in frames]),
        "power_by_rail_w": _intervals(result.power_by_rail_w),
        "dram_bytes_by_stream": _mean([f["dram_bytes_by_stream"] for f in frames]),
        "time_by_cause_s": _mean([f["time_by_cause_s"] for f in frames]),
        "counts": dict(result.workload_counts),
        "fidelity": dict(result.fidelity),
        "assumed": dict(result.assumed),
        "notes": list(result.notes),
        "frames": frames,
    }


def _lower_bound(frames: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return what binds: the mean of the frames' largest bounds, and the first frame's unit."""
    if not all(frame["bounds"] for frame in frames):
        return None
    largest = [frame["bounds"][0] for frame in frames]
    return {
        "unit": largest[0]["unit"],
        "what": largest[0]["what"],
        "time_s": sum(row["bound_s"] for row in largest) / len(largest),
    }


def _frame(frame: FrameResult) -> dict[str, Any]:
    energy = frame.energy_by_component_pj
    stages = [
        {
            "stage": row["stage"],
            "unit": row["unit"],
            "tasks": row["tasks"],
            "busy_s": row["busy_ps"] * _S,
            "start_s": row["start_ps"] * _S,
            "finish_s": row["finish_ps"] * _S,
            "bytes": row.get("bytes"),
        }
        for row in frame.stages
    ]
    return {
        "camera": frame.camera,
        "time_s": frame.time_ps * _S,
        "energy_j": sum(part.value for part in energy.values()) * _S,
        "dram_bytes": sum(frame.dram_bytes_by_stream.values()),
        **{name: frame.quality[name] for name in ("exact", "psnr_db", "ssim")},
        "quality_errors": dict(frame.quality.get("errors", {})),
        "energy_by_component_j": {name: part.value * _S for name, part in energy.items()},
        "energy_interval_j": {
            name: [part.low * _S, part.high * _S] for name, part in energy.items()
        },
        "energy_by_rail_j": {name: e.value * _S for name, e in frame.energy_by_rail_pj.items()},
        "energy_by_rail_interval_j": {
            name: [e.low * _S, e.high * _S] for name, e in frame.energy_by_rail_pj.items()
        },
        "dram_bytes_by_stream": dict(frame.dram_bytes_by_stream),
        "dram_counts": dict(frame.dram_counts),
        "time_by_cause_s": {
            unit: {cause: ps * _S for cause, ps in causes.items()}
            for unit, causes in frame.time_by_cause_ps.items()
        },
        "stages": stages,
        "actions": dict(frame.actions),
        "buffers": [dict(row) for row in frame.buffers],
        "bounds": [
            {**{k: v for k, v in row.items() if k != "bound_ps"}, "bound_s": row["bound_ps"] * _S}
            for row in frame.bounds
        ],
    }


def _mean(frames: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the mean of mappings of numbers (or of mappings of numbers); absent counts as 0."""
    names = list(dict.fromkeys(name for frame in frames for name in frame))
    if any(isinstance(frame.get(name), Mapping) for frame in frames for name in names):
        return {name: _mean([frame.get(name, {}) for frame in frames]) for name in names}
    if len(frames) == 1:
        return dict(frames[0])  # whole numbers stay whole
    return {name: sum(frame.get(name, 0) for frame in frames) / len(frames) for name in names}


def _sum(parts: Any) -> Interval:
    total = Interval.exact(0.0)
    for part in parts:
        total = total + part
    return total


def _intervals(parts: Mapping[str, Interval]) -> dict[str, Any]:
    return {name: [part.value, part.low, part.high] for name, part in parts.items()}
