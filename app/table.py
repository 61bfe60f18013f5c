"""The comparison in the terminal: one column per system, one row per quantity."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from archsim.table_many import MOST_COLUMNS, headline_by_row
from archsim.words import DASH, TIMES, digits, percent, quantity, range_text, ratio, ssim

__all__ = ["comparison"]

_MOST_STREAMS = 4
_MOST_UNITS = 3

#: row's name -> key, unit, and how the value is written
_ROWS: tuple[tuple[str, str, str, Callable[[float], str]], ...] = (
    ("time per frame", "time_s", "s", lambda v: quantity(v, "s")),
    ("frames per second", "fps", "", digits),
    ("speedup", "speedup", TIMES, ratio),
    ("energy per frame", "energy_j", "J", lambda v: quantity(v, "J")),
    ("energy saving", "energy_saving", TIMES, ratio),
    ("  without idle", "energy_saving_without_idle", TIMES, ratio),
    ("power", "power_w", "W", lambda v: quantity(v, "W")),
    ("DRAM traffic", "dram_bytes", "B", lambda v: quantity(v, "B")),
    ("DRAM saving", "dram_saving", TIMES, ratio),
    ("area", "area_mm2", "mm²", lambda v: f"{digits(v)} mm²"),
)
_RATIOS = {"speedup", "energy_saving", "energy_saving_without_idle", "dram_saving"}


def comparison(result: Mapping[str, Any]) -> RenderableType:
    """Return the comparison of all systems with the baseline, from ``result.json``'s content.

    Few systems stand side by side, many below each other.
    """
    many = len(result["systems"]) > MOST_COLUMNS
    headline = headline_by_row(result) if many else _headline(result)
    return Group(_title(result), "", headline, "", _where(result), _assumptions(result))


def print_comparison(result: Mapping[str, Any], console: Console) -> None:
    """Print the comparison."""
    console.print(comparison(result))


def _title(result: Mapping[str, Any]) -> Text:
    scene, cameras = result["scene"], result["cameras"]
    parts = [f"{scene['gaussians']:,} Gaussians"] if "gaussians" in scene else []
    parts += [f"{w}{TIMES}{h}" for w, h in [scene["resolution"]]] if "resolution" in scene else []
    parts.append(f"mean of {len(cameras)} cameras" if len(cameras) > 1 else f"camera {cameras[0]}")
    return Text(str(scene.get("name", "")), "bold").append("  " + ", ".join(parts), "not bold dim")


def _headline(result: Mapping[str, Any]) -> Table:
    systems, baseline = result["systems"], result["baseline"]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), show_edge=False)
    table.add_column("", style="bold", no_wrap=True)
    for name in systems:
        table.add_column(name, justify="right", header_style="bold cyan", overflow="fold")
    table.add_row("machine", *(Text(s["machine"], "dim") for s in systems.values()))
    if any(s["mode"] for s in systems.values()):
        table.add_row("power mode", *(s["mode"] or Text(DASH, "dim") for s in systems.values()))
    for label, key, unit, words in _ROWS:
        if key == "dram_bytes":
            table.add_row("DRAM peak", *(_dram_peak(s) for s in systems.values()))
        cells = [
            _cell(system, key, unit, words, baseline=key in _RATIOS and name == baseline)
            for name, system in systems.items()
        ]
        table.add_row(label, *cells)
        if key == "time_s":
            table.add_row("  at least", *(_bound(s) for s in systems.values()))
    table.add_row("image", *(_quality(s) for s in systems.values()))
    if result.get("min_psnr_db") is not None:
        table.add_row(f"  at least {result['min_psnr_db']:g} dB",
                      *(_meets(s) for s in systems.values()))  # fmt: skip
    return table


def _cell(
    system: Mapping[str, Any], key: str, unit: str, words: Callable[[float], str], *, baseline: bool
) -> Text:
    if baseline:
        return Text("baseline", "dim")
    if system[key] is None:
        return Text(DASH, "dim")
    text = Text(words(system[key]), "bold green" if key in _RATIOS else "")
    bounds = range_text(system["interval"][key], unit)
    return text.append(f"\n{bounds}", "not bold dim") if bounds else text


def _bound(system: Mapping[str, Any]) -> Text:
    """Return the lower bound by hand of what binds."""
    bound = system["lower_bound"]
    if bound is None:
        return Text(DASH, "dim")
    return Text(quantity(bound["time_s"], "s"), "dim").append(f"\n{bound['unit']}", "dim")


def _dram_peak(system: Mapping[str, Any]) -> Text:
    text = Text(quantity(system["dram_peak_bytes_per_s"], "B/s"))
    return text.append(f"\n{system['dram_device']}", "dim")


def _quality(system: Mapping[str, Any]) -> Text:
    if system["exact"]:
        return Text("exact")
    text = Text(f"{system['psnr_db']:.2f} dB").append(f"\nSSIM {ssim(system['ssim'])}", "dim")
    for cause, error in system["quality_errors"].items():
        if error["psnr_db"] is not None:  # None: no error of this cause
            text.append(f"\n{cause} {error['psnr_db']:.0f} dB", "dim")
    return text


def _meets(system: Mapping[str, Any]) -> Text:
    return Text("yes", "green") if system["meets_min_psnr"] else Text("no", "bold red")


def _where(result: Mapping[str, Any]) -> Table:
    """Return, per system, what the time and the traffic consist of."""
    table = Table(box=None, pad_edge=False, padding=(0, 1), show_header=False)
    table.add_column(style="bold cyan", no_wrap=True)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for name, system in result["systems"].items():
        table.add_row(name, "time", _units(system))
        table.add_row("", "DRAM", _streams(system))
        if system["power_by_rail_w"]:
            table.add_row("", "rails", _rails(system))
    return table


def _units(system: Mapping[str, Any]) -> str:
    shares = []
    for unit, causes in system["time_by_cause_s"].items():
        total = sum(causes.values())
        if total > 0:
            waits = {c: t / total for c, t in causes.items() if c != "busy" and t > 0}
            longest = max(waits, key=lambda c: waits[c], default="")
            shares.append((causes.get("busy", 0.0) / total, unit, longest, waits.get(longest, 0.0)))
    shares.sort(key=lambda share: -share[0])
    return ", ".join(
        f"{unit} {percent(busy)} busy" + (f" ({percent(wait)} {why})" if wait >= 0.01 else "")
        for busy, unit, why, wait in shares[:_MOST_UNITS]
    )


def _streams(system: Mapping[str, Any]) -> str:
    streams = sorted(system["dram_bytes_by_stream"].items(), key=lambda item: -item[1])
    total = sum(size for _, size in streams) or 1
    parts = [
        f"{name} {percent(size / total)}"
        for name, size in streams[:_MOST_STREAMS]
        if size >= 0.001 * total
    ]
    rest = sum(size for _, size in streams[_MOST_STREAMS:]) / total
    return ", ".join([*parts, f"others {percent(rest)}"] if rest > 0 else parts)


def _rails(system: Mapping[str, Any]) -> str:
    """Return the mean power of each supply rail, with its range."""
    return ", ".join(
        f"{name} {quantity(power, 'W')} ({range_text([low, high], 'W')})"
        for name, (power, low, high) in system["power_by_rail_w"].items()
    )


def _assumptions(result: Mapping[str, Any]) -> Text:
    systems = result["systems"].values()
    assumed = {place + text for s in systems for place, text in s["assumed"].items()}
    notes = {note for s in systems for note in s["notes"]}
    return Text(
        "\nRanges of energy, power and area come from the constants', at the simulated time; times "
        "carry none. A GPU's energy is its whole module's, idle power included; an accelerator's "
        "has no host. 'Without idle' leaves the modules' idle power out. "
        f"{len(assumed)} constants are assumed, not published. The report lists them, their "
        f"sources and {len(notes)} notes.",
        "dim",
    )
