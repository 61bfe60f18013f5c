"""``archsim claims``: published figures beside ours. Slow imports are inside the command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["claims"]


def claims(
    system: Annotated[
        str | None, typer.Argument(help="Whose; all systems with published figures without it.")
    ] = None,
    row: Annotated[
        list[str] | None,
        typer.Option("--row", metavar="ID", help="Only this figure. May be given several times."),
    ] = None,
    scene: Annotated[
        str | None,
        typer.Option(help="Measure on this scene instead: a file, a folder or builtin:NAME."),
    ] = None,
    lod: Annotated[
        int | None, typer.Option(help="Level of detail of --scene, 0 is the finest.")
    ] = None,
    finetuned: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A scene that archsim finetune wrote, for the figures "
                     "after fine-tuning; --scene names the scene it was made from."),
    ] = None,
    order: Annotated[
        str, typer.Option(help="Order of voxels that --finetuned was tuned for.")
    ] = "dag",
    data: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Real scenes to measure on, too. Default: "
                     "ARCHSIM_DATA."),
    ] = None,
    order_map: Annotated[
        bool,
        typer.Option("--map", help="Show in which region of initiation interval, DRAM and group "
                     "the published order of the ablation holds."),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="For claims.html and claims.json. Default: "
                     "archsim-out/claims-SYSTEM."),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print JSON instead of tables.")
    ] = False,
) -> None:  # fmt: skip
    """Print each published figure, its source and certainty, ours with its range, and a verdict.

    Verdicts are within, outside (with the reason), fit and no-data. The exit status is 0 when
    every figure has one, whatever they are.
    """
    from archsim.claims.claim import list_claims
    from archsim.claims_run import print_claims

    for name in [system] if system is not None else list_claims():
        print_claims(
            name, rows=row or [], scene=scene, lod=lod, finetuned=finetuned, order=order,
            data=data, with_map=order_map,
            out=out if out is not None else Path("archsim-out") / f"claims-{name}", as_json=json,
        )  # fmt: skip
