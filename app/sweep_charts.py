"""A study's charts as plain Plotly figures (data and layout), without colours of the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archsim.explore.analysis import Change
from archsim.explore.problem import Outcome
from archsim.explore.space import Space
from archsim.sweep_display import column_text, value_text
from archsim.words import DASH, percent, scale_of

__all__ = [
    "Figure",
    "axis_title",
    "curve_chart",
    "front_chart",
    "hover_text",
    "importance_chart",
    "parallel_chart",
    "sensitivity_chart",
    "space_chart",
]

Figure = dict[str, Any]

#: Okabe and Ito's palette, told apart with any kind of colour vision
_FRONT, _OTHER, _MISSED, _RANDOM = "#D55E00", "#8A8F98", "#CC79A7", "#0072B2"
_OBJECTIVES = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9")
_SCALE = "Viridis"
_UNITS = {"_s": "s", "_j": "J", "_w": "W", "_bytes": "B", "_js": "J·s", "_bytes_per_s": "B/s"}
_ROW_PX = 34


def axis_title(column: str, values: Sequence[float]) -> tuple[float, str]:
    """Return the factor that scales a column's numbers for an axis, and the axis' title."""
    for ending in sorted(_UNITS, key=len, reverse=True):
        if column.endswith(ending):
            most = max((abs(v) for v in values), default=1.0) or 1.0
            factor, unit = scale_of(most, _UNITS[ending])
            return factor, f"{column.removesuffix(ending).replace('_', ' ')}, {unit}"
    for ending, unit in (("_mm2", "mm²"), ("_db", "dB")):
        if column.endswith(ending):
            return 1.0, f"{column.removesuffix(ending).replace('_', ' ')}, {unit}"
    return 1.0, column.replace("_", " ")


def hover_text(outcome: Outcome, columns: Sequence[str]) -> str:
    """Return a point's configuration, results and bottleneck."""
    parts = [f"{name} {value_text(value)}" for name, value in outcome.point.items()]
    lines = [", ".join(parts[i : i + 4]) for i in range(0, len(parts), 4)]
    lines += [f"<b>{c} {column_text(c, outcome.columns.get(c))}</b>" for c in columns]
    for system in dict.fromkeys(c.partition(".")[0] for c in columns):
        unit = outcome.columns.get(f"{system}.bottleneck")
        if unit:
            share = outcome.columns.get(f"{system}.share.{unit}.busy")
            busy = f", {percent(share)} busy" if share is not None else ""
            lines.append(f"{system} bound by {unit}{busy}")
    return "<br>".join(lines)


def _groups(outcomes: Sequence[Outcome], front: Sequence[Outcome]
            ) -> list[tuple[str, list[Outcome], dict[str, Any]]]:  # fmt: skip
    """Return (name, points, marker) in the order drawn, the front last."""
    on_front = {id(o) for o in front}
    seen = [o for o in outcomes if o.values is not None and id(o) not in on_front]
    groups = [
        ("screened only", [o for o in seen if o.status == "screened"],
         {"color": _OTHER, "symbol": "circle-open", "size": 5, "opacity": 0.5}),
        ("misses a constraint", [o for o in seen if o.status == "measured" and not o.valid],
         {"color": _MISSED, "symbol": "x-thin-open", "size": 6, "line": {"width": 1.2}}),
        ("random, to compare", [o for o in seen if o.valid and o.source == "random"],
         {"color": _RANDOM, "size": 5, "opacity": 0.35}),
        ("dominated", [o for o in seen if o.valid and o.source != "random"],
         {"color": _OTHER, "size": 6, "opacity": 0.6}),
        ("Pareto front", sorted(front, key=lambda o: o.values or ()),
         {"color": _FRONT, "size": 9}),
    ]  # fmt: skip
    return [group for group in groups if group[1]]


def _numbers(outcomes: Sequence[Outcome], column: str) -> list[float | None]:
    return [None if (v := o.columns.get(column)) is None else float(v) for o in outcomes]


def front_chart(outcomes: Sequence[Outcome], front: Sequence[Outcome], x: str, y: str,
                shown: Sequence[str]) -> Figure:  # fmt: skip
    """Return all points over two columns; the front's are joined where there are two objectives."""
    everyone = [o for o in outcomes if o.values is not None]
    fx, title_x = axis_title(x, [v for v in _numbers(everyone, x) if v is not None])
    fy, title_y = axis_title(y, [v for v in _numbers(everyone, y) if v is not None])
    traces = []
    for name, points, marker in _groups(outcomes, front):
        joined = name == "Pareto front" and len(shown) == 2
        points = sorted(points, key=lambda o: o.columns[x]) if joined else points
        traces.append({
            "type": "scatter", "mode": "lines+markers" if joined else "markers", "name": name,
            "x": _scaled(_numbers(points, x), fx), "y": _scaled(_numbers(points, y), fy),
            "marker": marker, "hoverinfo": "text",
            "hovertext": [hover_text(o, shown) for o in points],
            **({"line": {"shape": "hv", "width": 1.5, "color": _FRONT}} if joined else {}),
        })  # fmt: skip
    return {"data": traces, "layout": {
        "height": 480, "margin": {"l": 70, "r": 20, "t": 30, "b": 60}, "hovermode": "closest",
        "legend": {"orientation": "h", "y": 1.1, "x": 0},
        "xaxis": {"title": {"text": title_x}, "zeroline": False, "automargin": True},
        "yaxis": {"title": {"text": title_y}, "zeroline": False, "automargin": True},
    }}  # fmt: skip


def space_chart(outcomes: Sequence[Outcome], front: Sequence[Outcome], columns: Sequence[str],
                shown: Sequence[str]) -> Figure:  # fmt: skip
    """Return all points over three columns."""
    everyone = [o for o in outcomes if o.values is not None]
    scales = [axis_title(c, [v for v in _numbers(everyone, c) if v is not None]) for c in columns]
    traces = []
    for name, points, marker in _groups(outcomes, front):
        data = {
            key: _scaled(_numbers(points, column), factor)
            for key, column, (factor, _) in zip("xyz", columns, scales)
        }
        symbol = {"x-thin-open": "x", "circle-open": "circle-open"}.get(marker.get("symbol", ""))
        traces.append({
            "type": "scatter3d", "mode": "markers", "name": name, **data,
            "marker": {"color": marker["color"], "size": max(2, marker["size"] - 4),
                       "opacity": marker.get("opacity", 1), "symbol": symbol or "circle"},
            "hoverinfo": "text", "hovertext": [hover_text(o, shown) for o in points],
        })  # fmt: skip
    scene = {f"{key}axis": {"title": {"text": title}} for key, (_, title) in zip("xyz", scales)}
    return {"data": traces, "layout": {
        "height": 620, "margin": {"l": 0, "r": 0, "t": 30, "b": 0}, "scene": scene,
        "legend": {"orientation": "h", "y": 1.05, "x": 0},
    }}  # fmt: skip


def _scaled(values: Sequence[float | None], factor: float) -> list[float | None]:
    return [None if v is None else v * factor for v in values]


def parallel_chart(space: Space, names: Sequence[str], outcomes: Sequence[Outcome],
                   columns: Sequence[str], colored: str) -> Figure:  # fmt: skip
    """Return measured points as lines across the parameters ``names`` and result columns."""
    points = [o for o in outcomes if o.status == "measured"]
    dimensions: list[dict[str, Any]] = []
    for name in names:
        axis = space.axes[name]
        if axis.levels is not None:
            values = [axis.index(o.point[name]) if name in o.point else -1 for o in points]
            absent = -1 in values
            ticks = list(range(-1 if absent else 0, len(axis.levels)))
            texts = [DASH if t < 0 else value_text(axis.levels[t]) for t in ticks]
            thin = max(1, len(ticks) // 12)
            dimensions.append({
                "label": name, "values": values, "tickvals": ticks[::thin],
                "ticktext": texts[::thin], "range": [ticks[0], ticks[-1] or 1],
            })  # fmt: skip
        else:
            low = axis.span[0]
            numbers = [float(o.point.get(name, low)) for o in points]
            dimensions.append({"label": name, "values": numbers})
    for column in columns:
        known = [v for v in _numbers(points, column) if v is not None]
        factor, title = axis_title(column, known)
        top = max(known, default=0.0)
        dimensions.append({"label": title, "values": [
            (top if v is None else v) * factor for v in _numbers(points, column)
        ]})  # fmt: skip
    known = [v for v in _numbers(points, colored) if v is not None]
    factor, title = axis_title(colored, known)
    line = {
        "color": [(v or 0.0) * factor for v in _numbers(points, colored)],
        "colorscale": _SCALE, "showscale": True, "colorbar": {"title": {"text": title}},
    }  # fmt: skip
    return {
        "data": [{"type": "parcoords", "line": line, "dimensions": dimensions, "labelangle": -20}],
        "layout": {"height": 470, "margin": {"l": 60, "r": 60, "t": 90, "b": 30}},
    }


def importance_chart(shares: dict[str, dict[str, float]]) -> Figure:
    """Return bars of the share of variance that each parameter explains, per objective."""
    names = list(next(iter(shares.values())))
    order = sorted(names, key=lambda n: sum(values[n] for values in shares.values()))
    traces = [
        {"type": "bar", "orientation": "h", "name": objective, "y": order,
         "x": [values[n] for n in order], "marker": {"color": color},
         "hovertext": [f"{n}: {percent(values[n])} of {objective}" for n in order],
         "hoverinfo": "text"}
        for (objective, values), color in zip(shares.items(), _OBJECTIVES * 3)
    ]  # fmt: skip
    legend = 24 * len(shares)  # one line per objective, above the bars
    height = 80 + legend + (_ROW_PX if len(shares) < 3 else 46) * len(order)
    return {"data": traces, "layout": {
        "height": height, "barmode": "group",
        "margin": {"l": 110, "r": 20, "t": 20 + legend, "b": 40},
        "legend": {"y": 1, "yanchor": "bottom", "x": 0, "traceorder": "reversed"},
        "xaxis": {"tickformat": ".0%", "rangemode": "tozero", "zeroline": False},
        "yaxis": {"automargin": True, "showgrid": True},
    }}  # fmt: skip


def sensitivity_chart(changes: Sequence[Change], index: int, objective: str) -> Figure:
    """Return bars of how an objective changes at one step along each parameter."""
    mine = [c for c in changes if c.ratios is not None]
    extent = {c.parameter: 0.0 for c in mine}
    for c in mine:
        assert c.ratios is not None  # chosen above
        extent[c.parameter] = max(extent[c.parameter], abs(c.ratios[index] - 1))
    mine.sort(key=lambda c: (extent[c.parameter], c.parameter))
    labels = [f"{c.parameter} {value_text(c.old)} → {value_text(c.new)}" for c in mine]
    values = [(c.ratios or ())[index] - 1 for c in mine]
    colors = [_MISSED if not c.outcome.valid else _RANDOM if v <= 0 else "#E69F00"
              for c, v in zip(mine, values)]  # fmt: skip
    trace = {
        "type": "bar", "orientation": "h", "y": labels, "x": values, "marker": {"color": colors},
        "text": [f"{v:+.1%}" for v in values], "textposition": "outside", "cliponaxis": False,
        "hovertext": [
            f"{label}: {v:+.2%}" + ("" if c.outcome.valid else "; misses a constraint")
            for label, c, v in zip(labels, mine, values)
        ],
        "hoverinfo": "text",
    }  # fmt: skip
    most = max([abs(v) for v in values], default=0.01) or 0.01
    return {"data": [trace], "layout": {
        "height": 80 + 26 * len(mine), "margin": {"l": 180, "r": 30, "t": 30, "b": 40},
        "title": {"text": objective, "x": 0, "font": {"size": 14}}, "showlegend": False,
        "xaxis": {"tickformat": "+.0%", "range": [-1.35 * most, 1.35 * most], "zeroline": True,
                  "nticks": 5},
        "yaxis": {"automargin": True, "showgrid": True},
    }}  # fmt: skip


def curve_chart(curves: dict[str, list[tuple[int, float]]]) -> Figure:
    """Return hypervolume over evaluated points, one line per way of choosing them."""
    traces = [
        {"type": "scatter", "mode": "lines", "name": name, "x": [n for n, _ in curve],
         "y": [v for _, v in curve], "line": {"color": color, "width": 2, "shape": "hv"},
         "hovertemplate": "%{x} points: %{y:.4f}"}
        for (name, curve), color in zip(curves.items(), (_FRONT, _RANDOM))
    ]  # fmt: skip
    return {"data": traces, "layout": {
        "height": 360, "margin": {"l": 70, "r": 20, "t": 30, "b": 60},
        "legend": {"orientation": "h", "y": 1.12, "x": 0},
        "xaxis": {"title": {"text": "points evaluated"}, "rangemode": "tozero"},
        "yaxis": {"title": {"text": "hypervolume, share of the box"}},
    }}  # fmt: skip
