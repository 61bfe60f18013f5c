"""The terminal's view of a fine-tuning: PSNR before and after, errors apart, misorder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from archsim.words import DASH, percent

__all__ = ["ROWS", "decibels", "finetune_table"]

#: figure of a held-out view, its name, and what it is
ROWS = (
    ("order_psnr_db", "order alone", "voxel order instead of depth order, same parameters"),
    ("coverage_psnr_db", "coverage alone", "Gaussians of voxels that no ray crosses are lost"),
    ("parameters_psnr_db", "parameters alone", "codebooks and tuning, in exact order"),
    ("target_psnr_db", "against the images", "the streamed frame against the given image"),
    ("misordered_pixel_fraction", "misordered, by alpha T", "of the blending weight of pixels"),
    ("misordered_size_fraction", "misordered, by size", "of the groups' Gaussians, by scale"),
    ("misordered_group_fraction", "misordered, by count", "of the groups' Gaussians"),
)


def decibels(value: float | None) -> str:
    """Return a PSNR in words; None is an identical image."""
    return "exact" if value is None else f"{value:.2f} dB"


def finetune_table(metrics: Mapping[str, Any]) -> Table:
    """Return the table of ``metrics.json``."""
    scene, split, mean = metrics["scene"], metrics["split"], metrics["mean"]
    resolution = "x".join(str(n) for n in split["resolution"])
    title = Text(scene["name"], "bold").append(
        f"  {scene['gaussians']:,} Gaussians, {metrics['voxels']['occupied']} voxels, order "
        f"{metrics['settings']['streaming']['order']}, held-out views at {resolution}",
        "not bold dim",
    )
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("held-out view", no_wrap=True)
    for name in ("not quantised", "before", "after", "gain"):
        table.add_column(name, justify="right", header_style="bold cyan")
    for view in metrics["views"]:
        _psnr_row(table, view["camera"], view, "")
    table.add_section()
    _psnr_row(table, "mean PSNR", mean, "bold")
    for key, label, _ in ROWS:
        if key not in mean["after"]:
            continue
        words = decibels if key.endswith("_db") else percent
        cells = [words(mean[w][key]) if key in mean[w] else DASH for w in _WHEN]
        table.add_row(Text(label, "dim"), *(Text(cell, "dim") for cell in cells), "")
    return table


_WHEN = ("unquantised", "before", "after")


def _psnr_row(table: Table, label: str, figures: Mapping[str, Any], style: str) -> None:
    before, after = figures["before"]["psnr_db"], figures["after"]["psnr_db"]
    gain = DASH if before is None or after is None else f"{after - before:+.2f} dB"
    table.add_row(
        Text(label, style), *(Text(decibels(figures[w]["psnr_db"]), style) for w in _WHEN),
        Text(gain, "bold green" if gain.startswith("+") else ""),
    )  # fmt: skip
