"""What a sweep shows: a bar with the time left and the front so far, and the front at the end."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.progress import Progress as Bar
from rich.table import Table
from rich.text import Text

from archsim.explore.driver import Progress
from archsim.explore.problem import Outcome
from archsim.study_file import ResolvedStudy
from archsim.words import DASH, TIMES, digits, quantity

__all__ = ["Display", "column_text", "front_table", "value_text"]

_ROWS = 8  # of the front, while it runs
_MOST_ROWS = 24  # of the front, at the end
_MOST_COLUMNS = 6  # of parameters; more are words in one
_REFRESH_S = 0.25
_LINE_EVERY_S = 15.0
_UNITS = {"_s": "s", "_j": "J", "_w": "W", "_bytes": "B", "_js": "J·s", "_bytes_per_s": "B/s"}


class Display:
    """Shows the progress on a terminal; elsewhere a line now and then."""

    def __init__(self, console: Console):
        self._console = console
        self._live: Live | None = None
        self._started = self._drawn = time.monotonic()
        self._phase = ""

    def __enter__(self) -> Display:
        if self._console.is_terminal:
            self._live = Live(console=self._console, transient=True, auto_refresh=False)
            self._live.start()
            self._bar = Bar(SpinnerColumn(), TextColumn("{task.description}"), BarColumn(),
                            MofNCompleteColumn(), TimeElapsedColumn(),
                            TextColumn("{task.fields[left]}"), console=self._console)  # fmt: skip
            self._task = self._bar.add_task("starting", total=None, left="")
            self._live.update(Group(self._bar), refresh=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, progress: Progress) -> None:
        """Show the state of a sweep, now and then."""
        now = time.monotonic()
        if progress.phase != self._phase:
            self._phase, self._started, self._drawn = progress.phase, now, 0.0
        if now - self._drawn < (_REFRESH_S if self._live else _LINE_EVERY_S):
            return
        self._drawn = now
        left = self._left(progress, now)
        if self._live is None:
            total = f" of {progress.total:,}" if progress.total else ""
            self._console.print(
                f"{progress.phase}: {progress.done:,}{total} points, {len(progress.front)} on the "
                f"front{f', {left}' if left else ''}", highlight=False
            )  # fmt: skip
            return
        self._bar.update(self._task, description=progress.phase, completed=progress.done,
                         total=progress.total, left=left)  # fmt: skip
        self._live.update(Group(self._bar, _brief(progress.front)), refresh=True)

    def _left(self, progress: Progress, now: float) -> str:
        if not progress.total or not progress.done:
            return ""
        seconds = (now - self._started) / progress.done * (progress.total - progress.done)
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes}:{rest:02d} left"


def _brief(front: Sequence[Outcome]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title="front so far", title_justify="left")
    if front:
        for name in front[-1].point:
            table.add_column(name)
        table.add_column("objectives", justify="right")
        for outcome in sorted(front, key=lambda o: o.values or ())[:_ROWS]:
            values = ", ".join(digits(abs(v)) for v in outcome.values or ())
            table.add_row(*(value_text(outcome.point.get(n)) for n in front[-1].point), values)
    return table


def front_table(study: ResolvedStudy, front: Sequence[Outcome]) -> Table | Text:
    """Return the front as a table: parameters, objectives, bottleneck."""
    if not front:
        return Text("No point keeps every constraint.", "bold yellow")
    objectives = study.goals.objectives
    shown = sorted(front, key=lambda o: o.values or ())[:_MOST_ROWS]
    left = len(front) - len(shown)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title_justify="left",
                  title=f"Pareto front: {len(front)} points")  # fmt: skip
    names = [name for name in study.space.axes if any(name in o.point for o in shown)]
    same = [n for n in names if len({value_text(o.point.get(n)) for o in shown}) == 1]
    varied = [name for name in names if name not in same]
    in_words = len(varied) > _MOST_COLUMNS
    if in_words:
        table.show_lines = True
        table.add_column("parameters", overflow="fold", ratio=1)
    else:
        for name in varied:
            table.add_column(name, justify="right", overflow="fold")
    columns = list(dict.fromkeys([*objectives, *study.config.show]))
    for column in columns:
        table.add_column(column, justify="right", header_style="bold cyan", overflow="fold")
    system = next(iter(objectives)).partition(".")[0]
    table.add_column("bound by")
    for outcome in shown:
        values = [value_text(outcome.point.get(n)) for n in varied]
        words = ", ".join(f"{n} {v}" for n, v in zip(varied, values) if v != DASH)
        cells = [words] if in_words else values
        cells += [column_text(c, outcome.columns.get(c)) for c in columns]
        table.add_row(*cells, str(outcome.columns.get(f"{system}.bottleneck", DASH)))
    notes = [f"{name} is {value_text(shown[0].point.get(name))}" for name in same]
    notes += [f"{left} more in the report"] if left > 0 else []
    table.caption = "; ".join(notes) or None
    table.caption_justify = "left"
    return table


def value_text(value: Any) -> str:
    """Return a parameter's value as people read it."""
    if value is None:
        return DASH
    if isinstance(value, float) and not value.is_integer():
        return f"{value:.4g}"
    if isinstance(value, list):
        return TIMES.join(map(str, value)) if len(value) == 2 else str(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def column_text(column: str, value: Any) -> str:
    """Return a result with its unit: time and energy with a prefix, area, PSNR."""
    if value is None:
        return "exact" if column.endswith("psnr_db") else DASH
    if isinstance(value, str | bool):
        return str(value)
    if ".dram_bytes_by_stream." in column:
        return quantity(value, "B")
    for ending in sorted(_UNITS, key=len, reverse=True):
        if column.endswith(ending) or column.partition(".")[2].partition(".")[0].endswith(ending):
            return quantity(value, _UNITS[ending])
    if column.endswith("_mm2"):
        return f"{digits(value)} mm²"
    return f"{value:.2f} dB" if column.endswith("_db") else digits(value)
