"""The comparison of many systems in the terminal: one row each, where columns would not fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from archsim.words import DASH, TIMES, digits, quantity, ratio

__all__ = ["MOST_COLUMNS", "headline_by_row"]

#: Systems that stand side by side; more get a row each.
MOST_COLUMNS = 6
_COLUMNS = ("time", "at least", "speed", "energy saved", "DRAM", "mm²", "image")


def headline_by_row(result: Mapping[str, Any]) -> Table:
    """Return the headline of ``result.json``'s content with a row per system, without ranges."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("", style="bold cyan", no_wrap=True)
    for name in _COLUMNS:
        table.add_column(name, justify="right", overflow="fold")
    for name, system in result["systems"].items():
        base = name == result["baseline"]
        table.add_row(
            name, quantity(system["time_s"], "s"), _bound(system),
            _against(system, "speedup", base), _against(system, "energy_saving", base),
            quantity(system["dram_bytes"], "B"),
            DASH if system["area_mm2"] is None else digits(system["area_mm2"]),
            _image(system, result.get("min_psnr_db")),
        )  # fmt: skip
    return table


def _against(system: Mapping[str, Any], key: str, baseline: bool) -> Text:
    value = system[key]
    if baseline or value is None:
        return Text(f"1{TIMES}" if baseline else DASH, "dim")
    return Text(ratio(value), "bold green")


def _bound(system: Mapping[str, Any]) -> Text:
    bound = system["lower_bound"]
    if bound is None:
        return Text(DASH, "dim")
    return Text(f"{quantity(bound['time_s'], 's')} {bound['unit']}", "dim")


def _image(system: Mapping[str, Any], least: float | None) -> Text:
    if system["exact"]:
        return Text("exact")
    below = least is not None and not system["meets_min_psnr"]
    return Text(f"{system['psnr_db']:.1f} dB", "bold red" if below else "")
