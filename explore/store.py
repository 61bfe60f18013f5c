"""The store of what was computed: append-only logs of records found by the hash of their content.

A store is a folder; below it, a folder per version of the models; in that, one log per sweep. A
sweep writes its own log, which it holds locked, and reads all: a record that any earlier sweep
computed with the same models is found again.

A log is lines of text. The first names the format and the version; every other is one record::

    <CRC-32 of the rest, 8 hex digits> <key> <JSON>

A record is appended by one write. Whatever moment a sweep is killed at, its log holds whole
records and perhaps the beginning of one more: that torn tail is cut off, and said, when the sweep
goes on. A damaged record elsewhere is left where it is, said, and computed again.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from archsim.base.errors import ConfigError, InputError, OutputError

__all__ = ["Record", "Store"]

#: What was computed, JSON-able.
Record = dict[str, Any]

_FORMAT = "archsim-store-1"
_SUFFIX = ".log"
_SYNC_EVERY_S = 1.0


class Store:
    """Records by key: those of earlier sweeps, and one's own log to add to.

    Parameters
    ----------
    folder
        Of the store; made when missing.
    version
        Hash of the models' sources: records of other versions are never found.
    segment
        Name of the own log, letters, digits, ``-`` and ``_``.

    Raises :class:`ConfigError` when another sweep writes this log, :class:`InputError` for a log
    of another format, and :class:`OutputError` where the folder cannot be written.
    """

    def __init__(self, folder: Path, version: str, segment: str):
        self.folder, self.version = folder, version
        self.notes: list[str] = []
        self._places: dict[str, tuple[Path, int, int]] = {}  # key -> file, offset and size of JSON
        self._records: dict[str, Record] = {}  # parsed, or written by this sweep
        self._synced = time.monotonic()
        here = folder / version[:16]
        self.path = here / f"{segment}{_SUFFIX}"
        try:
            here.mkdir(parents=True, exist_ok=True)
            self._log = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        except OSError as error:
            raise _unwritable(self.path, error) from error
        try:
            fcntl.flock(self._log, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._log)
            raise ConfigError(
                "another sweep is writing this store's log",
                place=str(self.path),
                remedy="wait for it to end, or give this sweep an --out of its own",
            ) from error
        try:
            for file in sorted(here.glob(f"*{_SUFFIX}")):
                if file != self.path:
                    self._read(file, own=False)
            self._end = self._read(self.path, own=True)
            self._repair()
        except BaseException:
            os.close(self._log)
            raise

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self._places.keys() | self._records.keys())

    def get(self, key: str) -> Record | None:
        """Return the record of a key, ``None`` when there is none.

        A failure of an earlier sweep is none: its reason may be gone.
        """
        found = self._records.get(key)
        if found is None and (place := self._places.get(key)) is not None:
            file, offset, size = place
            with file.open("rb") as stream:
                stream.seek(offset)
                found = json.loads(stream.read(size))
            if found.get("status") == "failed":
                return None
            self._records[key] = found
        return found

    def put(self, key: str, record: Record) -> None:
        """Append a record; it is there for good once this returns, whoever is killed.

        Raises :class:`OutputError` when it cannot be written whole; earlier records stay whole.
        """
        text = json.dumps(record, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
        line = _frame(f"{key} {text}".encode())
        try:
            self._append(line)
        except OSError as error:
            raise _unwritable(self.path, error) from error
        self._records[key] = record

    def close(self) -> None:
        """Force the log to the disk and let others write it."""
        if self._log >= 0:
            try:
                os.fsync(self._log)
            except OSError as error:
                raise _unwritable(self.path, error) from error
            finally:
                os.close(self._log)
                self._log = -1

    def _append(self, line: bytes) -> None:
        try:
            written = os.write(self._log, line)
            while written < len(line):  # a full disk takes a part, and says so at the next
                written += os.write(self._log, line[written:])
            if time.monotonic() - self._synced > _SYNC_EVERY_S:
                os.fsync(self._log)
                self._synced = time.monotonic()
        except BaseException:
            os.ftruncate(self._log, self._end)
            raise
        self._end += len(line)

    def _repair(self) -> None:
        size = os.fstat(self._log).st_size
        if size > self._end:
            self.notes.append(
                f"{self.path}: the last {size - self._end} bytes were no whole record (the sweep "
                "was stopped while writing): cut off; that point is computed again"
            )
            os.ftruncate(self._log, self._end)
        if self._end == 0:
            try:
                self._append(self._head())
            except OSError as error:
                raise _unwritable(self.path, error) from error

    def _head(self) -> bytes:
        return f"{_FORMAT} {self.version}\n".encode()

    def _read(self, file: Path, *, own: bool) -> int:
        """Find the records of a log; return where its last whole record ends."""
        try:
            data = file.read_bytes()
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror}", place=str(file)) from error
        head = self._head()
        if not data.startswith(head):
            if head.startswith(data):
                return 0  # killed while beginning it
            found = data[:60].decode("ascii", "replace")
            raise InputError(
                f"is no store of this version: it begins with {found!r}",
                place=str(file),
                remedy=f"give another --store, or move the file away ({_FORMAT} is expected)",
            )
        end = len(head)
        for start, stop in _lines(data, end):
            line = data[start:stop]
            parts = line.split(b" ", 2)
            if len(parts) == 3 and line[:8] == b"%08x" % zlib.crc32(line[9:]):
                if end < start:
                    self.notes.append(
                        f"{file}: {start - end} damaged bytes in the middle, left alone; what "
                        "they held is computed again"
                    )
                key = parts[1].decode("ascii")
                offset = start + len(parts[0]) + len(parts[1]) + 2
                self._places[key] = (file, offset, stop - offset)
                self._records.pop(key, None)
                end = stop + 1
        return end


def _frame(rest: bytes) -> bytes:
    return b"%08x %s\n" % (zlib.crc32(rest), rest)


def _lines(data: bytes, start: int) -> Iterator[tuple[int, int]]:
    """Give start and end of every line that has one."""
    while (stop := data.find(b"\n", start)) >= 0:
        yield start, stop
        start = stop + 1


def _unwritable(path: Path, error: OSError) -> OutputError:
    return OutputError(
        f"the store cannot be written: {error.strerror or error}",
        place=str(path),
        remedy="free space or give another --store, then go on with --resume; what is stored stays",
    )
