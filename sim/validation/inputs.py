"""What a validation may need from outside: the folder of real scenes and larger references."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archsim.base.errors import InputError

__all__ = ["Inputs", "MissingInputError", "Progress"]

#: Called with what is being done.
Progress = Callable[[str], None]


class MissingInputError(Exception):
    """An input that a check needs is not there; the check is skipped, and its row says why."""


def _silent(what: str) -> None:
    """Take no notice."""


@dataclass(frozen=True)
class Inputs:
    """Where checks find their inputs, and whom they tell what they do.

    Attributes
    ----------
    data
        The folder of real scenes and references, ``None`` when none was named.
    progress
        Told of every case that is begun.
    """

    data: Path | None = None
    progress: Progress = _silent

    def path(self, inside: str) -> Path:
        """Return a file or folder of the data folder; :class:`MissingInputError` without it."""
        if self.data is None:
            raise MissingInputError(f"needs {inside}: name its folder by --data or ARCHSIM_DATA")
        path = self.data / inside
        if not path.exists():
            raise MissingInputError(f"needs {inside}, which {self.data} does not hold")
        return path

    def json(self, inside: str) -> Any:
        """Return the content of a JSON file of the data folder.

        Raises :class:`MissingInputError` without it and :class:`InputError` when it is no JSON.
        """
        path = self.path(inside)
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise InputError(
                f"this is no JSON: {error}", place=str(path), remedy="restore the file"
            ) from None
