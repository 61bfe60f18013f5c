"""How a training shows: a bar with the time left, the loss and the PSNR, or lines in a log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console

from archsim.traces.gs3d.finetune.trainer import StepLoss

__all__ = ["training_progress"]

_LINE_EVERY_S = 30.0
_SMOOTHED = 16  # steps that a shown figure is the mean of, about: each step sees another view


@contextmanager
def training_progress(steps: int) -> Iterator[Callable[[StepLoss], None]]:
    """Give a function to call with each step done; it shows on stderr."""
    console = Console(stderr=True)
    figures = _Figures()
    if not console.is_terminal:
        last = time.monotonic()

        def line(loss: StepLoss) -> None:
            nonlocal last
            text = figures.text(loss)
            if time.monotonic() - last >= _LINE_EVERY_S or loss.step == steps:
                last = time.monotonic()
                console.print(f"step {loss.step} of {steps}: {text}", highlight=False)

        yield line
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (SpinnerColumn(), TextColumn("fine-tuning"), MofNCompleteColumn(), BarColumn(),
               TextColumn("{task.description}"), TimeElapsedColumn(), TextColumn("left"),
               TimeRemainingColumn())  # fmt: skip
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=steps)
        yield lambda loss: progress.update(
            task, completed=loss.step, description=figures.text(loss)
        )


class _Figures:
    """Running means of loss and PSNR."""

    def __init__(self) -> None:
        self._loss = self._psnr = 0.0
        self._count = 0

    def text(self, loss: StepLoss) -> str:
        self._count = min(self._count + 1, _SMOOTHED)
        self._loss += (loss.loss - self._loss) / self._count
        self._psnr += (min(loss.psnr_db, 99.0) - self._psnr) / self._count
        return f"loss {self._loss:.5f}, {self._psnr:.2f} dB"
