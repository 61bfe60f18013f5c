"""Claims as one HTML file that needs nothing else: the table, the ablation, the map, the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archsim.claims.bench import Bench
from archsim.claims.claim import Claims
from archsim.claims.verdict import Figure, Row, Section
from archsim.claims_table import ours_text, published_text
from archsim.page import render_page
from archsim.words import TIMES, digits

__all__ = ["ablation_figure", "render_claims"]

_COLORS = {"speed": "#0072B2", "energy": "#E69F00"}
#: bars of the ablation, as the paper has them, and what each is called
_BARS = {
    "gscore": "GSCore", "neither": "w/o VQ + CGF", "no-vq": "w/o VQ",
    "no-coarse-filter": "w/o CGF", "streaminggs": "StreamingGS",
    "sgs-on-lpddr4": "StreamingGS on LPDDR4",
}  # fmt: skip


def ablation_figure(bench: Bench, baseline: str = "orin-nx") -> Figure:
    """Return speed and energy of each variant over the GPU, as the paper's bars, per scene."""
    results = bench.results("default", [baseline, *_BARS])
    groups = [(scene, bench.summary(found, baseline)) for scene, found in results.items()]
    data: list[dict[str, Any]] = []
    for number, (what, key, title) in enumerate(
        (("speed", "speedup", "speed"), ("energy", "energy_saving", "energy saving"))
    ):
        axis = "" if number == 0 else "2"
        for shade, name in enumerate(_BARS):
            values = [systems[name][key] for _, systems in groups]
            quality = [systems[name]["psnr_db"] for _, systems in groups]
            data.append({
                "type": "bar", "name": _BARS[name], "x": [scene for scene, _ in groups],
                "y": values, "xaxis": f"x{axis}", "yaxis": f"y{axis}",
                "marker": {"color": _COLORS[what], "opacity": 0.25 + 0.15 * shade},
                "text": [digits(v) for v in values], "textposition": "outside", "cliponaxis": False,
                "hovertext": [
                    f"{_BARS[name]} on {scene}: {digits(v)}{TIMES} {title}, "
                    + ("exact image" if q is None else f"PSNR {q:.1f} dB")
                    for (scene, _), v, q in zip(groups, values, quality)
                ],
                "hoverinfo": "text",
            })  # fmt: skip
    layout = {
        "title": {"text": f"speed (above) and energy saving (below) over {baseline}", "x": 0,
                  "xref": "container", "xanchor": "left", "font": {"size": 14}},
        "barmode": "group", "height": 640, "showlegend": False, "bargap": 0.15,
        "margin": {"l": 50, "r": 10, "t": 40, "b": 40},
        "xaxis": {"domain": [0, 1], "anchor": "y", "fixedrange": True, "showgrid": False},
        "yaxis": {"domain": [0.55, 1], "fixedrange": True, "zeroline": False, "ticksuffix": TIMES},
        "xaxis2": {"domain": [0, 1], "anchor": "y2", "fixedrange": True, "showgrid": False},
        "yaxis2": {"domain": [0, 0.45], "fixedrange": True, "zeroline": False,
                   "ticksuffix": TIMES},
    }  # fmt: skip
    worst = {
        _BARS[name]: min((s[name]["psnr_db"] for _, s in groups if s[name]["psnr_db"] is not None),
                         default=None)
        for name in _BARS
    }  # fmt: skip
    words = ", ".join(f"{name} {'exact' if db is None else f'{db:.1f} dB'}"
                      for name, db in worst.items())  # fmt: skip
    return Figure(
        "The ablation", {"data": data, "layout": layout},
        note="Bars of a scene, left to right: " + ", ".join(_BARS.values()) + ". Image against the "
        f"exact render, worst scene: {words}.",
    )  # fmt: skip


def render_claims(claims: Claims, rows: Sequence[Row], figures: Sequence[Figure],
                  facts: Sequence[str], sections: Sequence[Section]) -> str:  # fmt: skip
    """Return the claims' report."""
    return render_page(
        "claims.html.j2",
        claims=claims,
        facts=facts,
        rows=[
            {
                "row": row, "claim": row.claim, "published": published_text(row.claim),
                "ours": ours_text(row),
                "scenes": ", ".join(f"{n} {digits(v.value)}" for n, v in row.by_scene.items()),
            }
            for row in rows
        ],
        figures=figures,
        sections=sections,
    )  # fmt: skip
