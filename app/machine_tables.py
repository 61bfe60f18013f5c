"""``archsim machines``: what is shipped, and where a machine's numbers come from."""

from __future__ import annotations

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from archsim.arch.load import list_machines, load_machine
from archsim.arch.machine import Accelerator, Gpu
from archsim.sim.area import area_mm2
from archsim.sim.provenance import constants
from archsim.words import DASH, digits

__all__ = ["constants_table", "machines_table"]


def machines_table() -> Table:
    """Return one row per shipped machine."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in ("name", "kind", "what it is", "node", "memory", "power modes"):
        table.add_column(column, overflow="fold")
    for name in list_machines():
        machine = load_machine(name)
        modes = ", ".join(
            f"{mode} (default)" if mode == machine.default_mode else mode for mode in machine.modes
        ) if isinstance(machine, Gpu) else DASH  # fmt: skip
        table.add_row(
            Text(name, "bold cyan"),
            machine.kind,
            machine.title,
            DASH if isinstance(machine, Gpu) else f"{machine.node_nm.value:g} nm",
            f"{machine.memory.device}, {machine.memory.channels.value:g} channels",
            modes,
        )
    return table


def constants_table(name: str) -> RenderableType:
    """Return every constant of a machine with unit, range and source; guesses are marked."""
    machine = load_machine(name)
    rows = constants(machine)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("constant", no_wrap=True)
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("source", overflow="fold")
    for row in rows:
        value = Text(f"{row.value:g} {row.unit}".strip())
        if row.low != row.high:
            value.append(f"\n{row.low:g}{DASH}{row.high:g}", "dim")
        source = Text("assumed ", "bold yellow") if row.assumed else Text()
        table.add_row(
            row.place, value, source.append(row.source.removeprefix("assumed: "), "not bold")
        )
    assumed = sum(row.assumed for row in rows)
    summary = Text(f"{len(rows)} constants, {assumed} of them assumed", "bold")
    return Group(Text(machine.title, "bold cyan"), *_area(machine), "", table, "", summary)


def _area(machine: Accelerator | Gpu) -> list[Text]:
    areas = area_mm2(machine)
    if areas is None:
        return []
    total = sum(area.value for area in areas.values())
    low, high = sum(a.low for a in areas.values()), sum(a.high for a in areas.values())
    return [Text(f"area {digits(total)} mm² ({digits(low)}{DASH}{digits(high)})", "dim")]
