"""Terminal tables of ``archsim rtl sim`` and ``compare``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

__all__ = ["comparison_tables", "simulation_tables"]


def simulation_tables(data: Mapping[str, Any]) -> list[Table]:
    """Return the tables of a simulation's ``result.json``."""
    facts = Table(title=f"{data['size']} of {data['machine']}", show_header=False, box=None)
    tiles, speed = len(data["tiles"]), data["simulation"]
    psnr = "exact" if data["psnr_db"] is None else f"{data['psnr_db']:.1f} dB"
    scene = data["scene"]
    for name, value in (
        ("scene", f"{scene['name']}, {scene['gaussians']:,} Gaussians, "
                  f"harmonics of degree {scene['sh_degree']}"),
        ("tiles equal to the golden model", f"{data['tiles_equal_to_golden']} of {tiles}"),
        ("against the float renderer, same order", psnr),
        ("cycles", f"{data['cycles']:,}"),
        ("cycles per tile", f"{data['cycles'] / max(tiles, 1):,.0f}"),
        ("simulated per CPU second",
         f"{speed['cycles_per_cpu_s'] / 1e6:.2f} M cycles, {speed['tiles_per_cpu_s']:.1f} tiles"),
        ("Gaussians loaded, past the coarse and past the fine filter",
         " → ".join(f"{data['counters'][n]:,}" for n in ("loaded", "kept", "stored"))),
        ("subtiles blended, skipped as done",
         ", ".join(f"{data['counters'][n]:,}" for n in ("blended", "skipped_subtiles"))),
        ("early stop: visits and records dropped",
         ", ".join(f"{data['counters'][n]:,}" for n in ("skipped_voxels", "dropped"))),
    ):  # fmt: skip
        facts.add_row(name, value)
    streams = Table(title="cycles of each stream")
    for name in ("stream", "moved", "stalled", "starved"):
        streams.add_column(name, justify="left" if name == "stream" else "right")
    counters = data["counters"]
    for name in [n.removesuffix("_moved") for n in counters if n.endswith("_moved")]:
        streams.add_row(name, *(f"{counters[f'{name}_{s}']:,}"
                                for s in ("moved", "stalled", "starved")))  # fmt: skip
    return [facts, streams]


def comparison_tables(rows: Sequence[Mapping[str, Any]]) -> list[Table]:
    """Return the error table and the causes of waiting; a row is one size and memory."""
    errors = Table(title="timing model against RTL")
    for name in ("size", "memory", "tiles", "RTL cycles", "model", "total error", "tile median",
                 "tile 95 %", "tiles within"):  # fmt: skip
        errors.add_column(name, justify="left" if name in ("size", "memory") else "right")
    causes = Table(title="cycles waited, largest three")
    for name in ("size", "memory", "RTL", "model", "agree"):
        causes.add_column(name)
    for row in rows:
        errors.add_row(
            row["size"], row["memory"], f"{len(row['tiles'])}", f"{row['total_rtl']:,}",
            f"{row['total_model']:,}", f"{row['total_error']:+.2%}",
            f"{row['tile_error_median']:.2%}", f"{row['tile_error_p95']:.2%}",
            f"{row['tiles_within']} of {len(row['tiles'])}",
        )  # fmt: skip
        shown = ["\n".join(f"{n} {c:,}" for n, c in row["causes"][side][:3])
                 for side in ("rtl", "model")]  # fmt: skip
        causes.add_row(
            row["size"], row["memory"], *shown, "yes" if row["top_causes_agree"] else "no"
        )
    return [errors, causes]
