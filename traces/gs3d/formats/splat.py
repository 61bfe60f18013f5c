"""antimatter15's .splat: records of 32 bytes and no header.

Layout of a record: 3 float32 position, 3 float32 linear scale, 4 uint8 colour and opacity, 4
uint8 quaternion w x y z as q x 128 + 128. No spherical harmonics above degree 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from archsim.base.errors import InputError
from archsim.traces.gs3d.formats.scene_file import BLOCK, SH_C0, Progress, SceneArrays, SceneFile

__all__ = ["RECORD", "Splat", "open_splat"]

#: One record.
RECORD = np.dtype([("mean", "<f4", 3), ("scale", "<f4", 3), ("rgba", "u1", 4), ("quat", "u1", 4)])


@dataclass(frozen=True)
class Splat(SceneFile):
    """An opened .splat."""

    def place_of_record(self, record: int) -> str:
        """Return the file, record and byte offset."""
        return f"{self.path}, record {record} (byte offset {record * RECORD.itemsize})"

    def decode(self, arrays: SceneArrays, progress: Progress | None) -> None:
        """Read blocks of records."""
        with self.path.open("rb") as stream:
            for start in range(0, self.gaussians, BLOCK):
                stop = min(start + BLOCK, self.gaussians)
                raw = np.fromfile(stream, RECORD, stop - start)
                arrays.means[start:stop] = raw["mean"]
                arrays.scales[start:stop] = raw["scale"]
                arrays.quats[start:stop] = raw["quat"].astype(np.float32) / 128 - 1
                rgba = raw["rgba"].astype(np.float32) / 255
                arrays.sh[start:stop, 0] = (rgba[:, :3] - np.float32(0.5)) / np.float32(SH_C0)
                arrays.opacities[start:stop] = rgba[:, 3]
                arrays.accept(start, stop)
                if progress is not None:
                    progress(stop, self.gaussians)


def open_splat(path: Path) -> Splat:
    """Check the length of a .splat, the only thing it tells before its records."""
    size = path.stat().st_size
    if size % RECORD.itemsize:
        whole = size // RECORD.itemsize
        raise InputError(
            f"truncated or not a .splat: {size} bytes are not a whole number of "
            f"{RECORD.itemsize}-byte records, the file ends in record {whole}",
            place=f"{path}, byte offset {size}",
            remedy="copy or download the file again",
        )
    return Splat(path, "splat", size // RECORD.itemsize, 0, (path,), 200 * BLOCK, {})
