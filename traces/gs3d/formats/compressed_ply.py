"""PlayCanvas' compressed .ply: 16 bytes per Gaussian, ranges per chunk of 256.

Layout: element ``chunk`` holds min and max of position, log-scale and (newer files) colour for
256 Gaussians; element ``vertex`` holds four uint32 per Gaussian: position 11-10-11 bits, rotation
smallest-three 2-10-10-10, log-scale 11-10-11, colour and opacity 8-8-8-8; the optional element
``sh`` holds one byte per coefficient, channel-major.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from archsim.base.errors import InputError
from archsim.traces.gs3d.formats.ply_header import PlyElement, PlyHeader
from archsim.traces.gs3d.formats.scene_file import BLOCK, SH_C0, Progress, SceneArrays, SceneFile
from archsim.traces.gs3d.formats.smallest_three import unpack_smallest_three
from archsim.traces.gs3d.scene import F32

__all__ = ["CHUNK", "CompressedPly", "open_compressed_ply"]

#: Gaussians per chunk.
CHUNK = 256

_PACKED = ("packed_position", "packed_rotation", "packed_scale", "packed_color")
_RANGES = tuple(f"{side}_{f}" for f in ("x", "y", "z", "scale_x", "scale_y", "scale_z")
                for side in ("min", "max"))  # fmt: skip
_DEGREE_OF_REST = {0: 0, 9: 1, 24: 2, 45: 3}


@dataclass(frozen=True)
class CompressedPly(SceneFile):
    """An opened compressed .ply."""

    chunk: PlyElement
    vertex: PlyElement
    harmonics: PlyElement | None

    def place_of_record(self, record: int) -> str:
        """Return the file, record and byte offset."""
        offset = self.vertex.offset + record * self.vertex.dtype.itemsize
        return f"{self.path}, record {record} (byte offset {offset})"

    def decode(self, arrays: SceneArrays, progress: Progress | None) -> None:
        """Read blocks of whole chunks."""
        chunks = _read(self.path, self.chunk, 0, self.chunk.count)
        has_colour = "min_r" in (chunks.dtype.names or ())
        for start in range(0, self.gaussians, BLOCK):
            stop = min(start + BLOCK, self.gaussians)
            raw = _read(self.path, self.vertex, start, stop - start)
            own = chunks[np.arange(start, stop) // CHUNK]
            arrays.means[start:stop] = _lerp(own, "", "xyz", _11_10_11(raw["packed_position"]))
            scales = _lerp(own, "scale_", "xyz", _11_10_11(raw["packed_scale"]))
            arrays.put_log_scales(start, scales)
            packed = raw["packed_rotation"]
            parts = [_unorm(packed >> shift, 10) for shift in (20, 10, 0)]
            three = (np.stack(parts, axis=1) - np.float32(0.5)) * np.float32(np.sqrt(2.0))
            arrays.quats[start:stop] = unpack_smallest_three(three, packed >> 30)
            packed = raw["packed_color"]
            colour = np.stack([_unorm(packed >> shift, 8) for shift in (24, 16, 8)], axis=1)
            if has_colour:
                colour = _lerp(own, "", "rgb", colour)
            arrays.sh[start:stop, 0] = (colour - np.float32(0.5)) / np.float32(SH_C0)
            arrays.opacities[start:stop] = _unorm(packed, 8)
            if self.harmonics is not None:
                arrays.sh[start:stop, 1:] = _sh_block(self.path, self.harmonics, start, stop)
            arrays.accept(start, stop)
            if progress is not None:
                progress(stop, self.gaussians)


def _sh_block(path: Path, element: PlyElement, start: int, stop: int) -> F32:
    raw = _read(path, element, start, stop - start)
    table = raw.view("u1").reshape(stop - start, 3, -1)
    # 0 and 255 stand for the ends of [-4, 4], the others for the middles of 256 steps
    ends = np.where(table == 0, 0.0, np.where(table == 255, 1.0, (table + 0.5) / 256.0))
    return (ends.transpose(0, 2, 1) * 8.0 - 4.0).astype(np.float32)


def _read(path: Path, element: PlyElement, start: int, count: int) -> npt.NDArray[Any]:
    offset = element.offset + start * element.dtype.itemsize
    return np.fromfile(path, element.dtype, count, offset=offset)


def _unorm(packed: npt.NDArray[Any], bits: int) -> F32:
    top = (1 << bits) - 1
    return ((packed & top) / np.float32(top)).astype(np.float32)


def _11_10_11(packed: npt.NDArray[Any]) -> F32:
    return np.stack([_unorm(packed >> 21, 11), _unorm(packed >> 11, 10), _unorm(packed, 11)], 1)


def _lerp(chunks: npt.NDArray[Any], prefix: str, axes: str, share: F32) -> F32:
    low = np.stack([chunks[f"min_{prefix}{a}"] for a in axes], axis=1)
    high = np.stack([chunks[f"max_{prefix}{a}"] for a in axes], axis=1)
    return (low * (1 - share) + high * share).astype(np.float32)


def open_compressed_ply(header: PlyHeader) -> CompressedPly:
    """Check the header of a compressed .ply."""
    path, elements = header.path, header.elements
    chunk, vertex, harmonics = (elements.get(n) for n in ("chunk", "vertex", "sh"))
    if chunk is None or vertex is None:
        raise InputError("a compressed .ply without elements 'chunk' and 'vertex'",
                         place=str(path), remedy="export the scene again")  # fmt: skip
    missing = [n for n in _RANGES if n not in (chunk.dtype.names or ())]
    missing += [n for n in _PACKED if n not in (vertex.dtype.names or ())]
    if missing:
        raise InputError(f"a compressed .ply that lacks {', '.join(missing)}",
                         place=str(path), remedy="export the scene again")  # fmt: skip
    header.check_length()
    if chunk.count * CHUNK < vertex.count:
        raise InputError(
            f"{chunk.count} chunks of {CHUNK} cannot hold {vertex.count} Gaussians",
            place=str(path), remedy="export the scene again",
        )  # fmt: skip
    rest = len(harmonics.dtype.names or ()) if harmonics is not None else 0
    if rest not in _DEGREE_OF_REST or (harmonics and harmonics.count != vertex.count):
        raise InputError(
            f"element 'sh' has {rest} coefficients; degree 1 to 3 have 9, 24 or 45 per Gaussian",
            place=str(path), remedy="export the scene again",
        )  # fmt: skip
    return CompressedPly(
        path, "playcanvas-compressed-ply", vertex.count, _DEGREE_OF_REST[rest], (path,),
        chunk.end - chunk.offset + 400 * BLOCK, {}, chunk, vertex, harmonics,
    )  # fmt: skip
