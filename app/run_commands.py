"""``archsim run``: a configuration's systems side by side."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

__all__ = ["run"]


def run(
    config: Annotated[
        str,
        typer.Argument(metavar="CONFIG", help="A YAML file, or the name of a shipped one."),
    ],
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="PATH=VALUE", help="Change a value, e.g. "
                     "workload.resolution=[640,360]. May be given several times."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the result: new, empty or an earlier result, which is "
                     "replaced. Default: archsim-out/NAME, with a --set scene's name appended."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="In place of the configuration's.")] = None,
    engine: Annotated[
        Literal["auto", "simpy", "compiled"],
        typer.Option(help="What executes the programs; the result is the same."),
    ] = "auto",
    min_psnr: Annotated[
        float | None,
        typer.Option("--min-psnr", metavar="DB", min=0, help="What every frame of every system "
                     "must reach against the exact render; exit 1, after writing everything, when "
                     "one does not."),
    ] = None,
) -> None:  # fmt: skip
    """Run a configuration: compare its systems in a table, files and an HTML report."""
    from rich.console import Console

    from archsim.api import run as run_config
    from archsim.output import default_folder
    from archsim.progress import ConsoleReporter
    from archsim.summary import below_min_psnr
    from archsim.table import comparison

    where = out if out is not None else default_folder(config, assignments or [])
    errors = Console(stderr=True)
    result = run_config(
        config,
        set=assignments or [],
        out=where,
        seed=seed,
        engine=engine,
        min_psnr_db=min_psnr,
        reporter=ConsoleReporter(errors),
        command=["archsim", *sys.argv[1:]],
    )
    console = Console(highlight=False)
    console.print()
    console.print(comparison(result.data))
    console.print()
    for note in result.notes:
        style = "bold yellow" if note.startswith("warning") else "dim"
        console.print(note, style=style, markup=False, soft_wrap=True)
    console.print(f"report: {where / 'report.html'}", style="bold", soft_wrap=True)
    missed = below_min_psnr(result.data)
    for name, psnr in missed.items():
        errors.print(
            f"{name}: {psnr:.2f} dB in its worst frame, below --min-psnr {min_psnr:g}",
            style="bold red", markup=False, soft_wrap=True,
        )  # fmt: skip
    if missed:
        raise typer.Exit(1)
