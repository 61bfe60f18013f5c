"""Traces of DRAM requests in CSV files, and what became of the requests as CSV or Parquet."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from archsim.base.errors import InputError, OutputError
from archsim.sim.dram.open_loop import Served

__all__ = ["DramTrace", "check_output", "read_trace", "write_requests", "written"]

I64 = npt.NDArray[np.int64]

_COLUMNS = ("arrival_cycle", "line", "write")
_ENDINGS = (".csv", ".parquet")


@dataclass(frozen=True)
class DramTrace:
    """Requests in order of arrival; (n,) each."""

    arrival_cycle: I64
    line: I64
    write: npt.NDArray[np.bool_]


def read_trace(file: Path, lines: int) -> DramTrace:
    """Read a CSV file with the columns ``arrival_cycle``, ``line`` and ``write``, in any order.

    ``lines`` is how many bursts the channel holds. Further columns are not read. Raises
    :class:`InputError` with the file's line for anything but whole numbers in order of arrival.
    """
    columns = _read(file)
    arrival, line, write = (columns[name] for name in _COLUMNS)
    for name, values in columns.items():
        for row in _first(values < 0):
            raise _wrong(file, row, f"{name} is negative: {values[row]}")
    for row in _first(line >= lines):
        raise _wrong(file, row, f"line {line[row]} is beyond the channel's {lines} lines",
                     "a line is one burst: divide byte addresses by the burst")  # fmt: skip
    for row in _first(write > 1):
        raise _wrong(file, row, f"write is {write[row]}", "write 1 for a write and 0 for a read")
    for row in _first(np.diff(arrival, prepend=0) < 0):
        ahead = arrival[row - 1]
        raise _wrong(file, row, f"arrival_cycle {arrival[row]} comes after {ahead}",
                     "sort the requests by arrival_cycle")  # fmt: skip
    return DramTrace(arrival, line, write.astype(np.bool_))


def _first(wrong: npt.NDArray[np.bool_]) -> list[int]:
    """Return the first place that is wrong, if any."""
    rows: list[int] = np.flatnonzero(wrong)[:1].tolist()
    return rows


def _wrong(file: Path, row: int, what: str, remedy: str = "correct the line") -> InputError:
    return InputError(what, place=f"{file}:{row + 2}", remedy=remedy)  # the header is line 1


def _read(file: Path) -> dict[str, I64]:
    try:
        head = pd.read_csv(file, nrows=0, skipinitialspace=True)
        missing = [name for name in _COLUMNS if name not in head.columns]
        if missing:
            raise InputError(
                f"has no column {missing[0]}", place=f"{file}:1",
                remedy=f"begin with the line {','.join(_COLUMNS)}",
            )  # fmt: skip
        table = _table(file, list(_COLUMNS))
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", place=str(file),
                         remedy="give a CSV file") from error  # fmt: skip
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise InputError(f"is no CSV file: {error}", place=str(file),
                         remedy=f"begin with the line {','.join(_COLUMNS)}") from error  # fmt: skip
    if table.empty:
        raise InputError("has no requests", place=str(file), remedy="give at least one request")
    return {name: table[name].to_numpy(np.int64) for name in _COLUMNS}


def _table(file: Path, columns: list[str]) -> pd.DataFrame:
    """Return whole numbers; where some are not, find the first line that is wrong."""
    options = {"usecols": columns, "skipinitialspace": True, "skip_blank_lines": False}
    try:
        return pd.read_csv(file, dtype=np.int64, **options)  # type: ignore[call-overload,no-any-return]
    except (ValueError, OverflowError):
        text = pd.read_csv(file, dtype=str, keep_default_na=False, **options)  # type: ignore[call-overload]
    whole = text.apply(lambda column: column.str.fullmatch(r"[+-]?\d{1,18}"))
    row, column = np.argwhere(~whole.to_numpy(bool))[0]
    found = text.iat[row, column]
    raise _wrong(file, row, f"{text.columns[column]}: found {found!r}, expected a whole number",
                 "give every column a whole number, and leave no line blank")  # fmt: skip


def check_output(file: Path, *inputs: Path) -> None:
    """Raise :class:`OutputError` where :func:`write_requests` cannot or must not write."""
    if file.suffix not in _ENDINGS:
        raise OutputError(f"ends in {file.suffix!r}", place=str(file),
                          remedy=f"choose a name that ends in {' or '.join(_ENDINGS)}")  # fmt: skip
    if file.is_dir() or any(file.resolve() == other.resolve() for other in inputs):
        what = "is a folder" if file.is_dir() else "is the trace itself"
        raise OutputError(what, place=str(file), remedy="choose another --out")
    with written(file):
        pass  # a file could be made beside it


@contextmanager
def written(file: Path) -> Iterator[Path]:
    """Give a path to write to, which then takes the place of ``file``."""
    aside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        file.absolute().parent.mkdir(parents=True, exist_ok=True)
        aside.touch()
        yield aside
        if aside.stat().st_size:
            aside.replace(file)
    except OSError as error:
        raise OutputError(f"cannot be written: {error.strerror or error}", place=str(file),
                          remedy="choose another --out") from error  # fmt: skip
    finally:
        with suppress(OSError):
            aside.unlink(missing_ok=True)


def write_requests(file: Path, trace: DramTrace, served: Served) -> None:
    """Write one row per request: what was asked for, when it was taken and when it was done.

    CSV or Parquet by the file's ending; ``return_cycle`` of a write is its command's.
    """
    table = pd.DataFrame(
        {
            "arrival_cycle": trace.arrival_cycle,
            "line": trace.line,
            "write": trace.write.astype(np.int8),
            "accept_cycle": served.accept_cycle,
            "return_cycle": served.return_cycle,
        }
    )
    with written(file) as aside:
        if file.suffix == ".parquet":
            table.to_parquet(aside, index=False)
        else:
            table.to_csv(aside, index=False)
