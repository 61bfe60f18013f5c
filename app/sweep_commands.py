"""``archsim sweep``. Slow imports are inside the command."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["sweep"]

_INTERRUPTED = 130


def sweep(
    study: Annotated[
        str,
        typer.Argument(metavar="STUDY", help="A YAML file, or the name of a shipped study; a wrong "
                       "name lists them."),
    ],
    jobs: Annotated[
        int | None,
        typer.Option(min=1, help="Local worker processes. Default: one per core."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the sweep in --out where it stopped.")
    ] = False,
    cluster: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Run on the Dask cluster with this scheduler, e.g. "
                     "tcp://host:8786, in place of local processes."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of table, report and best configurations. Default: "
                     "archsim-out/sweep-NAME."),
    ] = None,
    store: Annotated[
        Path | None,
        typer.Option(help="Folder of the store, where every point is kept and found by later "
                     "sweeps. Default: results in the user's cache."),
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="PATH=VALUE", help="Change a value of the study, e.g. "
                     "budget.points=100. May be given several times."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="In place of the study's.")] = None,
) -> None:  # fmt: skip
    """Explore a design space: search, Pareto front, sensitivity, report. Can be resumed."""
    from rich.console import Console

    from archsim.sweep_api import sweep as run_sweep
    from archsim.sweep_display import Display, front_table

    where = out if out is not None else Path("archsim-out") / f"sweep-{Path(study).stem}"
    errors = Console(stderr=True)
    try:
        with Display(errors) as display:
            found = run_sweep(
                study, set=assignments or [], out=where, store=store, jobs=jobs, cluster=cluster,
                resume=resume, seed=seed, watcher=display.show, command=["archsim", *sys.argv[1:]],
            )  # fmt: skip
    except KeyboardInterrupt:
        errors.print("interrupted; every finished point is stored: --resume goes on",
                     style="bold", highlight=False)  # fmt: skip
        raise typer.Exit(_INTERRUPTED) from None
    console = Console(highlight=False)
    console.print()
    console.print(front_table(found.resolved, found.front))
    console.print()
    counts = {status: sum(o.status == status for o in found.outcomes)
              for status in ("measured", "screened", "infeasible", "failed")}  # fmt: skip
    words = ", ".join(f"{count:,} {status}" for status, count in counts.items() if count)
    console.print(f"{len(found.outcomes):,} points: {words}; {found.manifest['ended']['search']}")
    for note in found.notes:
        style = "bold yellow" if note.startswith("warning") else "dim"
        console.print(note, style=style, markup=False, soft_wrap=True)
    if found.front:
        console.print(f"best points: archsim run {where / 'best' / 'middle.yaml'}", style="bold",
                      soft_wrap=True)  # fmt: skip
    console.print(f"report: {where / 'report.html'}", style="bold", soft_wrap=True)
