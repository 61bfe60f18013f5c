"""Niantic's .spz, versions 2 to 4: attribute by attribute, quantised, compressed.

Sections, in order: positions (3 x 24-bit fixed point), opacities (uint8), colours (3 x uint8,
width 0.15), log-scales (3 x uint8, in sixteenths from -10), rotations (version 2: x y z as
3 x uint8; 3 and 4: smallest-three 2-10-10-10 of x y z w, components as sign and 9-bit
magnitude), SH coefficients (int8 + 128, coefficient-major, colour inner). Version 4 holds each
section as its own zstd stream behind a plain header; 2 and 3 are one stream, usually gzipped.

Axes are right, up, back (RUB); scenes here are right, down, forward (RDF) as in INRIA's .ply: the
half turn about x changes the sign of y and z everywhere, in rotations and harmonics too.
"""

from __future__ import annotations

import gzip
import io
import struct
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import numpy.typing as npt
import zstandard

from archsim.base.errors import InputError
from archsim.traces.gs3d.formats.scene_file import BLOCK, Progress, SceneArrays, SceneFile
from archsim.traces.gs3d.formats.smallest_three import unpack_smallest_three
from archsim.traces.gs3d.scene import F32

__all__ = ["HALF_TURN_X_SH_SIGNS", "MAGIC", "Spz", "open_spz"]

MAGIC = b"NGSP"
_HEADER = struct.Struct("<4sIIBBBB")
_HEADER_V4_BYTES = 32
_COLOUR_WIDTH = 0.15  # of the stored colours; a format constant
_ANTIALIASED = 0x1

#: Sign of each real SH coefficient (degree 0 to 3, INRIA's order) under y -> -y, z -> -z.
HALF_TURN_X_SH_SIGNS = np.array(
    [1, -1, -1, 1, -1, 1, 1, -1, 1, -1, 1, -1, -1, 1, -1, 1], np.float32
)


@dataclass(frozen=True)
class Spz(SceneFile):
    """An opened .spz."""

    version: int
    fraction_bits: int
    streams: tuple[tuple[int, int], ...]  # version 4: (offset, length) of each zstd stream

    def decode(self, arrays: SceneArrays, progress: Progress | None) -> None:
        """Decompress and decode section after section, in blocks of records."""
        n = self.gaussians
        rotation_bytes = 3 if self.version == 2 else 4
        coefficients = (self.sh_degree + 1) ** 2 - 1
        sections = (("positions", 9), ("opacities", 1), ("colours", 3), ("scales", 3),
                    ("rotations", rotation_bytes), ("harmonics", 3 * coefficients))  # fmt: skip
        with ExitStack() as stack:
            whole = None if self.streams else stack.enter_context(_open_stream(self.path))
            if whole is not None:
                whole.read(_HEADER.size)
            for number, (name, width) in enumerate(s for s in sections if s[1]):
                stream = whole or stack.enter_context(_zstd(self.path, *self.streams[number]))
                for start, raw in self._blocks(stream, name, width):
                    self._decode_block(arrays, name, start, raw)
                if progress is not None:
                    progress(n * (number + 1) // 7, n)
            if whole is not None:
                self._read(whole, 1, "the end")  # reaching the end checks gzip's CRC
        for start in range(0, n, BLOCK):
            arrays.accept(start, min(start + BLOCK, n))
        if progress is not None:
            progress(n, n)

    def _blocks(
        self, stream: BinaryIO, name: str, width: int
    ) -> Iterator[tuple[int, npt.NDArray[np.uint8]]]:
        for start in range(0, self.gaussians, BLOCK):
            count = min(BLOCK, self.gaussians - start)
            data = self._read(stream, count * width, name)
            if len(data) < count * width:
                record = start + len(data) // width
                raise InputError(f"truncated: {name} end in record {record} of {self.gaussians}",
                                 place=self.place_of_record(record),
                                 remedy="copy or download the file again")  # fmt: skip
            yield start, np.frombuffer(data, np.uint8).reshape(count, width)

    def _read(self, stream: BinaryIO, size: int, name: str) -> bytes:
        try:
            return stream.read(size)
        except (EOFError, zlib.error, gzip.BadGzipFile, zstandard.ZstdError) as error:
            raise InputError(f"truncated or damaged in section {name}: {error}",
                             place=f"{self.path}, byte offset {self.path.stat().st_size}",
                             remedy="copy or download the file again") from error  # fmt: skip

    def _decode_block(
        self, arrays: SceneArrays, name: str, start: int, raw: npt.NDArray[np.uint8]
    ) -> None:
        block = slice(start, start + len(raw))
        if name == "positions":
            arrays.means[block] = _fixed_point(raw, self.fraction_bits)
        elif name == "opacities":
            arrays.opacities[block] = raw[:, 0] / np.float32(255)
        elif name == "colours":
            # stored: Y_00 coefficient x 0.15 + 0.5, the coefficient as INRIA trains it
            arrays.sh[block, 0] = (raw / np.float32(255) - np.float32(0.5)) / _COLOUR_WIDTH
        elif name == "scales":
            arrays.put_log_scales(start, raw / np.float32(16) - np.float32(10))
        elif name == "rotations":
            quats = _rotation_bytes(raw) if self.version == 2 else _rotation_words(raw)
            quats[:, 2:] *= -1  # y and z of RUB -> RDF
            arrays.quats[block] = quats
        else:
            values = (raw.reshape(len(raw), -1, 3).astype(np.float32) - 128) / 128
            arrays.sh[block, 1:] = values * HALF_TURN_X_SH_SIGNS[1 : values.shape[1] + 1, None]


def _fixed_point(raw: npt.NDArray[np.uint8], fraction_bits: int) -> F32:
    b = raw.reshape(len(raw), 3, 3).astype(np.int32)
    high = (b[..., 2] ^ 0x80) - 0x80  # sign of the 24-bit number
    value = b[..., 0] | b[..., 1] << 8 | high << 16
    rdf = np.array([1, -1, -1]) / (1 << fraction_bits)
    return (value * rdf).astype(np.float32)


def _rotation_bytes(raw: npt.NDArray[np.uint8]) -> F32:
    xyz = raw / np.float32(127.5) - np.float32(1)
    w = np.sqrt(np.maximum(0, 1 - np.einsum("ij,ij->i", xyz, xyz)))
    return np.concatenate([w[:, None], xyz], axis=1).astype(np.float32)


def _rotation_words(raw: npt.NDArray[np.uint8]) -> F32:
    words = raw.copy().view("<u4")[:, 0]
    # the last stored component of x y z w lies lowest
    parts = np.stack([words >> 20, words >> 10, words], axis=1)
    sign = np.where(parts & 0x200, np.float32(-1), np.float32(1))
    three = sign * ((parts & 0x1FF) / np.float32(511)) * np.float32(np.sqrt(0.5))
    xyzw = unpack_smallest_three(three.astype(np.float32), words >> 30)
    return xyzw[:, [3, 0, 1, 2]]


def _open_stream(path: Path) -> BinaryIO:
    with path.open("rb") as stream:
        packed = stream.read(2) == b"\x1f\x8b"
    return cast(BinaryIO, gzip.open(path, "rb")) if packed else path.open("rb")


def _zstd(path: Path, offset: int, length: int) -> BinaryIO:
    with path.open("rb") as stream:
        stream.seek(offset)
        data = io.BytesIO(stream.read(length))
    return cast(BinaryIO, zstandard.ZstdDecompressor().stream_reader(data))


def open_spz(path: Path) -> Spz:
    """Read the header of a .spz and check version, degree and, in version 4, the streams."""
    again = "copy or download the file again"
    with _open_stream(path) as stream:
        try:
            head = stream.read(_HEADER_V4_BYTES)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InputError(f"truncated or damaged: {error}", place=f"{path}, byte offset 0",
                             remedy=again) from error  # fmt: skip
    if len(head) < _HEADER.size:
        raise InputError(f"truncated: {len(head)} bytes, a header has {_HEADER.size}",
                         place=f"{path}, byte offset {len(head)}", remedy=again)  # fmt: skip
    magic, version, count, degree, fraction_bits, flags, streams = _HEADER.unpack_from(head)
    if magic != MAGIC:
        raise InputError(f"not a .spz: begins with {magic!r} instead of {MAGIC!r}",
                         place=f"{path}, byte offset 0",
                         remedy="give the file its right name")  # fmt: skip
    if version not in (2, 3, 4):
        raise InputError(f"version {version} of .spz; read are 2, 3 and 4",
                         place=f"{path}, byte offset 4",
                         remedy="export the scene again with a current tool")  # fmt: skip
    if degree > 3 or fraction_bits > 23:
        raise InputError(
            f"SH degree {degree}, {fraction_bits} fraction bits; at most 3 and 23 are possible",
            place=f"{path}, byte offset 12",
            remedy="export the scene again; the header is damaged or of another format",
        )
    places = _read_table(path, head, count, degree, streams) if version == 4 else ()
    detail = {"version": version, "antialiased": bool(flags & _ANTIALIASED)}
    return Spz(path, "spz", count, degree, (path,), 400 * BLOCK, detail, version,
               fraction_bits, places)  # fmt: skip


def _read_table(
    path: Path, head: bytes, count: int, degree: int, streams: int
) -> tuple[tuple[int, int], ...]:
    """Return (offset, length) of each stream of version 4 and check them against the file."""
    again = "copy or download the file again"
    widths = [9, 1, 3, 3, 4, 3 * ((degree + 1) ** 2 - 1)]
    expected = [count * w for w in widths if w]
    size = path.stat().st_size
    if len(head) < _HEADER_V4_BYTES or streams != len(expected):
        raise InputError(f"{streams} streams, degree {degree} has {len(expected)}",
                         place=f"{path}, byte offset 15", remedy=again)  # fmt: skip
    table_offset = struct.unpack_from("<I", head, 16)[0]
    with path.open("rb") as stream:
        stream.seek(table_offset)
        table = stream.read(16 * streams)
    if len(table) < 16 * streams:
        raise InputError("truncated: the file ends in the table of streams",
                         place=f"{path}, byte offset {size}", remedy=again)  # fmt: skip
    offset = table_offset + 16 * streams
    places = []
    for number, unpacked in enumerate(expected):
        length, stated = struct.unpack_from("<QQ", table, 16 * number)
        if stated != unpacked:
            raise InputError(f"stream {number} unpacks to {stated} bytes, expected {unpacked}",
                             place=f"{path}, byte offset {table_offset + 16 * number}",
                             remedy=again)  # fmt: skip
        if offset + length > size:
            raise InputError(
                f"truncated: stream {number} should end at byte {offset + length}",
                place=f"{path}, byte offset {size}", remedy=again,
            )  # fmt: skip
        places.append((offset, length))
        offset += length
    return tuple(places)
