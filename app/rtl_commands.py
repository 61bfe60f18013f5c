"""``archsim rtl``: Verilog, lint, waves, synthesis. Slow imports are inside the commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from archsim.rtl_sim_commands import compare, sim

__all__ = ["rtl_app"]

rtl_app = typer.Typer(
    no_args_is_help=True, help="The StreamingGS pipeline as RTL (needs the rtl extra)."
)

rtl_app.command()(sim)
rtl_app.command()(compare)

Config = Annotated[
    str, typer.Argument(metavar="CONFIG", help="A machine file, or a shipped machine's name.")
]
Size = Annotated[str, typer.Option(help="rtl-small, rtl-slice or full.")]


@rtl_app.command()
def generate(
    config: Config = "streaminggs",
    size: Size = "rtl-small",
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Default: archsim-out/rtl/MACHINE-SIZE."),
    ] = None,
) -> None:  # fmt: skip
    """Write the Verilog of a machine, with a manifest of what it was made from."""
    from archsim.progress import output_console
    from archsim.rtl_output import generate_rtl

    console = output_console()
    folder, manifest = generate_rtl(config, size, out)
    console.print(f"{folder / manifest['verilog']}: {manifest['lines']:,} lines, "
                  f"sha256 {manifest['sha256'][:16]}", soft_wrap=True)  # fmt: skip
    console.print(f"manifest: {folder / 'manifest.json'}", style="bold", soft_wrap=True)


@rtl_app.command()
def lint(config: Config = "streaminggs", size: Size = "rtl-small") -> None:
    """Check the generated Verilog with Verilator's lint; anything found exits with status 1."""
    from archsim.progress import output_console
    from archsim.rtl_output import lint_rtl

    said = lint_rtl(config, size)
    console = output_console()
    if said:
        console.print(said, markup=False, soft_wrap=True)
        raise typer.Exit(1)
    console.print(f"{config}, {size}: clean")
