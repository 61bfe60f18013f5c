"""The command line. Everything slow is imported inside the command that needs it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

import archsim
from archsim.base.errors import ArchsimError
from archsim.claims_commands import claims
from archsim.compare_commands import compare
from archsim.dram_commands import dram_app
from archsim.finetune_commands import finetune
from archsim.rtl_commands import rtl_app
from archsim.run_commands import run
from archsim.streaminggs_commands import streaminggs_app
from archsim.sweep_commands import sweep

__all__ = ["app", "main"]

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="What a co-design is worth before anyone builds it.",
)
scene_app = typer.Typer(no_args_is_help=True, help="Look into a scene.")
app.add_typer(scene_app, name="scene")
app.add_typer(dram_app, name="dram")
app.add_typer(rtl_app, name="rtl")
app.add_typer(streaminggs_app, name="streaminggs")
for _command in (run, sweep, compare, claims, finetune):  # in the order of --help
    app.command()(_command)

_INTERRUPTED = 130


def main() -> None:
    """Run the command line; errors go to stderr in one message, with their own exit status."""
    try:
        status = app(standalone_mode=False)
        if status == _INTERRUPTED:  # newer versions of typer turn Ctrl-C into a status
            raise KeyboardInterrupt
        sys.exit(status if isinstance(status, int) else 0)
    except ArchsimError as error:
        _fail(error.render(), error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        _fail("interrupted; nothing was written, finished traces are kept", _INTERRUPTED)
    except MemoryError:
        _fail("out of memory\n  remedy: use a smaller scene or resolution", 4)
    except Exception as error:
        shown = getattr(error, "show", None)  # a wrong option: click's own words
        if shown is None:
            raise
        shown()
        sys.exit(getattr(error, "exit_code", 2))


def _fail(message: str, status: int) -> None:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(status)


def _version(asked: bool) -> None:
    if asked:
        print(f"archsim {archsim.__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """What a co-design is worth before anyone builds it."""


@app.command()
def machines(
    name: Annotated[
        str | None, typer.Argument(help="A shipped machine or a machine file: its constants.")
    ] = None,
) -> None:
    """List the machines, or the constants of one with their sources."""
    from archsim.machine_tables import constants_table, machines_table
    from archsim.progress import output_console

    console = output_console()
    console.print(machines_table() if name is None else constants_table(name))


@scene_app.command()
def info(
    file: Annotated[str, typer.Argument(help="Scene file or folder, or builtin:NAME.")],
    lod: Annotated[int | None, typer.Option(help="Level of detail, 0 is the finest.")] = None,
    prune: Annotated[
        str | None,
        typer.Option(metavar="KIND:KEEP", help="Prune it first and say what that costs, as "
                     "workload.prune does. Example: mini-splatting:0.4"),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:  # fmt: skip
    """Describe a scene: Gaussians, size, opacities, format."""
    from archsim.scene_info import print_scene_info

    print_scene_info(file, lod=lod, prune=prune, as_json=json)


@app.command()
def schema(
    what: Annotated[
        Literal["run", "machine", "study"],
        typer.Argument(help="Of run configurations, machine files or study files."),
    ] = "run",
) -> None:
    """Print the JSON Schema of configurations, for editors that complete."""
    from archsim.config import run_schema
    from archsim.output import to_json
    from archsim.study_file import study_schema

    print(to_json(study_schema() if what == "study" else run_schema(what)), end="")


@app.command()
def validate(
    part: Annotated[
        str | None, typer.Argument(help="One part only; a wrong name lists them.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Real scenes and larger reference figures. Default: "
                     "ARCHSIM_DATA; what needs them is skipped without."),
    ] = None,
    json: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the rows as JSON, too.")
    ] = None,
) -> None:  # fmt: skip
    """Hold every model to its references; exit 1 on a miss that is not a known deviation."""
    from archsim.validate import validate as run_validation

    status = run_validation(part, data=data, json=json)
    if status:
        raise typer.Exit(status)
