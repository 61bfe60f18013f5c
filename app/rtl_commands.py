"""``archsim rtl``: Verilog, lint, benches, waves, synthesis. Slow imports are in the commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

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


@rtl_app.command()
def verify(
    block: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only this block; may be repeated. Default: all."),
    ] = None,
    beats: Annotated[
        int | None,
        typer.Option(min=1, help="Random vectors of the longest run. Default: the bench's, 10^5."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of stimuli and stalls.")] = 1,
    cocotb: Annotated[
        bool,
        typer.Option("--cocotb", help="Drive the blocks from cocotb, too: 3,000 beats and a reset "
                     "in mid-stream."),
    ] = False,
) -> None:  # fmt: skip
    """Hold the blocks and a small top to their models under random stalls; show the coverage.

    A bit that differs or a broken contract ends it with an error; a bin that never happened or a
    port bit that never toggled exits with status 1.
    """
    from rich.console import Console

    from archsim.progress import ConsoleReporter, output_console
    from archsim.rtl_verify import verify_rtl

    reporter = ConsoleReporter(Console(stderr=True))
    table, left_out = verify_rtl(block or [], beats, seed, cocotb, reporter)
    console = output_console()
    console.print(table)
    for line in left_out:
        console.print(line, markup=False, soft_wrap=True)
    if left_out:
        raise typer.Exit(1)


@rtl_app.command()
def wave(
    config: Annotated[
        str, typer.Argument(metavar="CONFIG", help="A run configuration with a streaminggs system.")
    ] = "streaminggs",
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="Where to: .fst (needs liblz4-dev) or .vcd.")
    ] = Path("archsim-out/rtl/wave.fst"),
    size: Size = "rtl-small",
    tiles: Annotated[str, typer.Option(help="Tiles, as in archsim rtl sim.")] = "random:1",
    block: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Only this block, under its bench's random beats."),
    ] = None,
    start: Annotated[
        int | None,
        typer.Option("--from", min=0, help="First cycle. Default: when the tables are loaded."),
    ] = None,
    cycles: Annotated[int | None, typer.Option(min=1, help="How many. Default: 2000.")] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="PATH=VALUE", help="Change a value, e.g. "
                     "workload.scene=my.ply. May be given several times."),
    ] = None,
) -> None:  # fmt: skip
    """Write the waves of a window of cycles, of the whole machine or of one block."""
    from rich.console import Console

    from archsim.progress import ConsoleReporter, output_console
    from archsim.rtl_output import wave_of_block, wave_of_tiles

    reporter = ConsoleReporter(Console(stderr=True))
    if block is not None:
        window = wave_of_block(block, out, start, cycles, reporter)
    else:
        window = wave_of_tiles(config, size, tiles, assignments or [], out, start, cycles, reporter)
    output_console().print(f"cycles {window[0]:,} to {window[1] - 1:,}: {out}", style="bold",
                           soft_wrap=True)  # fmt: skip


@rtl_app.command()
def synth(
    config: Config = "streaminggs",
    size: Size = "rtl-small",
    block: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only this block; may be repeated. Default: all."),
    ] = None,
    target: Annotated[
        Literal["ecp5", "cells"],
        typer.Option(help="Lattice ECP5, or the standard cells of a Liberty file."),
    ] = "ecp5",
    liberty: Annotated[
        Path | None,
        typer.Option(metavar="FILE.lib", help="For cells. Default: Debian's qflow-tech-osu018."),
    ] = None,
    library_nm: Annotated[
        float | None, typer.Option(help="Node of the Liberty file, to scale its areas from.")
    ] = None,
    node_nm: Annotated[
        float | None, typer.Option(help="Node to scale areas to; needs the library's.")
    ] = None,
) -> None:  # fmt: skip
    """Synthesise the blocks one by one: LUTs, DSPs, RAMs and clock, or cells, area and delay."""
    from rich.console import Console

    from archsim.progress import ConsoleReporter, output_console
    from archsim.rtl_synth import synthesise

    reporter = ConsoleReporter(Console(stderr=True))
    shown = synthesise(config, size, block or [], target, liberty, library_nm, node_nm, reporter)
    console = output_console()
    for part in shown:
        console.print(part)
