"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from archsim.base.errors import OutputError

__all__ = ["write_whole"]


@contextmanager
def write_whole(path: Path) -> Iterator[BinaryIO]:
    """Give a stream whose content becomes ``path`` by one rename, once it is on the disk.

    A process that dies meanwhile leaves the earlier file as it was. Raises :class:`OutputError`
    when the file cannot be written.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with aside.open("wb") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot be written: {error.strerror or error}",
            place=str(path),
            remedy="choose a folder that can be written, with free space, with --out",
        ) from error
