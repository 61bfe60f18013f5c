"""``archsim dram``: devices, traces, curves and replays. Slow imports are inside the commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

__all__ = ["dram_app"]

dram_app = typer.Typer(no_args_is_help=True, help="Look into DRAM: devices, traces, replays.")

_MAPPING = "row-bank-column-group"
_MOST_REQUESTS = 2_000_000

Mapping = Annotated[
    str, typer.Option(help="Named address mapping inside the channel; a wrong name lists them.")
]


@dram_app.command()
def devices() -> None:
    """List the DRAM devices: organisation, peak bandwidth of a channel, where values are from."""
    from rich.console import Console

    from archsim.dram_tables import devices_table

    Console(highlight=False).print(devices_table())


@dram_app.command()
def run(
    device: Annotated[str, typer.Argument(metavar="DEVICE", help="See archsim dram devices.")],
    trace: Annotated[
        Path,
        typer.Argument(metavar="TRACE.csv", help="Columns arrival_cycle, line, write (0 or 1); "
                       "one line is one burst."),
    ],
    mapping: Mapping = _MAPPING,
    refresh: Annotated[
        bool, typer.Option("--refresh/--no-refresh", help="Refresh the device.")
    ] = True,
    fidelity: Annotated[
        Literal["cycle", "row"],
        typer.Option(help="Command-level controller, or the model that runs use."),
    ] = "cycle",
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="When each request was taken and done: .csv, .parquet."),
    ] = None,
) -> None:  # fmt: skip
    """Serve a trace of requests on one channel: cycles, commands, row hits, energy."""
    from rich.console import Console

    from archsim.arch.dram import device_clocks, load_device
    from archsim.dram_tables import served_table
    from archsim.dram_trace import check_output, read_trace, write_requests
    from archsim.progress import ConsoleReporter
    from archsim.sim.dram.mapping import map_device
    from archsim.sim.dram.open_loop import serve_trace

    table = load_device(device)
    map_device(mapping, table)
    if out is not None:
        check_output(out, trace)
    clocks = device_clocks(table)
    requests = read_trace(trace, clocks.rows * clocks.columns * clocks.banks)
    with ConsoleReporter(Console(stderr=True)).step("serving the trace") as progress:
        served = serve_trace(
            table, requests.arrival_cycle, requests.line, requests.write, mapping=mapping,
            refresh=refresh, fidelity=fidelity, progress=progress,
        )  # fmt: skip
    if out is not None:
        write_requests(out, requests, served)
    console = Console(highlight=False)
    console.print(served_table(served, table))
    if out is not None:
        console.print(f"requests: {out}", style="bold", soft_wrap=True)


@dram_app.command()
def curve(
    device: Annotated[str, typer.Argument(metavar="DEVICE", help="See archsim dram devices.")],
    mapping: Mapping = _MAPPING,
    requests: Annotated[int, typer.Option(min=100, help="Requests per point.")] = 20_000,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The plot, one HTML file. Default: "
                     "archsim-out/DEVICE-curve.html."),
    ] = None,
) -> None:  # fmt: skip
    """Measure latency at rising bandwidth, sequential and random, reading and writing."""
    from rich.console import Console

    from archsim.arch.dram import load_device
    from archsim.dram_plot import write_curve
    from archsim.dram_tables import curve_table
    from archsim.progress import ConsoleReporter
    from archsim.sim.dram.curve import measure_curve

    table = load_device(device)
    with ConsoleReporter(Console(stderr=True)).step(f"measuring {device}") as progress:
        points = measure_curve(table, mapping=mapping, requests=requests, progress=progress)
    where = out if out is not None else Path("archsim-out") / f"{device}-curve.html"
    write_curve(where, table, mapping, points, requests)
    console = Console(highlight=False)
    console.print(curve_table(points))
    console.print(f"plot: {where}", style="bold", soft_wrap=True)


@dram_app.command()
def replay(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a finished run.")],
    system: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this system; may be repeated.")
    ] = None,
    max_requests: Annotated[
        int, typer.Option(min=1, help="Bursts per system and camera; of longer programs, parts "
                          "spread evenly are replayed."),
    ] = _MOST_REQUESTS,
) -> None:  # fmt: skip
    """Replay a run's memory streams at cycle fidelity, against the row model that the run used."""
    from rich.console import Console

    from archsim.dram_replay import replay_run
    from archsim.dram_tables import replay_table
    from archsim.progress import ConsoleReporter

    rows, notes = replay_run(
        run, systems=system, most=max_requests, reporter=ConsoleReporter(Console(stderr=True))
    )
    console = Console(highlight=False)
    console.print(replay_table(rows))
    for note in notes:
        console.print(note, style="dim", soft_wrap=True)
