"""``archsim rtl compare``: the RTL's cycles against the timing model's, as a report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from archsim.output import to_json, write_folder
from archsim.page import render_page
from archsim.progress import Reporter
from archsim.rtl.arithmetic.cycles import UnitCycles
from archsim.rtl.comparison import (
    TOLERANCE_CYCLES,
    TOLERANCE_SHARE,
    compare_runs,
    memory_requests,
)
from archsim.rtl.memory_timing import IDEAL, MemoryTiming, recorded_dram
from archsim.rtl.parameters import BURST
from archsim.rtl.timing import model_tiles
from archsim.rtl_runs import Prepared, build_hardware, golden_quality, simulate

__all__ = ["compare_tiles", "write_comparison"]

_COLOURS = ("#0072B2", "#E69F00")


def compare_tiles(prepared: Prepared, reporter: Reporter) -> list[dict[str, Any]]:
    """Return the comparison with ideal memories, and with the machine's DRAM as recorded."""
    library = build_hardware(prepared, reporter)
    quality = golden_quality(prepared, reporter)
    with reporter.step("record the DRAM's responses"):
        slices = prepared.parameters.slices
        recorded = [
            recorded_dram(prepared.machine, *memory_requests(
                prepared.image, prepared.golden.of_slice(number, slices), BURST))
            for number in range(slices)
        ]  # fmt: skip
    rows = []
    memories: list[tuple[str, Sequence[MemoryTiming]]] = [
        ("ideal", [IDEAL] * slices), ("recorded DRAM", recorded)
    ]  # fmt: skip
    for name, memory in memories:
        done = simulate(prepared, library, memory, reporter)
        with reporter.step("timing model"):
            model = model_tiles(prepared.golden, prepared.parameters, memory)
        row = compare_runs(done.hardware, model, prepared.parameters)
        speed = done.hardware.run.cycles / max(done.seconds, 1e-9)
        psnr = None if np.isinf(quality[0]) else quality[0]
        rows.append({**row, "memory": name, "psnr_db": psnr, "equal": done.equal,
                     "cycles_per_cpu_s": speed})  # fmt: skip
    return rows


def write_comparison(prepared: Prepared, rows: Sequence[Mapping[str, Any]], folder: Path) -> None:
    """Write ``result.json`` and ``report.html``."""
    data = {
        "schema": "archsim-result-rtl-compare-1",
        "configuration": prepared.run.name,
        "machine": prepared.parameters.machine,
        "size": prepared.parameters.size,
        "parameters": prepared.parameters.describe(),
        "unit_cycles": asdict(UnitCycles.of(prepared.parameters)),
        "camera": prepared.camera.name,
        "resolution": [prepared.camera.width, prepared.camera.height],
        "voxel_size": prepared.voxel_size,
        "scene": prepared.scene,
        "tiles": prepared.tiles,
        "comparisons": list(rows),
    }
    page = render_comparison(data)

    def fill(where: Path) -> None:
        (where / "report.html").write_text(page, encoding="utf-8")
        (where / "result.json").write_text(to_json(data), encoding="utf-8")

    write_folder(folder, fill)


def render_comparison(data: Mapping[str, Any]) -> str:
    """Return the report's page."""
    scene = data["scene"]
    return render_page(
        "rtl_compare.html.j2",
        data=data,
        facts=[
            f"{data['configuration']}, {data['camera']}, {'x'.join(map(str, data['resolution']))}",
            f"{scene['name']}, {scene['gaussians']:,} Gaussians, harmonics of degree "
            f"{scene['sh_degree']}",
            f"{len(data['tiles'])} tiles of 16x16 pixels",
            f"voxels {data['voxel_size']}",
        ],
        figure=_scatter(data["comparisons"]),
        share=TOLERANCE_SHARE,
        cycles=TOLERANCE_CYCLES,
    )


def _scatter(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return cycles per tile, model over RTL, with the tolerated band."""
    traces: list[dict[str, Any]] = []
    most = max((max(t["rtl"], t["model"]) for row in rows for t in row["tiles"]), default=1)
    grid = np.geomspace(50, most * 1.3, 200)
    band = np.maximum(grid * TOLERANCE_SHARE, TOLERANCE_CYCLES)
    for edge in (grid + band, np.maximum(grid - band, 1)):
        traces.append({"type": "scatter", "mode": "lines", "x": grid.tolist(), "y": edge.tolist(),
                       "line": {"color": "#8A8F98", "width": 1, "dash": "dot"},
                       "hoverinfo": "skip", "showlegend": False})  # fmt: skip
    for row, colour in zip(rows, _COLOURS, strict=False):
        traces.append({
            "type": "scatter", "mode": "markers", "name": row["memory"],
            "x": [t["rtl"] for t in row["tiles"]], "y": [t["model"] for t in row["tiles"]],
            "marker": {"color": colour, "size": 7, "opacity": 0.7},
            "hovertemplate": "RTL %{x:,}<br>model %{y:,}<extra></extra>",
        })  # fmt: skip
    ends = [math.log10(40), math.log10(most * 1.3)]
    axis = {"type": "log", "zeroline": False, "range": ends, "dtick": 1}
    return {
        "data": traces,
        "layout": {
            "height": 560, "margin": {"l": 70, "r": 20, "t": 20, "b": 60},
            "xaxis": {**axis, "title": {"text": "cycles of a tile, RTL"}},
            "yaxis": {**axis, "title": {"text": "cycles of a tile, model"}},
            "legend": {"orientation": "h", "y": 1.05},
        },
    }  # fmt: skip
