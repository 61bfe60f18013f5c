"""What every scene reader shares: the opened file, the memory check and the value checks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from archsim.base.errors import InputError
from archsim.traces.gs3d.memory import scene_bytes
from archsim.traces.gs3d.scene import F32, Scene

__all__ = ["BLOCK", "SH_C0", "Progress", "SceneArrays", "SceneFile", "sigmoid"]

#: Records decoded at a time: a multiple of 256, the chunk of PlayCanvas' compressed .ply.
BLOCK = 1 << 16

#: Y_00 = 1 / (2 sqrt(pi)), the constant that INRIA's model stores its DC colours with.
SH_C0 = 0.28209479177387814

#: Called with Gaussians done and Gaussians in total.
Progress = Callable[[int, int], None]

_FLOAT32_TINY = np.finfo(np.float32).tiny


def sigmoid(logits: npt.NDArray[Any]) -> F32:
    """Return 1 / (1 + exp(-x)) in float32."""
    with np.errstate(over="ignore"):  # exp overflows to inf below -88: the opacity is 0
        return (1.0 / (1.0 + np.exp(-logits.astype(np.float32)))).astype(np.float32)


class SceneArrays:
    """The five arrays of a scene while a reader fills them, block by block.

    A reader writes ``[start, stop)`` of every array and calls :meth:`accept`, which normalises
    the quaternions and refuses values that no renderer can use.
    """

    def __init__(self, file: SceneFile):
        n, coefficients = file.gaussians, (file.sh_degree + 1) ** 2
        self._file = file
        self.means = np.empty((n, 3), np.float32)
        self.scales = np.empty((n, 3), np.float32)
        self.quats = np.empty((n, 4), np.float32)
        self.opacities = np.empty(n, np.float32)
        self.sh = np.empty((n, coefficients, 3), np.float32)

    def put_log_scales(self, start: int, log_scales: npt.NDArray[Any]) -> None:
        """Write exp of the stored scales; below float32's range they become its smallest.

        Such a Gaussian has no extent on any screen (every renderer adds a low-pass of at least
        0.3 pixels squared), so the underflow to zero of a very flat one is not an error.
        """
        stop = start + len(log_scales)
        if np.isneginf(log_scales).any():
            self.refuse(start, np.isneginf(log_scales), "a scale of zero", "scales")
        with np.errstate(over="ignore", under="ignore"):  # overflow to inf is refused in accept
            np.maximum(np.exp(log_scales), _FLOAT32_TINY, out=self.scales[start:stop])

    def put_logit_opacities(self, start: int, logits: npt.NDArray[Any]) -> None:
        """Write the sigmoid of the stored opacities."""
        if not np.isfinite(logits).all():
            self.refuse(start, ~np.isfinite(logits), "NaN or infinity", "opacities")
        self.opacities[start : start + len(logits)] = sigmoid(logits)

    def accept(self, start: int, stop: int) -> None:
        """Check records ``[start, stop)`` and normalise their quaternions."""
        block = slice(start, stop)
        for name in ("means", "scales", "quats", "opacities", "sh"):
            values = getattr(self, name)[block]
            finite = np.isfinite(values)
            if not finite.all():
                self.refuse(start, ~finite, "NaN or infinity", name)
        positive = self.scales[block] > 0
        if not positive.all():
            self.refuse(start, ~positive, "a scale that is not positive", "scales")
        quats = self.quats[block]
        norm = np.sqrt(np.einsum("ij,ij->i", quats, quats))
        if not (norm > 0).all():
            self.refuse(start, norm == 0, "a quaternion of length zero", "quats")
        quats /= norm[:, None]

    def refuse(self, start: int, bad: npt.NDArray[np.bool_], what: str, field: str) -> None:
        """Raise the error that names the first bad record of a block starting at ``start``."""
        rows = bad.reshape(len(bad), -1).any(axis=1)
        record = start + int(np.argmax(rows))
        raise InputError(
            f"{what} in {field} ({int(rows.sum())} such record(s) in this block)",
            place=self._file.place_of_record(record),
            remedy="remove these Gaussians, or export the scene again from its trained model",
        )


@dataclass(frozen=True)
class SceneFile(ABC):
    """A scene file whose header is read and checked; nothing else is in memory yet.

    Attributes
    ----------
    path
        The file, or the folder of a SOG.
    format
        Name of the format, as in :data:`archsim.traces.gs3d.formats.FORMATS`.
    gaussians
        Number of Gaussians N of the chosen level of detail.
    sh_degree
        Degree of the stored spherical harmonics.
    files
        Every file that the scene depends on.
    scratch_bytes
        Memory that reading needs beyond the result.
    detail
        JSON-able facts of the format worth reporting (version, level of detail, generator).
    """

    path: Path
    format: str
    gaussians: int
    sh_degree: int
    files: tuple[Path, ...]
    scratch_bytes: int
    detail: dict[str, Any]

    @abstractmethod
    def decode(self, arrays: SceneArrays, progress: Progress | None) -> None:
        """Fill ``arrays`` and accept every record."""

    @property
    def name(self) -> str:
        """Short name for reports: the file's name without its endings, and level of detail."""
        path = self.path.parent if self.path.suffix == ".json" else self.path
        stem = path.name.removesuffix(path.suffix).removesuffix(".compressed")
        lod = self.detail.get("lod")
        return stem if lod is None else f"{stem} LOD {lod}"

    @property
    def needed_bytes(self) -> int:
        """Memory that loading needs at its peak."""
        return scene_bytes(self.gaussians, self.sh_degree) + self.scratch_bytes

    def place_of_record(self, record: int) -> str:
        """Return the place of a record for an error; formats with fixed records add its offset."""
        return f"{self.path}, record {record}"

    def load(self, progress: Progress | None = None) -> Scene:
        """Read the scene. Memory is the caller's to check first (:mod:`memory`)."""
        arrays = SceneArrays(self)
        self.decode(arrays, progress)
        source = {"format": self.format, "path": str(self.path), **self.detail}
        return Scene(arrays.means, arrays.scales, arrays.quats, arrays.opacities, arrays.sh,
                     self.name, source)  # fmt: skip
