"""``archsim rtl sim`` and ``compare``: tiles of a real scene. Slow imports are inside."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["compare", "sim"]

Config = Annotated[
    str, typer.Argument(metavar="CONFIG", help="A run configuration with a streaminggs system.")
]
Tiles = Annotated[
    str,
    typer.Option(
        help="Tiles of 16x16 pixels, row by row: all, random:N, random:N:seed=K, or 0-63,100."
    ),
]
Size = Annotated[
    str,
    typer.Option(
        help="rtl-small or rtl-slice (harmonics up to degree 2, as a scene "
        "is then loaded), or full (3)."
    ),
]
Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Change a value, e.g. "
                 "workload.scene=my.ply. May be given several times."),
]  # fmt: skip
Out = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Default: archsim-out/rtl/CONFIG-SIZE-COMMAND.")
]


def sim(
    config: Config = "streaminggs",
    tiles: Tiles = "random:64",
    size: Size = "rtl-small",
    assignments: Assignments = None,
    out: Out = None,
) -> None:
    """Render tiles in RTL: image, cycles and stalls, pixels held to the golden model."""
    from rich.console import Console

    from archsim.progress import ConsoleReporter, output_console
    from archsim.rtl.memory_timing import IDEAL
    from archsim.rtl_runs import (
        build_hardware,
        golden_quality,
        prepare,
        simulate,
        write_simulation,
    )
    from archsim.rtl_tables import simulation_tables

    reporter = ConsoleReporter(Console(stderr=True))
    prepared = prepare(config, assignments or [], size, tiles, reporter)
    done = simulate(prepared, build_hardware(prepared, reporter), IDEAL, reporter)
    folder = out or Path("archsim-out") / "rtl" / f"{prepared.run.name}-{size}-sim"
    data = write_simulation(prepared, done, golden_quality(prepared, reporter), folder)
    console = output_console()
    for table in simulation_tables(data):
        console.print(table)
    console.print(f"image: {folder / 'images' / 'rtl.png'}", style="bold", soft_wrap=True)


def compare(
    config: Config = "streaminggs",
    tiles: Tiles = "random:64",
    size: Size = "rtl-small",
    assignments: Assignments = None,
    out: Out = None,
) -> None:
    """Hold the timing model to the RTL's cycles: error table, scatter plot, stall causes."""
    from rich.console import Console

    from archsim.progress import ConsoleReporter, output_console
    from archsim.rtl_report import compare_tiles, write_comparison
    from archsim.rtl_runs import prepare
    from archsim.rtl_tables import comparison_tables

    reporter = ConsoleReporter(Console(stderr=True))
    prepared = prepare(config, assignments or [], size, tiles, reporter)
    rows = compare_tiles(prepared, reporter)
    folder = out or Path("archsim-out") / "rtl" / f"{prepared.run.name}-{size}-compare"
    write_comparison(prepared, rows, folder)
    console = output_console()
    for table in comparison_tables(rows):
        console.print(table)
    console.print(f"report: {folder / 'report.html'}", style="bold", soft_wrap=True)
