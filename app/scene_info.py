"""``archsim scene info``: what a scene holds that decides how hard it is to render."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from archsim.base.yaml_places import Places, validate
from archsim.output import to_json
from archsim.progress import ConsoleReporter, output_console
from archsim.traces.cache import TraceCache
from archsim.traces.gs3d.statistics import scene_statistics
from archsim.traces.gs3d.workload import Gs3dWorkload, load_scene
from archsim.words import digits, quantity

__all__ = ["print_scene_info"]

_HASH_LETTERS = 12
_MOST_HASHES = 4


def print_scene_info(file: str, *, lod: int | None, prune: str | None, as_json: bool) -> None:
    """Print the statistics of a scene file or built-in, as a table or as JSON.

    ``prune`` is KIND:KEEP of ``workload.prune``.
    """
    reporter = ConsoleReporter(Console(stderr=True))
    asked: dict[str, Any] = {"scene": file, "lod": lod}
    if prune is not None:
        kind, _, keep = prune.partition(":")
        asked["prune"] = {"kind": kind, "keep": keep}
    workload: Gs3dWorkload = validate(Gs3dWorkload, asked, Places("options"))
    with reporter.step("reading the scene" + (" and pruning it" if prune else "")) as progress:
        scene = load_scene(workload, seed=0, cache=TraceCache.default(), progress=progress)
        statistics = scene_statistics(scene).to_dict()
    facts = {"name": scene.name, "source": scene.source, **statistics}
    if as_json:
        print(to_json(facts), end="")
        return
    output_console().print(_table(facts))


def _table(facts: dict[str, Any]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts.items():
        if name != "source":
            table.add_row(name.replace("_", " "), _words(name, value))
    for name, value in facts["source"].items():
        shown = _hashes(value) if name == "content" else _words(name, value)
        table.add_row(Text(f"source: {name.replace('_', ' ')}", "dim"), Text(shown, "dim"))
    return table


def _hashes(value: Any) -> str:
    """Return content hashes cut to what a person compares; ``--json`` has them whole."""
    hashes = value if isinstance(value, (list, tuple)) else [value]
    shown = ", ".join(str(item)[:_HASH_LETTERS] for item in hashes[:_MOST_HASHES])
    more = len(hashes) - _MOST_HASHES
    return f"{shown} and {more} more" if more > 0 else shown


def _words(name: str, value: Any) -> str:
    if name.endswith("_bytes"):
        return quantity(value, "B")
    if isinstance(value, dict):
        return "   ".join(f"{key} {_number(item)}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(_words("", item) for item in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return _number(value) if isinstance(value, (int, float)) else str(value)


def _number(value: float) -> str:
    return (
        f"{value:,}"
        if isinstance(value, int)
        else f"-{digits(-value)}"
        if value < 0
        else digits(value)
    )
