"""What the ``archsim dram`` commands print."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from rich import box
from rich.table import Table
from rich.text import Text

from archsim.arch.dram import DramDevice, list_devices, load_device
from archsim.arch.sourced import Sourced
from archsim.sim.dram.curve import Point
from archsim.sim.dram.open_loop import Served
from archsim.sim.dram.replay import Replay
from archsim.words import TIMES, digits, percent, quantity, range_text, size

__all__ = ["curve_table", "devices_table", "replay_table", "served_table"]


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1))
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index else "left", no_wrap=index == 0)
    return table


def devices_table() -> Table:
    """Return one row per device: what it is, its speed, and how many of its values have what."""
    table = _table("name", "pins", "GB/s", "banks", "page", "burst", "values", "sources", "assumed")
    for name in list_devices():
        device = load_device(name)
        o, values = device.organisation, _values(device)
        table.add_row(
            Text(name, "bold cyan"),
            f"x{o.width_bits.value:g}",
            digits(device.bandwidth_gb_s()),
            f"{o.bank_groups.value:g}{TIMES}{o.banks_per_group.value:g}",
            f"{o.page_bytes.value / 1024:g} KiB",
            f"{device.burst_bytes} B",
            str(len(values)),
            str(len({value.source for value in values})),
            str(sum(value.assumed for value in values)),
        )
    return table


def _values(part: object) -> list[Sourced]:
    """Return every sourced number of a device table."""
    if isinstance(part, Sourced):
        return [part]
    if isinstance(part, dict):
        return [value for child in part.values() for value in _values(child)]
    fields = getattr(type(part), "model_fields", {})
    return [value for name in fields for value in _values(getattr(part, name))]


def served_table(served: Served, device: DramDevice) -> Table:
    """Return what a trace took: time, bandwidth, latency, commands, row hits, energy."""
    table = Table(box=None, pad_edge=False, padding=(0, 1), show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    requests, reads = served.write.size, int((~served.write).sum())
    share = served.bandwidth_gb_s / device.bandwidth_gb_s()
    table.add_row("requests", f"{requests:,}")
    table.add_row("reads, writes", f"{reads:,}, {requests - reads:,}")
    table.add_row("time", f"{served.cycles:,} cycles, {quantity(served.seconds, 's')}")
    table.add_row(
        "bandwidth",
        f"{digits(served.bandwidth_gb_s)} GB/s, {percent(share)} of "
        f"{digits(device.bandwidth_gb_s())}",
    )
    if reads:
        table.add_row("read latency", _spread(served.read_service_ns) + " from acceptance")
        table.add_row("", _spread(served.read_latency_ns) + " from arrival")
    table.add_row("row hits", f"{served.row_hits:,}, {percent(served.row_hits / requests)}")
    for name, count in served.commands.items():
        if count:
            table.add_row(name.replace("_", " "), f"{count:,}")
    for name, energy in served.energy_pj.items():
        if energy.high:
            bounds = range_text([energy.low * 1e-12, energy.high * 1e-12], "J")
            table.add_row(f"energy, {name}", f"{quantity(energy.value * 1e-12, 'J')}  {bounds}")
    total = [sum(getattr(e, end) for e in served.energy_pj.values())
             for end in ("value", "low", "high")]  # fmt: skip
    bits = 8 * requests * served.burst_bytes
    table.add_row(
        "energy",
        f"{quantity(total[0] * 1e-12, 'J')}, {digits(total[0] / bits)} pJ/b  "
        f"{range_text([total[1] / bits, total[2] / bits], '')}",
    )
    return table


def _spread(ns: npt.NDArray[np.float64]) -> str:
    within = digits(float(np.percentile(ns, 99)))
    return f"mean {digits(float(ns.mean()))} ns, 99 % within {within}, most {digits(ns.max())}"


def curve_table(points: Sequence[Point]) -> Table:
    """Return one row per load: bandwidth and mean latency of every pattern."""
    patterns = list(dict.fromkeys(point.pattern for point in points))
    table = _table("offered", *(f"{pattern}\nGB/s      ns" for pattern in patterns))
    for offered in dict.fromkeys(point.offered_gb_s for point in points):
        cells = [
            f"{digits(p.achieved_gb_s)} {digits(p.latency_ns):>7}"
            for pattern in patterns
            for p in points
            if p.pattern == pattern and p.offered_gb_s == offered
        ]
        table.add_row(digits(offered), *cells)
    return table


def replay_table(rows: Sequence[tuple[str, str, Replay]]) -> Table:
    """Return, by system and camera, the streams' times and how far off row fidelity is."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for index, column in enumerate(("system, camera", "replayed", "cycle", "row", "row is off")):
        table.add_column(column, justify="right" if index > 1 else "left", no_wrap=index > 0)
    for system, camera, found in rows:
        share = found.bursts / found.all_bursts if found.all_bursts else 1.0
        pieces = "" if found.parts == 1 else f" in {found.parts} parts"
        table.add_row(
            Text(system, "bold cyan").append(f" {camera}", "not bold dim"),
            Text(f"{size(found.bursts)} bursts, {percent(share)}{pieces}", "dim"),
        )
        for label, what, count in (
            ("start to finish", "completion_ps", 1),
            ("memory in service", "occupied_ps", 1),
            ("a read stream", "read_service_ps", found.read_streams),
            ("a write stream", "write_service_ps", found.write_streams),
        ):
            if count:
                times = [getattr(side, what) / count * 1e-12 for side in (found.cycle, found.row)]
                cells = [quantity(seconds, "s") for seconds in times]
                table.add_row("", label, *cells, f"{found.error(what) * 100:+.1f} %")
        hits = [f"{side.row_hits:,}" for side in (found.cycle, found.row)]
        table.add_row("", "row hits", *hits, f"{found.error('row_hits') * 100:+.1f} %")
    return table
