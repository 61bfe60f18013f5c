"""The header of a .ply file: its elements, their records and where they lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from archsim.base.errors import InputError

__all__ = ["PlyElement", "PlyHeader", "read_ply_header"]

_MAX_HEADER_BYTES = 1 << 20
_BYTE_ORDER = {"binary_little_endian": "<", "binary_big_endian": ">"}
_TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "i2", "int16": "i2",
    "ushort": "u2", "uint16": "u2", "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4",
    "float": "f4", "float32": "f4", "double": "f8", "float64": "f8",
}  # fmt: skip


@dataclass(frozen=True)
class PlyElement:
    """One element: ``count`` records of ``dtype``, the first at byte ``offset`` of the file."""

    name: str
    count: int
    dtype: np.dtype[Any]
    offset: int

    @property
    def end(self) -> int:
        """Byte offset just after the last record."""
        return self.offset + self.count * self.dtype.itemsize


@dataclass(frozen=True)
class PlyHeader:
    """The elements of a .ply by name, in file order."""

    path: Path
    elements: dict[str, PlyElement]

    def check_length(self) -> None:
        """Raise :class:`InputError` when the file ends before its last element does."""
        size = self.path.stat().st_size
        for element in self.elements.values():
            if size < element.end:
                whole = max(0, size - element.offset) // element.dtype.itemsize
                raise InputError(
                    f"truncated: element {element.name!r} has {element.count} records of "
                    f"{element.dtype.itemsize} bytes and should end at byte {element.end}, but "
                    f"the file ends in record {whole}",
                    place=f"{self.path}, byte offset {size}",
                    remedy="copy or download the file again",
                )


def read_ply_header(path: Path) -> PlyHeader:
    """Read the header; :class:`InputError` names the line that cannot be understood."""
    with path.open("rb") as stream:
        head = stream.read(_MAX_HEADER_BYTES)
    end = head.find(b"end_header")
    newline = head.find(b"\n", end)
    if not head.startswith(b"ply") or end < 0 or newline < 0:
        raise InputError(
            "not a whole .ply header (no 'end_header' line)",
            place=f"{path}, byte offset {min(len(head), _MAX_HEADER_BYTES)}",
            remedy="copy or download the file again",
        )
    order = ""
    offset = newline + 1
    elements: dict[str, PlyElement] = {}
    name, count, fields = "", 0, []  # type: str, int, list[tuple[str, str]]

    def close() -> None:
        nonlocal offset
        if name:
            elements[name] = PlyElement(name, count, np.dtype(fields), offset)
            offset = elements[name].end

    for number, line in enumerate(head[:end].decode("latin-1").splitlines(), start=1):
        words = line.split()
        match words:
            case [] | ["ply"] | ["comment" | "obj_info", *_]:
                pass
            case ["format", kind, _]:
                if kind not in _BYTE_ORDER:
                    raise _line_error(path, number, f"format {kind!r} is not read",
                                      "convert it to binary_little_endian")  # fmt: skip
                order = _BYTE_ORDER[kind]
            case ["element", element, number_of] if number_of.isdigit():
                close()
                name, count, fields = element, int(number_of), []
            case ["property", kind, field] if name and kind in _TYPES and order:
                fields.append((field, order + _TYPES[kind]))
            case _:
                raise _line_error(path, number, f"cannot read header line {line!r}",
                                  "export the scene again as a binary 3DGS .ply")  # fmt: skip
    close()
    return PlyHeader(path, elements)


def _line_error(path: Path, number: int, message: str, remedy: str) -> InputError:
    return InputError(message, place=f"{path}, line {number}", remedy=remedy)
