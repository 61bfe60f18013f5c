"""The trace container: what really running a workload recorded, independent of any machine."""

from __future__ import annotations

import json
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from archsim.base.errors import InputError

__all__ = ["Detail", "Trace"]

#: How much is recorded: ``full``, or ``work``, without images and what explains their errors. Work
#: and quality of a frame are the same.
Detail = Literal["full", "work"]

_META = "__meta__"


@dataclass(frozen=True)
class Trace:
    """Columns of counts, sizes and addresses, and totals.

    Attributes
    ----------
    kind
        Domain and method, e.g. ``gs3d/streaminggs``; each method documents its columns.
    meta
        JSON-able totals and provenance.
    columns
        Arrays by dotted name, ``tile.pairs``: the part before the dot is the row's meaning.
    """

    kind: str
    meta: dict[str, Any]
    columns: dict[str, npt.NDArray[Any]]

    def save(self, path: Path) -> None:
        """Write the trace to one ``.npz`` file, whole or not at all (written aside, renamed)."""
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(f".{path.name}.{os.getpid()}")
        text = json.dumps({"kind": self.kind, "meta": self.meta}, allow_nan=False)
        try:
            with aside.open("wb") as stream:
                np.savez(stream, **{_META: np.frombuffer(text.encode(), np.uint8)}, **self.columns)  # type: ignore[arg-type]
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)

    @staticmethod
    def load(path: Path) -> Trace:
        """Read a trace; :class:`InputError` names a file that is not one or is damaged."""
        try:
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
                head = json.loads(archive[_META].tobytes().decode())
                columns = {name: archive[name] for name in archive.files if name != _META}
        except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
            raise InputError(
                f"not a readable trace ({error})", place=str(path), remedy="delete it and run again"
            ) from error
        return Trace(head["kind"], head["meta"], columns)
