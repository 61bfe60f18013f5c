"""``archsim compare``. Slow imports are inside the command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["compare"]


def compare(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN RUN...", help="Folders of finished runs.")
    ],
    baseline: Annotated[
        str | None,
        typer.Option(metavar="RUN/SYSTEM", help="What all are compared with. Default: the first "
                     "run's baseline."),
    ] = None,
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="The report, one HTML file.")
    ] = Path("archsim-out/compare.html"),
) -> None:  # fmt: skip
    """Compare finished runs: every system of all of them, and what differs in between."""
    from rich.console import Console
    from rich.table import Table

    from archsim.base.errors import ConfigError
    from archsim.compare import compare_runs
    from archsim.dram_trace import written
    from archsim.report import render_report
    from archsim.table import comparison

    if len(runs) < 2:
        raise ConfigError("one run has nothing to be compared with", place="compare",
                          remedy="give two or more folders of finished runs")  # fmt: skip
    found = compare_runs(runs, baseline)
    page = render_report(found.data, found.manifest, found.images)
    with written(out) as aside:
        aside.write_text(page, encoding="utf-8")
    console = Console(highlight=False)
    console.print()
    console.print(comparison(found.data))
    if found.differences:
        table = Table(box=None, pad_edge=False, header_style="bold", title="what differs",
                      title_justify="left", title_style="bold")  # fmt: skip
        for name in ("", *found.manifest["runs"]):
            table.add_column(name, overflow="fold")
        for path, values in found.differences.items():
            table.add_row(path, *("" if value is None else str(value) for value in values))
        console.print()
        console.print(table)
    console.print()
    for text in found.warnings:
        console.print(f"warning: {text}", style="bold yellow", markup=False, soft_wrap=True)
    console.print(f"report: {out}", style="bold", soft_wrap=True)
