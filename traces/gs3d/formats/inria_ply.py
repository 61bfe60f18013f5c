"""INRIA's .ply: one float per parameter, in any property order, read in blocks.

Layout: x y z, f_dc_0..2, f_rest_* (channel-major: all coefficients of red, then green, then
blue), opacity as a logit, scale_0..2 as natural logarithms, rot_0..3 as w x y z, not normalised
(the format that INRIA's training writes and most trainers follow).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from archsim.base.errors import InputError
from archsim.traces.gs3d.formats.ply_header import PlyElement, PlyHeader
from archsim.traces.gs3d.formats.scene_file import BLOCK, Progress, SceneArrays, SceneFile

__all__ = ["InriaPly", "open_inria_ply"]

_REQUIRED = (
    "x", "y", "z", "f_dc_0", "f_dc_1", "f_dc_2", "opacity",
    "scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3",
)  # fmt: skip
_DEGREE_OF_REST = {0: 0, 9: 1, 24: 2, 45: 3}


@dataclass(frozen=True)
class InriaPly(SceneFile):
    """An opened INRIA .ply."""

    vertex: PlyElement

    def place_of_record(self, record: int) -> str:
        """Return the file, record and byte offset."""
        offset = self.vertex.offset + record * self.vertex.dtype.itemsize
        return f"{self.path}, record {record} (byte offset {offset})"

    def decode(self, arrays: SceneArrays, progress: Progress | None) -> None:
        """Read blocks of records: memory beyond the result is a few blocks."""
        rest = (self.sh_degree + 1) ** 2 - 1
        columns = (*_REQUIRED, *(f"f_rest_{i}" for i in range(3 * rest)))
        names = self.vertex.dtype.names or ()
        uniform = all(self.vertex.dtype[n] == np.dtype("<f4") for n in names)
        pick = [names.index(c) for c in columns]
        with self.path.open("rb") as stream:
            stream.seek(self.vertex.offset)
            for start in range(0, self.gaussians, BLOCK):
                stop = min(start + BLOCK, self.gaussians)
                raw = np.fromfile(stream, self.vertex.dtype, stop - start)
                if uniform:
                    table = raw.view("<f4").reshape(len(raw), len(names))[:, pick]
                else:
                    table = np.stack([raw[c].astype(np.float32) for c in columns], axis=1)
                arrays.means[start:stop] = table[:, 0:3]
                arrays.sh[start:stop, 0] = table[:, 3:6]
                arrays.put_logit_opacities(start, table[:, 6])
                arrays.put_log_scales(start, table[:, 7:10])
                arrays.quats[start:stop] = table[:, 10:14]
                by_channel = table[:, 14:].reshape(len(raw), 3, rest)
                arrays.sh[start:stop, 1:] = by_channel.transpose(0, 2, 1)
                arrays.accept(start, stop)
                if progress is not None:
                    progress(stop, self.gaussians)


def open_inria_ply(header: PlyHeader) -> InriaPly:
    """Check the header of an INRIA .ply; :class:`InputError` says which properties lack."""
    path: Path = header.path
    vertex = header.elements.get("vertex")
    names = (vertex.dtype.names or ()) if vertex is not None else ()
    missing = [c for c in _REQUIRED if c not in names]
    if vertex is None or missing:
        raise InputError(
            f"a .ply without 3DGS parameters: lacks {', '.join(missing)}",
            place=str(path),
            remedy="give a trained 3DGS model; a point cloud or mesh has no Gaussians",
        )
    rest = sum(n.startswith("f_rest_") for n in names)
    if rest not in _DEGREE_OF_REST or any(f"f_rest_{i}" not in names for i in range(rest)):
        raise InputError(
            f"{rest} f_rest properties; spherical harmonics of degree 0 to 3 have 0, 9, 24 or 45",
            place=str(path),
            remedy="export the scene again with a whole number of SH bands",
        )
    header.check_length()
    degree = _DEGREE_OF_REST[rest]
    return InriaPly(
        path, "inria-ply", vertex.count, degree, (path,),
        4 * BLOCK * vertex.dtype.itemsize, {}, vertex,
    )  # fmt: skip
