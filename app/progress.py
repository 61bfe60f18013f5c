"""What a run tells while it works: a bar with the time left, or lines where no terminal is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from rich.console import Console

__all__ = ["ConsoleReporter", "Done", "Reporter", "Silent", "output_console"]

#: Called with what is done and the total, in a unit of the step's own.
Done = Callable[[int, int], None]

#: Steps shorter than this leave no line in a log.
_WORTH_A_LINE_S = 1.0


#: Columns of a file or pipe, where nothing needs to fit a window: more than any table has.
_UNBROKEN = 2000


def output_console() -> Console:
    """Return a console for tables on stdout that breaks lines for terminals only."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_UNBROKEN)


class Reporter(Protocol):
    """Told of every step of a run."""

    def step(self, what: str) -> AbstractContextManager[Done]:
        """Return a context for one step; it gives a function to call with what is done."""
        ...


class Silent:
    """Says nothing."""

    @contextmanager
    def step(self, what: str) -> Iterator[Done]:
        """Do the step."""
        yield _ignore


class ConsoleReporter:
    """Shows the present step with its bar and time left; finished steps leave no trace.

    Where ``console`` is no terminal, a step that took long leaves one line instead.
    """

    def __init__(self, console: Console):
        self._console = console

    @contextmanager
    def step(self, what: str) -> Iterator[Done]:
        """Show the step while it is done."""
        if not self._console.is_terminal:
            start = time.monotonic()
            yield _ignore
            took = time.monotonic() - start
            if took >= _WORTH_A_LINE_S:
                self._console.print(f"{what}: {took:.1f} s", highlight=False)
            return
        from rich.progress import (
            BarColumn,
            Progress,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(),
                   TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())  # fmt: skip
        with Progress(*columns, console=self._console, transient=True) as progress:
            task = progress.add_task(what, total=None)
            yield lambda done, total: progress.update(task, total=max(total, 1), completed=done)


def _ignore(done: int, total: int) -> None:
    """Take no notice."""
