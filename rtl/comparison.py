"""RTL against its timing model: cycles per tile and stage, and the causes of waiting."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from archsim.rtl.golden import GoldenTiles
from archsim.rtl.parameters import Parameters
from archsim.rtl.scene_image import SceneImage
from archsim.rtl.simulate import TileRun
from archsim.rtl.timing import ModelRun

__all__ = [
    "TOLERANCE_CYCLES", "TOLERANCE_SHARE", "compare_runs", "memory_requests", "stall_causes",
]  # fmt: skip

I64 = npt.NDArray[np.int64]

#: A tile agrees when it differs by no more than the larger of these.
TOLERANCE_SHARE, TOLERANCE_CYCLES = 0.1, 100

#: What a stage waits for: room behind it, or work.
_WAITS = ("blocked", "starved")
_BEAT_BYTES = 8


def compare_runs(hardware: TileRun, model: ModelRun, p: Parameters) -> dict[str, Any]:
    """Return the comparison of one set of tiles as plain data.

    ``tiles``: (RTL, model) cycles of each; ``total``; ``stages``: rows of stage, RTL, model cycles
    of work; ``causes``: of both, largest first; ``verdict``.
    """
    rtl, said = hardware.tile_cycles, model.tile_cycles
    allowed = np.maximum(rtl * TOLERANCE_SHARE, TOLERANCE_CYCLES)
    apart = np.abs(said - rtl)
    total = (int(hardware.finish.max()), int(model.finish.max()))
    relative = apart / np.maximum(rtl, 1)
    causes = stall_causes(hardware, model, p)
    top = {side: [c[0] for c in rows[:3]] for side, rows in causes.items()}
    return {
        "size": p.size,
        "tiles": [{"rtl": int(a), "model": int(b)} for a, b in zip(rtl, said, strict=True)],
        "total_rtl": total[0],
        "total_model": total[1],
        "total_error": total[1] / total[0] - 1,
        "tiles_within": int((apart <= allowed).sum()),
        "tile_error_median": float(np.median(relative)),
        "tile_error_p95": float(np.percentile(relative, 95)),
        "tile_error_worst": float((apart / allowed).max()),
        "stages": _stages(hardware, model, p),
        "causes": causes,
        "top_causes": top,
        "top_causes_agree": set(top["rtl"]) == set(top["model"]),
    }


def memory_requests(
    image: SceneImage, golden: GoldenTiles, burst: int
) -> tuple[tuple[I64, I64], tuple[I64, I64]]:
    """Return byte addresses and sizes of the coarse and the fine requests, in order.

    The fine records lie behind the coarse ones.
    """
    start = image.grid.start[golden.visits.voxel].astype(np.int64)
    loaded = golden.visits.loaded
    bursts = -(-loaded // burst)
    owner = np.repeat(np.arange(loaded.size), bursts)
    rank = np.arange(owner.size) - np.repeat(np.cumsum(bursts) - bursts, bursts)
    size = np.minimum(loaded[owner] - rank * burst, burst)
    kept = [first + np.flatnonzero(flags) for first, flags in zip(start, golden.keep, strict=True)]
    fine = np.concatenate([*kept, np.zeros(0, np.int64)]).astype(np.int64)
    behind = image.coarse.shape[0] * _BEAT_BYTES
    return (
        ((start[owner] + rank * burst) * _BEAT_BYTES, size * _BEAT_BYTES),
        (behind + fine * _BEAT_BYTES, np.full(fine.size, _BEAT_BYTES)),
    )


def stall_causes(
    hardware: TileRun, model: ModelRun, p: Parameters
) -> dict[str, list[tuple[str, int]]]:
    """Return (cause, cycles) of hardware and model, largest first.

    A cause is a stage and what it waits for. A stage of the hardware is blocked while it offers a
    result that is not taken, unless filters beside the one that offers still work, and starved for
    the rest of the run that it does not work.
    """
    c, slices = hardware.counters, min(hardware.slices, hardware.finish.size)
    total = sum(int(hardware.finish[k::slices].max()) for k in range(slices))
    busy = _busy(hardware, p)
    offered = {"coarse": c["survivor_stalled"], "fine": c["feature_stalled"], "render": 0}
    blocked = {stage: min(cycles, max(total - busy[stage], 0)) for stage, cycles in offered.items()}
    rtl = {f"{stage} blocked": cycles for stage, cycles in blocked.items() if stage != "render"}
    rtl |= {f"{stage} starved": max(total - busy[stage] - blocked[stage], 0) for stage in blocked}
    said = {
        f"{stage} {why}": model.causes[stage][why]
        for stage in blocked for why in _WAITS if f"{stage} {why}" in rtl
    }  # fmt: skip
    said["render starved"] -= model.causes["drain"]["busy"]
    return {
        side: sorted(((k, int(v)) for k, v in found.items()), key=lambda row: -row[1])
        for side, found in (("rtl", rtl), ("model", said))
    }


def _busy(hardware: TileRun, p: Parameters) -> dict[str, int]:
    """Return the cycles in which the hardware's stages work; the end of a tile is the render's."""
    c = hardware.counters
    return {
        "coarse": c["coarse_moved"] * p.coarse_interval // p.coarse_filters,
        "fine": c["fine_moved"] * p.fine_interval,
        "render": c["busy_cycles"] + c["drain_cycles"],
    }


def _stages(hardware: TileRun, model: ModelRun, p: Parameters) -> list[dict[str, Any]]:
    """Return cycles in which each stage works, by the hardware's counters and by the model."""
    busy = _busy(hardware, p)
    causes = model.causes
    said = {"coarse": causes["coarse"]["busy"], "fine": causes["fine"]["busy"],
            "render": causes["render"]["busy"] + causes["drain"]["busy"]}  # fmt: skip
    return [{"stage": n, "rtl": busy[n], "model": said[n], "error": said[n] / max(busy[n], 1) - 1}
            for n in busy]  # fmt: skip
