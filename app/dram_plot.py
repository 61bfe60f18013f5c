"""The bandwidth-latency curve of a device as one HTML file that needs nothing else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from archsim.arch.dram import DramDevice
from archsim.dram_trace import written
from archsim.page import render_page
from archsim.sim.dram.curve import Point
from archsim.words import digits

__all__ = ["curve_chart", "write_curve"]

#: Okabe and Ito's palette, told apart with any kind of colour vision.
_COLORS = ("#0072B2", "#56B4E9", "#D55E00", "#E69F00")
_MARKERS = ("circle", "square", "diamond", "triangle-up")
_TICKS_NS = [step * 10**power for power in range(5) for step in (1, 2, 5)]
#: Latencies beyond this multiple of the lowest are a queue that only grows.
_MOST_LATENCY = 40


def curve_chart(points: Sequence[Point], peak_gb_s: float) -> dict[str, Any]:
    """Return latency over achieved bandwidth as a Plotly figure, one line per pattern."""
    traces = []
    for number, pattern in enumerate(dict.fromkeys(p.pattern for p in points)):
        mine = [p for p in points if p.pattern == pattern]
        traces.append({
            "type": "scatter", "mode": "lines+markers", "name": pattern,
            "x": [p.achieved_gb_s for p in mine], "y": [p.latency_ns for p in mine],
            "line": {"color": _COLORS[number % len(_COLORS)], "width": 2},
            "marker": {"symbol": _MARKERS[number % len(_MARKERS)], "size": 7},
            "hovertext": [
                f"{pattern}: offered {digits(p.offered_gb_s)}, got {digits(p.achieved_gb_s)} GB/s"
                f"<br>{digits(p.latency_ns)} ns, 99 % within {digits(p.latency_p99_ns)} ns"
                for p in mine
            ],
            "hoverinfo": "text",
        })  # fmt: skip
    lowest = min(p.latency_ns for p in points)
    top = _MOST_LATENCY * lowest
    return {
        "data": traces,
        "layout": {
            "height": 520,
            "margin": {"l": 70, "r": 20, "t": 20, "b": 60},
            "legend": {"orientation": "h", "y": 1.08, "x": 0},
            "xaxis": {"title": {"text": "achieved bandwidth, GB/s"}, "zeroline": False,
                      "range": [0, peak_gb_s * 1.03]},
            "yaxis": {"title": {"text": "mean read latency, ns"}, "zeroline": False,
                      "type": "log", "range": [math.log10(lowest * 0.7), math.log10(top)],
                      "tickvals": _TICKS_NS, "ticktext": [f"{t:,}" for t in _TICKS_NS]},
            "shapes": [{"type": "line", "x0": peak_gb_s, "x1": peak_gb_s, "y0": 0, "y1": 1,
                        "yref": "paper", "line": {"dash": "dot", "width": 1.5,
                                                  "color": "#8A8F98"}}],
        },
    }  # fmt: skip


def write_curve(
    file: Path, device: DramDevice, mapping: str, points: Sequence[Point], requests: int
) -> None:
    """Write the curve's page; :class:`~archsim.base.errors.OutputError` where it cannot be."""
    peak = device.bandwidth_gb_s()
    page = render_page(
        "dram_curve.html.j2",
        device=device,
        facts=[
            f"one channel, {digits(peak)} GB/s at the pins (dotted)",
            mapping,
            f"{requests:,} requests per point",
            "command-level controller, with refresh",
        ],
        points=points,
        figure=curve_chart(points, peak),
    )
    with written(file) as aside:
        aside.write_text(page, encoding="utf-8")
