"""``archsim streaminggs``: the algorithm looked at by itself. Slow imports are inside commands."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["streaminggs_app"]

streaminggs_app = typer.Typer(
    no_args_is_help=True,
    help="Look into StreamingGS's algorithm: voxel orders, filters, operations.",
)

Config = Annotated[
    str,
    typer.Argument(metavar="CONFIG", help="A YAML file, or the name of a shipped one: its workload "
                   "and its first system with method streaminggs."),
]  # fmt: skip
Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Change a value of the configuration."),
]


@streaminggs_app.command()
def orders(config: Config = "streaminggs", assignments: Assignments = None) -> None:
    """Stream the frames once by each ordering rule: legality, PSNR, misorder, and the best."""
    from rich.console import Console

    from archsim.progress import ConsoleReporter, output_console
    from archsim.streaminggs_tables import orders_table

    output_console().print(
        orders_table(config, assignments or [], ConsoleReporter(Console(stderr=True)))
    )


@streaminggs_app.command()
def filters(
    config: Config = "streaminggs",
    fractions: Annotated[
        str, typer.Option(help="Voxel sizes K of extent/K, with commas.")
    ] = "8,12,16,24,32",
    groups: Annotated[
        str, typer.Option(help="Sizes of pixel groups, with commas.")
    ] = "16x16,32x32,64x64",
    assignments: Assignments = None,
) -> None:
    """Show how much the filters remove over voxel size and group, and where 76.3 % lies."""
    from rich.console import Console

    from archsim.progress import ConsoleReporter, output_console
    from archsim.streaminggs_tables import filters_table

    reporter = ConsoleReporter(Console(stderr=True))
    output_console().print(filters_table(config, assignments or [], fractions, groups, reporter))


@streaminggs_app.command()
def operations(
    sh_degree: Annotated[
        int, typer.Option(min=0, max=3, help="Degree of the spherical harmonics.")
    ] = 3,
) -> None:
    """List what the filters compute per Gaussian, step by step, beside the published 55 and 427."""
    from archsim.progress import output_console
    from archsim.streaminggs_tables import operations_table

    output_console().print(operations_table(sh_degree))
