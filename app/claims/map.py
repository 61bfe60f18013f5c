"""In which region of interval, DRAM, group and voxel sorting unit the published order holds.

Three statements, each true or not at a point: time without the coarse filter is about twice
(1.5 to 2.7 times, which the rounding of "halves" allows); of half the coarse filter units, half
the fine filter units, half the render units and no vector quantisation, the coarse units cost the
most time; and of the others quantisation costs the most.

What the voxel sorting unit does in a cycle is not published, and a machine bound by it depends on
nothing else. So each point is tried with three: one that enters every voxel met on the rays of all
pixels in its tables, one a cycle; one with rays through every fourth pixel in x and y; and one that
filters the pairs of voxels which neighbouring rays repeat.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

from archsim.claims.bench import Bench
from archsim.claims.verdict import Figure, Section
from archsim.words import digits

__all__ = ["OrderMap", "order_map"]

INTERVALS = (1, 2, 5, 10, 20, 55)
GROUPS = (32, 64, 128)
#: DRAM of a point: what it is called -> device, channels
DRAMS = {
    "LPDDR3 25.6 GB/s": ("lpddr3-1600", 4),
    "LPDDR4 51.2 GB/s": ("lpddr4-3200", 8),
    "LPDDR5 102.4 GB/s": ("lpddr5-6400", 8),
}
_PAIR, _STRIDE, _FILTER = "a pair a cycle", "rays of every 4th pixel", "repeated pairs filtered"
#: voxel sorting unit of a point: what it is called -> machine, stride of the rays
SORTERS = {
    _PAIR: ("streaminggs", 1),
    _STRIDE: ("streaminggs", 4),
    _FILTER: ("streaminggs-pair-filter", 1),
}
#: change of a point -> values of the machine as multiples, and of the method
_CHANGES: dict[str, tuple[dict[str, float], dict[str, Any]]] = {
    "full": ({}, {}),
    "no coarse filter": ({}, {"filter": "fine"}),
    "half CFU": ({"units.cfu.count": 0.5}, {}),
    "no VQ": ({}, {"vq": "none"}),
    "half FFU": ({"units.ffu.count": 0.5, "units.ffu.clusters": 0.5}, {}),
    "half VRU": ({"units.vru.count": 0.5}, {}),
}
_COUNTS = {"units.cfu.count": 16, "units.ffu.count": 4, "units.ffu.clusters": 4,
           "units.vru.count": 64}  # fmt: skip
_HALVES = (1.5, 2.7)

#: initiation interval of the coarse filter units, DRAM, side of the groups, voxel sorting unit
Point = tuple[int, str, int, str]
_KNOBS = ("half CFU", "no VQ", "half FFU", "half VRU")
STATEMENTS = (
    "without the coarse filter about twice the time",
    "half the coarse filter units cost the most",
    "no vector quantisation comes second",
)


@dataclass(frozen=True)
class OrderMap:
    """The map of one scene.

    Attributes
    ----------
    scene
    points : (interval, dram, group, sorter) -> time of each change over the full machine's
    """

    scene: str
    points: dict[Point, dict[str, float]]

    def holds(self, at: Point) -> tuple[bool, bool, bool]:
        """Return which of :data:`STATEMENTS` hold at a point."""
        times = self.points[at]
        knobs = sorted(_KNOBS, key=lambda name: -times[name])
        without = sorted((name for name in _KNOBS if name != "half CFU"),
                         key=lambda name: -times[name])  # fmt: skip
        return (
            _HALVES[0] <= times["no coarse filter"] <= _HALVES[1],
            knobs[0] == "half CFU" and times["half CFU"] > 1,
            without[0] == "no VQ" and times["no VQ"] > 1,
        )

    def section(self) -> Section:
        """Return the map as a table: one row per point, with the times behind it."""
        rows = []
        for at, times in self.points.items():
            marks = ["yes" if held else "no" for held in self.holds(at)]
            shown = [f"{times[name]:.2f}" for name in _CHANGES if name != "full"]
            rows.append((str(at[0]), at[1], f"{at[2]}x{at[2]}", at[3], *shown, *marks))
        held = {sorter: [all(self.holds(at)) for at in self.points if at[3] == sorter]
                for sorter in SORTERS}  # fmt: skip
        counts = ", ".join(f"{sum(marks)} of {len(marks)} with {sorter}"
                           for sorter, marks in held.items())  # fmt: skip
        return Section(
            f"Where the published order of the ablation holds, on {self.scene}",
            ("II of the CFUs", "DRAM", "group", "voxel sorter",
             *(name for name in _CHANGES if name != "full"), "filter halves", "CFUs first",
             "VQ next"),
            tuple(rows),
            note=f"times as multiples of the full machine's; all three hold at {counts}",
        )  # fmt: skip

    def figure(self) -> Figure:
        """Return the map as a picture: a heat map per group, how many statements hold."""
        data: list[dict[str, Any]] = []
        layout: dict[str, Any] = {
            "title": {"text": f"how much of the published order holds, {self.scene}", "x": 0,
                      "xref": "container", "xanchor": "left", "font": {"size": 14}},
            "height": 780, "margin": {"l": 8, "r": 8, "t": 66, "b": 46}, "annotations": [],
            "xaxis": {}, "showlegend": False,
        }  # fmt: skip
        width, high = 1 / len(GROUPS), 1 / len(SORTERS)
        facets = [(row, column) for row in range(len(SORTERS)) for column in range(len(GROUPS))]
        for number, (row, column) in enumerate(facets):
            group, sorter = GROUPS[column], list(SORTERS)[row]
            axis = "" if number == 0 else str(number + 1)
            at = [[(interval, dram, group, sorter) for interval in INTERVALS] for dram in DRAMS]
            cells = [[self.holds(point) for point in line] for line in at]
            data.append({
                "type": "heatmap", "x": [str(i) for i in INTERVALS], "y": list(DRAMS),
                "z": [[sum(held) for held in line] for line in cells],
                "text": [["".join("FCV"[i] if held[i] else "·" for i in range(3))
                          for held in line] for line in cells],
                "texttemplate": "%{text}", "zmin": 0, "zmax": 3, "showscale": False,
                "xgap": 2, "ygap": 2, "xaxis": f"x{axis}", "yaxis": f"y{axis}",
                "colorscale": [[0, "#E4E7EB"], [0.34, "#BBD7EA"], [0.67, "#6BAED6"],
                               [1, "#2171B5"]],
                "hovertext": [[_words(self.points[point]) for point in line] for line in at],
                "hoverinfo": "text",
            })  # fmt: skip
            left = column * width + (0.0 if column == 0 else 0.015)
            top = 1 - row * high
            last = row == len(SORTERS) - 1
            title = {"text": "II of the coarse filter units" if last else "", "font": {"size": 12}}
            layout[f"xaxis{axis}"] = {
                "domain": [left, (column + 1) * width - 0.015], "type": "category", "title": title,
                "anchor": f"y{axis}", "fixedrange": True, "showgrid": False,
                "showticklabels": last,
            }  # fmt: skip
            layout[f"yaxis{axis}"] = {
                "domain": [top - high + 0.04, top - 0.06], "anchor": f"x{axis}",
                "type": "category", "automargin": True, "fixedrange": True,
                "showticklabels": column == 0, "showgrid": False, "ticks": "",
            }  # fmt: skip
            layout["annotations"].append({
                "x": left, "y": top, "xref": "paper", "yref": "paper", "xanchor": "left",
                "text": f"groups of {group}x{group}, {sorter}", "showarrow": False,
                "font": {"size": 11},
            })  # fmt: skip
        return Figure(
            "The ablation's order", {"data": data, "layout": layout},
            note="F: " + STATEMENTS[0] + "; C: " + STATEMENTS[1] + "; V: " + STATEMENTS[2]
            + "; a dot: not so. Fine filters keep their interval of 10.",
        )  # fmt: skip


def _words(times: dict[str, float]) -> str:
    return "<br>".join(f"{name}: {digits(value)} times the time" for name, value in times.items()
                       if name != "full")  # fmt: skip


def _name(at: Point, change: str) -> str:
    interval, dram, group, sorter = at
    words = f"{sorter} {change}".replace(" ", "-")
    return f"map-{interval}-{DRAMS[dram][0]}-{group}-{words}"


def _system(at: Point, change: str) -> dict[str, Any]:
    """Return the machine of a point with one thing changed, as a run configuration has it."""
    interval, dram, group, sorter = at
    device, channels = DRAMS[dram]
    machine, stride = SORTERS[sorter]
    factors, method = _CHANGES[change]
    return {
        "machine": machine,
        "set": {
            "units.cfu.initiation_interval_cycles.value": interval,
            "memory.device": device,
            "memory.channels.value": channels,
            "buffers.pixel.capacity_bytes.value": max(65536, 16 * group**2),
            **{f"{place}.value": _COUNTS[place] * factor for place, factor in factors.items()},
        },
        "method": {"kind": "streaminggs", "group": [group, group], "ray_stride": stride, **method},
    }


def order_map(bench: Bench, kind: str = "default") -> OrderMap:
    """Run every change at every point on the first scene of a class."""
    scene = bench.scenes(kind)[0]
    names: dict[tuple[Point, str], str] = {}
    for at in product(INTERVALS, DRAMS, GROUPS, SORTERS):
        for change in _CHANGES:
            names[at, change] = bench.add(_name(at, change), _system(at, change))
    results = bench.on(scene, names.values())
    points: dict[Point, dict[str, float]] = {}
    for (at, change), name in names.items():
        full = results[names[at, "full"]].time_s
        points.setdefault(at, {})[change] = results[name].time_s / full
    return OrderMap(scene.name, points)
