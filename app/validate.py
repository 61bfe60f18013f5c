"""``archsim validate``: every reference the project is held to, in tables with verdicts."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from archsim.base.errors import ConfigError, OutputError
from archsim.output import to_json
from archsim.sim.validation.checks import run_checks, unexplained
from archsim.sim.validation.deviations import deviations
from archsim.sim.validation.inputs import Inputs
from archsim.sim.validation.parts import PARTS, checks_of
from archsim.sim.validation.row import Row, Tolerance
from archsim.words import DASH

__all__ = ["data_folder", "rows_table", "validate"]

_FILE_WIDTH = 160
_STYLE = {"pass": "green", "miss": "bold red", "skip": "yellow", "fit": "dim"}


def data_folder(named: Path | None) -> Path | None:
    """Return the folder that ``--data`` or else ``ARCHSIM_DATA`` names, ``None`` without either.

    Raises :class:`ConfigError` when there is no such folder.
    """
    by_option = named is not None
    folder = named if named is not None else Path(os.environ.get("ARCHSIM_DATA", ""))
    if not by_option and folder == Path():
        return None
    if not folder.is_dir():
        raise ConfigError(
            "there is no such folder of real scenes and reference figures",
            place=f"{'--data' if by_option else 'ARCHSIM_DATA'} {folder}",
            remedy="name an existing folder, or none: what needs it is skipped then",
        )
    return folder


def validate(part: str | None, *, data: Path | None, json: Path | None) -> int:
    """Run a part of the validation, or all; print its tables and return the exit status.

    The status is 1 when a row misses its reference and no known deviation explains it, else 0.
    """
    checks = checks_of(PARTS if part is None else [part])
    folder = data_folder(data)
    console, errors = _console(), Console(stderr=True)
    rows: list[Row] = []
    with errors.status("validating") as status:
        inputs = Inputs(folder, _teller(status.update, errors))
        found = run_checks(checks, inputs, deviations())
        for name, of_part in groupby(found, key=lambda row: row.part):
            part_rows = list(of_part)
            rows.extend(part_rows)
            console.print(rows_table(name, part_rows))
            console.print()
    console.print(_summary(rows), soft_wrap=True)
    if json is not None:
        _write(json, rows)
    return 1 if unexplained(rows) else 0


def _console() -> Console:
    """Return the console of the tables; into a file they are as wide as their words need."""
    console = Console(highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = _FILE_WIDTH
    return console


def _teller(update: Callable[[str], None], console: Console) -> Callable[[str], None]:
    """Return what shows progress: the live line, or lines where no terminal is."""
    if console.is_terminal:
        return update
    return lambda what: console.print(what, highlight=False, soft_wrap=True)


def rows_table(part: str, rows: Sequence[Row]) -> RenderableType:
    """Return the table of a part, with its sources below."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, title=part,
                  title_justify="left", title_style="bold")  # fmt: skip
    table.add_column("case", overflow="fold", ratio=3)
    table.add_column("quantity", overflow="fold", ratio=2)
    for name in ("reference", "ours", "error", "tolerance"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    sources = list(dict.fromkeys(row.source for row in rows if row.source))
    shown = ("", "")
    for row in rows:
        case = Text("" if row.case == shown[0] else row.case)
        if row.note and (row.case, row.note) != shown:
            _add_line(case, row.note, "dim")
        known = row.deviation is not None
        if known:
            _add_line(case, f"known deviation: {row.deviation}", "yellow")
        shown = (row.case, row.note)
        verdict = Text(row.verdict, "yellow" if known else _STYLE[row.verdict])
        table.add_row(case, row.quantity, *_figures(row, sources), verdict)
    notes = [Text(f"[{i}] {source}", "dim") for i, source in enumerate(sources, 1)]
    return Group(table, *notes)


def _add_line(text: Text, line: str, style: str) -> None:
    text.append(f"\n{line}" if text.plain else line, style)


def _figures(row: Row, sources: list[str]) -> list[str]:
    if row.tolerance is None or row.reference is None or row.ours is None or row.error is None:
        return [DASH] * 4
    unit = f" {row.unit}" if row.unit else ""
    return [
        f"{_number(row.reference)}{unit} [{sources.index(row.source) + 1}]",
        f"{_number(row.ours)}{unit}",
        _error(row.error, row.tolerance),
        _allowed(row.tolerance),
    ]


def _number(value: float) -> str:
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{value:,.0f}"
    return f"{value:,.4g}" if abs(value) < 1e4 else f"{value:,.1f}"


def _error(error: float, tolerance: Tolerance) -> str:
    if error == 0:
        return "0"
    return f"{100 * error:+.2f} %" if tolerance.relative else f"{error:+.3g}"


def _allowed(tolerance: Tolerance) -> str:
    low, high, relative = tolerance.low, tolerance.high, tolerance.relative
    if low == high == 0:
        return "exact"
    if relative:
        low, high = 100 * low, 100 * high
    unit = " %" if relative else ""
    if -low == high:
        return f"±{high:g}{unit}"
    return f"{low:+g} to {high:+g}{unit}".replace("+0 ", "0 ")


def _summary(rows: Sequence[Row]) -> Text:
    counts = {verdict: sum(row.verdict == verdict for row in rows) for verdict in _STYLE}
    new = unexplained(rows)
    known = Counter(row.deviation for row in rows if row.deviation is not None)
    text = Text(f"{counts['pass']} pass, {counts['miss']} miss, {counts['skip']} skip", "bold")
    if counts["fit"]:
        text.append(f", {counts['fit']} fit (no verdict: the model was fitted to them)", "bold")
    if known:
        text.append(f"\n{known.total()} of the misses are known: see DEVIATIONS.md", "yellow")
        for name, count in known.most_common():
            text.append(f"\n  {count:3} {name}", "dim")
    if new:
        claims = "\n  ".join(f"{row.part}, {row.claim}" for row in new)
        text.append(f"\nmisses that no known deviation explains:\n  {claims}", "red")
    return text


def _write(file: Path, rows: Sequence[Row]) -> None:
    data: dict[str, Any] = {
        "schema": "archsim-validation-1",
        "rows": [row.to_dict() for row in rows],
    }
    try:
        file.write_text(to_json(data), encoding="utf-8")
    except OSError as error:
        raise OutputError(
            f"the rows cannot be written: {error.strerror or error}",
            place=str(file), remedy="choose another file with --json",
        ) from error  # fmt: skip
