"""The report of a fine-tuning: one HTML file with loss curve, figures and images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from archsim.finetune_table import ROWS, decibels
from archsim.page import picture, render_page
from archsim.traces.gs3d.finetune.judge import Judged
from archsim.words import DASH, TIMES, percent

__all__ = ["loss_chart", "render_finetune_report"]

_AMPLIFIED = 8
_MOST_VIEWS = 4
_SMOOTHED = 16
#: Okabe and Ito's palette, told apart with any kind of colour vision.
_LOSS, _PSNR = "#0072B2", "#D55E00"

_WHEN = ("unquantised", "before", "after")


def render_finetune_report(metrics: Mapping[str, Any], judged: Sequence[Judged]) -> str:
    """Return the report of ``metrics.json`` and the held-out views as HTML."""
    settings = metrics["settings"]
    return render_page(
        "finetune.html.j2",
        metrics=metrics,
        mean=metrics["mean"],
        facts=_facts(metrics),
        gain=_gain(metrics["mean"]),
        figure=loss_chart(metrics["losses"]),
        rows=_rows(metrics),
        views=[_view(view) for view in judged[:_MOST_VIEWS]],
        views_left=max(0, len(judged) - _MOST_VIEWS),
        amplified=_AMPLIFIED,
        decibels=decibels,
        settings=[(k, v) for k, v in settings.items() if k != "streaming"]
        + list(settings["streaming"].items()),
    )


def loss_chart(losses: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return loss and PSNR of the training views over the steps as a Plotly figure.

    Each step sees one view; the lines are running means over 16 steps.
    """
    steps = [loss["step"] for loss in losses]
    known = [99.0 if loss["psnr_db"] is None else loss["psnr_db"] for loss in losses]

    def line(name: str, values: list[float], color: str, axis: str) -> dict[str, Any]:
        return {"type": "scatter", "mode": "lines", "name": name, "x": steps, "yaxis": axis,
                "y": [float(f"{v:.6g}") for v in _running_mean(values)],
                "line": {"color": color, "width": 2}}  # fmt: skip

    return {
        "data": [
            line("loss", [loss["loss"] for loss in losses], _LOSS, "y"),
            line("PSNR of training views", known, _PSNR, "y2"),
        ],
        "layout": {
            "height": 380,
            "margin": {"l": 80, "r": 70, "t": 20, "b": 50},
            "legend": {"orientation": "h", "y": 1.12, "x": 0},
            "xaxis": {"title": {"text": "step"}, "zeroline": False},
            "yaxis": {"title": {"text": "loss"}, "zeroline": False, "type": "log"},
            "yaxis2": {"title": {"text": "PSNR, dB"}, "overlaying": "y", "side": "right",
                       "zeroline": False, "showgrid": False},
        },
    }  # fmt: skip


def _running_mean(values: list[float]) -> npt.NDArray[np.float64]:
    total = np.concatenate([[0.0], np.cumsum(values)])
    end = np.arange(1, len(values) + 1)
    start = np.maximum(end - _SMOOTHED, 0)
    mean: npt.NDArray[np.float64] = (total[end] - total[start]) / (end - start)
    return mean


def _facts(metrics: Mapping[str, Any]) -> list[str]:
    scene, settings = metrics["scene"], metrics["settings"]
    streaming = settings["streaming"]
    width, height = metrics["split"]["resolution"]
    return [
        f"{scene['gaussians']:,} Gaussians",
        f"{metrics['voxels']['occupied']} voxels of {streaming['voxel_size']}",
        f"groups of {streaming['group'][0]}{TIMES}{streaming['group'][1]} pixels",
        f"order {streaming['order']}",
        "codebooks trained" if settings["quantise"] else "no codebooks",
        f"{settings['steps']} steps",
        f"{width}{TIMES}{height}",
        f"seed {settings['seed']}",
    ]


def _gain(mean: Mapping[str, Any]) -> str:
    before, after = mean["before"]["psnr_db"], mean["after"]["psnr_db"]
    return DASH if before is None or after is None else f"{after - before:+.2f} dB"


def _rows(metrics: Mapping[str, Any]) -> list[tuple[str, str, list[str]]]:
    """Return (label, meaning, cells) of the table of figures."""
    rows = [
        (view["camera"], "streamed, held out", [decibels(view[w]["psnr_db"]) for w in _WHEN])
        for view in metrics["views"]
    ]
    mean = metrics["mean"]
    rows.append(("mean", "streamed frame", [decibels(mean[w]["psnr_db"]) for w in _WHEN]))
    for key, label, meaning in ROWS:
        if key in mean["after"]:
            words = decibels if key.endswith("_db") else percent
            cells = [words(mean[w][key]) if key in mean[w] else DASH for w in _WHEN]
            rows.append((label, meaning, cells))
    return rows


def _view(view: Judged) -> dict[str, Any]:
    reference = view.images["reference"]
    shown = [{"title": "reference", "caption": "exact render of the scene as given",
              "src": picture(reference)}]  # fmt: skip
    if "target" in view.images:
        shown.append({"title": "image", "caption": "as given, trained against",
                      "src": picture(view.images["target"])})  # fmt: skip
    for when in ("before", "after"):
        image = view.images[when]
        words = f"streamed, {decibels(view.quality[when]['psnr_db'])}"
        shown.append({"title": when, "caption": words, "src": picture(image)})
        apart = np.abs(image.astype(np.int16) - reference.astype(np.int16))
        shown.append({
            "title": f"{when}: difference", "caption": f"largest {int(apart.max())} of 255",
            "src": picture(np.minimum(apart * _AMPLIFIED, 255).astype(np.uint8)),
        })  # fmt: skip
    return {"camera": view.camera, "images": shown}
