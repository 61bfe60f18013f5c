"""The report's charts as plain Plotly figures (data and layout), without colours of the page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import cycle
from typing import Any

from archsim.words import DASH, TIMES, digits, percent, quantity, scale_of

__all__ = [
    "CAUSES", "FULLNESS", "Figure", "cause_chart", "fullness_chart", "part_charts", "ratio_chart",
    "timeline_chart",
]  # fmt: skip

Figure = dict[str, Any]

#: Okabe and Ito's palette, told apart with any kind of colour vision; the baseline is grey.
_SYSTEMS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
_BASELINE = "#8A8F98"
#: Paul Tol's muted palette (its indigo lighter, for dark pages), and fills beyond nine parts.
_PARTS = ("#4F5BD5", "#88CCEE", "#DDCC77", "#CC6677", "#117733", "#AA4499", "#44AA99", "#999933",
          "#882255")  # fmt: skip
_FILLS = ("", "/", "x", ".")
_MEMORY = "#88CCEE"

#: cause -> colour and meaning
CAUSES = {
    "busy": ("#009E73", "doing work"),
    "memory": ("#CC79A7", "waiting for memory"),
    "blocked": ("#E69F00", "no room for the result"),
    "starved": ("#B8BEC6", "no work yet"),
}

#: what a bar of fullness shows -> colour
FULLNESS = {"mean over time": "#0072B2", "peak": "#9CC9E8"}

_ROW_PX = 34
_STAGE_PX = 22
_SHARES = {"range": [0, 1.03], "tickvals": [0, 0.25, 0.5, 0.75, 1], "tickformat": ".0%"}
#: Parts of a total below this share are drawn together.
_SMALL = 0.02


def ratio_chart(result: Mapping[str, Any], key: str, title: str) -> Figure:
    """Return bars of a ratio to the baseline, one per system, with its interval if it has one."""
    systems, baseline = result["systems"], result["baseline"]
    rows = [(name, s) for name, s in systems.items() if s[key] is not None]
    values = [s[key] for _, s in rows]
    bounds = [s["interval"][key] or (s[key], s[key]) for _, s in rows]  # none: no whisker
    labels = [
        {
            "x": high, "y": name, "text": f"<b>{digits(value)}{TIMES}</b>", "showarrow": False,
            "xanchor": "left", "xshift": 6,
        }
        for (name, _), value, (_, high) in zip(rows, values, bounds)
    ]  # fmt: skip
    trace: dict[str, Any] = {
        "type": "bar", "orientation": "h", "y": [name for name, _ in rows], "x": values,
        "marker": {"color": _system_colors([name for name, _ in rows], baseline)},
        "error_x": {
            "type": "data", "symmetric": False, "thickness": 1.5, "width": 5,
            "array": [b[1] - v if b[1] > b[0] else None for v, b in zip(values, bounds)],
            "arrayminus": [v - b[0] if b[1] > b[0] else None for v, b in zip(values, bounds)],
        },
        "hovertext": [
            f"{name}: {digits(v)}{TIMES}"
            + (f" ({digits(low)}{DASH}{digits(high)})" if low < high else "")
            for (name, _), v, (low, high) in zip(rows, values, bounds)
        ],
        "hoverinfo": "text",
    }  # fmt: skip
    if all(low == high for low, high in bounds):
        del trace["error_x"]
    most = max([high for _, high in bounds], default=1.0)
    return _figure([trace], title, len(rows), annotations=labels,
                   xaxis={"range": [0, most * 1.28], "nticks": 5, "ticksuffix": TIMES})  # fmt: skip


def part_charts(
    result: Mapping[str, Any], key: str, unit: str, title: str
) -> tuple[Figure, Figure, list[tuple[str, str, str]]]:
    """Return stacked bars of a total's parts, once absolute and once as shares, and the legend.

    The legend is (part, colour, fill) in the order drawn, largest first.
    """
    systems = result["systems"]
    totals = {name: sum(s[key].values()) or 1.0 for name, s in systems.items()}
    weight: dict[str, float] = {}
    for name, system in systems.items():
        for part, value in system[key].items():
            weight[part] = max(weight.get(part, 0.0), value / totals[name])
    shown = sorted((p for p in weight if weight[p] >= _SMALL), key=lambda p: -weight[p])
    drawn: dict[str, dict[str, float]] = {
        part: {name: s[key].get(part, 0.0) for name, s in systems.items()} for part in shown
    }
    small = [part for part in weight if part not in drawn]
    if small:
        drawn["all others"] = {
            name: sum(s[key].get(part, 0.0) for part in small) for name, s in systems.items()
        }
    looks = {
        part: (_PARTS[i % len(_PARTS)], _FILLS[i // len(_PARTS) % len(_FILLS)])
        for i, part in enumerate(drawn)
    }
    names, most = list(systems), max(totals.values())
    scale, scaled_unit = scale_of(most, unit)
    absolute, shares = (
        [_stacked(part, values, totals, looks[part], unit, per) for part, values in drawn.items()]
        for per in (dict.fromkeys(names, 1 / scale), totals)
    )
    labels = [
        {"x": total * scale, "y": name, "text": f"<b>{quantity(total, unit)}</b>",
         "showarrow": False, "xanchor": "left", "xshift": 6}
        for name, total in totals.items()
    ]  # fmt: skip
    first = _figure(absolute, title, len(names), annotations=labels,
                    xaxis={"range": [0, most * scale * 1.25], "nticks": 5,
                           "ticksuffix": f" {scaled_unit}"})  # fmt: skip
    second = _figure(shares, "share of each system's total", len(names),
                     xaxis=_SHARES)  # fmt: skip
    return first, second, [(part, *look) for part, look in looks.items()]


def timeline_chart(frame: Mapping[str, Any]) -> Figure:
    """Return when each stage of a frame ran, first to last."""
    stages = [s for s in _by_name(frame["stages"]) if s["finish_s"] > s["start_s"]]
    units = list(dict.fromkeys(stage["unit"] for stage in stages))
    memory = {stage["unit"] for stage in stages if stage["memory"]}
    others = cycle(color for color in _PARTS if color != _MEMORY)
    colors = {unit: _MEMORY if unit in memory else next(others) for unit in units}
    scale, unit = scale_of(frame["time_s"], "s")
    rows = [
        s["stage"] if s["stage"] == s["unit"] else f"{s['stage']} · {s['unit']}" for s in stages
    ]
    trace = {
        "type": "bar", "orientation": "h", "y": rows,
        "base": [s["start_s"] * scale for s in stages],
        "x": [(s["finish_s"] - s["start_s"]) * scale for s in stages],
        "marker": {"color": [colors[s["unit"]] for s in stages]},
        "hovertext": [s["words"] for s in stages],
        "hoverinfo": "text",
    }  # fmt: skip
    return _figure([trace], "when each stage runs", len(rows), row_px=_STAGE_PX,
                   xaxis={"range": [0, frame["time_s"] * scale], "nticks": 6,
                          "ticksuffix": f" {unit}"})  # fmt: skip


def _by_name(stages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return one row per stage: a stage on several units is named after one that computes."""
    names = dict.fromkeys(stage["stage"] for stage in stages)
    rows = []
    for name in names:
        parts = [stage for stage in stages if stage["stage"] == name]
        computing = [part for part in parts if part["bytes"] is None] or parts
        rows.append({
            "stage": name,
            "unit": max(computing, key=lambda part: part["busy_s"])["unit"],
            "memory": all(part["bytes"] is not None for part in parts),
            "start_s": min(part["start_s"] for part in parts),
            "finish_s": max(part["finish_s"] for part in parts),
            "words": "<br>".join(_stage_words(part) for part in parts),
        })  # fmt: skip
    return rows


def cause_chart(system: Mapping[str, Any]) -> Figure:
    """Return each unit's time by cause: busy, waiting for memory, blocked, starved."""
    units = system["time_by_cause_s"]
    totals = {unit: sum(causes.values()) or 1.0 for unit, causes in units.items()}
    traces = [
        {
            "type": "bar", "orientation": "h", "name": cause, "y": list(units),
            "x": [units[unit].get(cause, 0.0) / totals[unit] for unit in units],
            "marker": {"color": color},
            "hovertext": [
                f"{unit}: {percent(units[unit].get(cause, 0.0) / totals[unit])} {cause}, {meaning}"
                for unit in units
            ],
            "hoverinfo": "text",
        }
        for cause, (color, meaning) in CAUSES.items()
    ]  # fmt: skip
    return _figure(traces, "what each unit did", len(units), row_px=_STAGE_PX + 4,
                   xaxis=_SHARES)  # fmt: skip


def fullness_chart(frame: Mapping[str, Any]) -> Figure | None:
    """Return mean and peak of what every buffer and queue held, as shares of what it can hold."""
    rows = frame["buffers"]
    if not rows:
        return None
    words = [
        f"{row['buffer']}: {digits(row['mean'])} of {row['capacity']:,} {row['unit']} on average, "
        f"{row['peak']:,} at most"
        for row in rows
    ]
    shares = [
        [row["mean"] / row["capacity"] for row in rows],
        [(row["peak"] - row["mean"]) / row["capacity"] for row in rows],
    ]
    traces = [
        {"type": "bar", "orientation": "h", "name": name, "y": [row["buffer"] for row in rows],
         "x": share, "marker": {"color": color}, "hovertext": words, "hoverinfo": "text"}
        for name, share, color in zip(("mean", "peak"), shares, FULLNESS.values())
    ]  # fmt: skip
    return _figure(traces, "how full buffers and queues were", len(rows), row_px=_STAGE_PX + 4,
                   xaxis=_SHARES)  # fmt: skip


def _stacked(
    part: str, values: Mapping[str, float], totals: Mapping[str, float], look: tuple[str, str],
    unit: str, per: Mapping[str, float],
) -> dict[str, Any]:  # fmt: skip
    """Return one part of every system's bar, its length in units of ``per`` system."""
    color, fill = look
    pattern = {"shape": fill, "fgcolor": "#ffffff", "size": 6, "fillmode": "overlay"}
    return {
        "type": "bar", "orientation": "h", "name": part, "y": list(values),
        "x": [value / per[name] for name, value in values.items()],
        "marker": {"color": color, "pattern": pattern},
        "hovertext": [
            f"{name}: {part} {quantity(value, unit)}, {percent(value / totals[name])}"
            for name, value in values.items()
        ],
        "hoverinfo": "text",
    }  # fmt: skip


def _system_colors(names: Iterable[str], baseline: str) -> list[str]:
    others = iter(_SYSTEMS * 9)
    return [_BASELINE if name == baseline else next(others) for name in names]


def _stage_words(stage: Mapping[str, Any]) -> str:
    words = (
        f"{stage['stage']} on {stage['unit']}: {quantity(stage['start_s'], 's')} to "
        f"{quantity(stage['finish_s'], 's')}, {stage['tasks']:,} tasks, "
        f"{quantity(stage['busy_s'], 's')} of service"
    )
    return words if stage["bytes"] is None else f"{words}, {quantity(stage['bytes'], 'B')}"


def _figure(
    traces: list[dict[str, Any]], title: str, rows: int, *, xaxis: dict[str, Any],
    annotations: list[dict[str, Any]] | None = None, row_px: int = _ROW_PX,
) -> Figure:  # fmt: skip
    return {
        "data": traces,
        "layout": {
            "title": {"text": title, "x": 0, "xref": "container", "xanchor": "left",
                      "font": {"size": 14}},
            "barmode": "stack",
            "showlegend": False,
            "height": 84 + max(rows, 2) * row_px,
            "margin": {"l": 8, "r": 14, "t": 38, "b": 34},
            "bargap": 0.3,
            "xaxis": {"fixedrange": True, "zeroline": False, **xaxis},
            "yaxis": {"autorange": "reversed", "automargin": True, "fixedrange": True,
                      "ticksuffix": "  ", "showgrid": False, "type": "category", "dtick": 1},
            "annotations": annotations or [],
        },
    }  # fmt: skip
