"""PlayCanvas' SOG, versions 1 and 2: meta.json and lossless images, one pixel per Gaussian.

Layout: means_l and means_u are the low and high bytes of sign(x) ln(1 + |x|) between mins and
maxs; quats smallest-three of w x y z with 252 + place of the largest in alpha; scales and sh0 by
a codebook of 256 (version 2) or between mins and maxs (version 1), opacity in sh0's alpha
(version 1: logit); shN a palette: labels are two bytes into centroids, 64 entries to a row, one
pixel per coefficient. A folder, or a .sog: the same files in one zip.
"""

from __future__ import annotations

import io
import json
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from archsim.base.errors import InputError
from archsim.traces.gs3d.formats.json_words import json_problem
from archsim.traces.gs3d.formats.scene_file import BLOCK, Progress, SceneArrays, SceneFile
from archsim.traces.gs3d.formats.smallest_three import unpack_smallest_three
from archsim.traces.gs3d.scene import F32

__all__ = ["Folder", "Sog", "SogFiles", "Zip", "decode_sog", "open_sog"]

_PALETTE_COLUMNS = 64
_DEGREE_OF_COEFFICIENTS = {3: 1, 8: 2, 15: 3}
_DECODE_THREADS = 4  # WebP decoding releases the interpreter lock; six or seven images


class SogFiles(Protocol):
    """Where the files of a SOG are: a folder or a zip."""

    @property
    def path(self) -> Path:
        """The folder, or the zip."""

    def read(self, name: str) -> bytes:
        """Return the file's bytes; :class:`InputError` when it is not there."""

    def paths(self, names: list[str]) -> tuple[Path, ...]:
        """Return the files on disk that hold ``names``."""


@dataclass(frozen=True)
class Folder:
    """A folder with meta.json."""

    path: Path

    def read(self, name: str) -> bytes:
        """Return a file's bytes."""
        try:
            return (self.path / name).read_bytes()
        except OSError as error:
            raise InputError(
                f"the SOG lacks its file {name!r} ({error.strerror})",
                place=str(self.path / name),
                remedy="copy or download the whole folder again",
            ) from error

    def paths(self, names: list[str]) -> tuple[Path, ...]:
        """Return the files' paths."""
        return tuple(self.path / n for n in names)


@dataclass(frozen=True)
class Zip:
    """A bundled .sog."""

    path: Path

    def read(self, name: str) -> bytes:
        """Return a member's bytes."""
        try:
            with zipfile.ZipFile(self.path) as archive:
                return archive.read(name)
        except (KeyError, zipfile.BadZipFile, EOFError, OSError) as error:
            raise InputError(f"truncated, or lacks its file {name!r}: {error}",
                             place=f"{self.path}, byte offset {self.path.stat().st_size}",
                             remedy="copy or download the file again") from error  # fmt: skip

    def paths(self, names: list[str]) -> tuple[Path, ...]:
        """Return the archive's path."""
        return (self.path,)


@dataclass(frozen=True)
class Sog(SceneFile):
    """An opened SOG."""

    source: SogFiles
    meta: dict[str, Any]

    def decode(self, arrays: SceneArrays, progress: Progress | None) -> None:
        """Decode the images in threads, then the records in blocks."""
        decode_sog(self, arrays, 0, [(0, self.gaussians)])
        if progress is not None:
            progress(self.gaussians, self.gaussians)


def open_sog(source: SogFiles, path: Path) -> Sog:
    """Read meta.json and check that every image it names is there."""
    place = str(source.path / "meta.json") if isinstance(source, Folder) else str(source.path)
    remedy = "export the scene again with a current tool"
    try:
        meta = json.loads(source.read("meta.json"))
        version = int(meta.get("version", 1))
        if version not in (1, 2):
            raise InputError(f"version {version} of SOG; read are 1 and 2", place=place,
                             remedy=remedy)  # fmt: skip
        count = int(meta["count"] if version == 2 else meta["means"]["shape"][0])
        names = ["meta.json"]
        for part in ("means", "scales", "quats", "sh0"):
            names += [str(n) for n in meta[part]["files"]]
        degree = 0
        if "shN" in meta:
            names += [str(n) for n in meta["shN"]["files"]]
            degree = int(meta["shN"]["bands"]) if version == 2 else _palette_degree(source, meta)
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise InputError(f"meta.json is no SOG's: {json_problem(error)}", place=place,
                         remedy=remedy) from error  # fmt: skip
    if not 0 <= degree <= 3:
        raise InputError(f"{degree} SH bands; 0 to 3 are possible", place=place, remedy=remedy)
    files = source.paths(names)
    for file in files:
        if not file.is_file():
            raise InputError(f"the SOG lacks its file {file.name!r}", place=str(file),
                             remedy="copy or download the whole folder again")  # fmt: skip
    scratch = 4 * 7 * count + 400 * BLOCK  # seven images of 4 bytes, and a block's temporaries
    return Sog(path, "sog", count, degree, tuple(files), scratch, {"version": version},
               source, meta)  # fmt: skip


def _palette_degree(source: SogFiles, meta: dict[str, Any]) -> int:
    name = str(meta["shN"]["files"][0])
    width = _image(source, name).shape[1]
    coefficients = width // _PALETTE_COLUMNS
    if width % _PALETTE_COLUMNS or coefficients not in _DEGREE_OF_COEFFICIENTS:
        raise InputError(
            f"a palette of width {width}; degree 1 to 3 have 192, 512 or 960",
            place=str(source.path / name), remedy="export the scene again",
        )  # fmt: skip
    return _DEGREE_OF_COEFFICIENTS[coefficients]


def decode_sog(sog: Sog, arrays: SceneArrays, at: int, ranges: list[tuple[int, int]]) -> int:
    """Decode the records of ``ranges`` (offset, count) from ``at`` on; return the end."""
    meta, source = sog.meta, sog.source
    parts = [p for p in ("means", "scales", "quats", "sh0", "shN") if p in meta]
    wanted = [(p, str(n)) for p in parts for n in meta[p]["files"]]
    with ThreadPoolExecutor(_DECODE_THREADS) as pool:
        images = list(pool.map(lambda item: _image(source, item[1]), wanted))
    flat: list[npt.NDArray[np.uint8]] = []
    for (part, name), image in zip(wanted, images):
        pixels = image.reshape(-1, image.shape[2])
        palette = part == "shN" and name == str(meta["shN"]["files"][0])
        if not palette and len(pixels) < sog.gaussians:
            raise InputError(
                f"truncated: {len(pixels)} pixels for {sog.gaussians} Gaussians",
                place=str(source.path / name), remedy="copy or download the file again",
            )  # fmt: skip
        flat.append(pixels)
    try:
        tables = _Tables(sog, flat)
        for offset, count in ranges:
            for first in range(offset, offset + count, BLOCK):
                last = min(first + BLOCK, offset + count)
                tables.decode_block(arrays, at, first, last)
                arrays.accept(at, at + last - first)
                at += last - first
    except (KeyError, ValueError, IndexError, TypeError) as error:
        raise InputError(
            f"meta.json does not fit the images: {error}",
            place=str(source.path),
            remedy="export the scene again",
        ) from error
    return at


class _Tables:
    """The images and lookup tables of one SOG, decoded once and read in blocks."""

    def __init__(self, sog: Sog, images: list[npt.NDArray[np.uint8]]):
        meta = sog.meta
        self.images = images
        self.version = int(meta.get("version", 1))
        low = np.array(meta["means"]["mins"], np.float64)
        high = np.array(meta["means"]["maxs"], np.float64)
        if low.shape != (3,) or high.shape != (3,):
            raise ValueError("means need three mins and maxs")
        self.mean_low, self.mean_step = low, (high - low) / 65535
        self.scales = _codebooks(meta["scales"], self.version, 3)
        self.colours = _codebooks(meta["sh0"], self.version, 3)
        self.opacities = _opacity_table(meta["sh0"], self.version)
        self.palette: F32 | None = None
        if "shN" in meta:
            self.palette = _palette(sog, images[5])

    def decode_block(self, arrays: SceneArrays, at: int, first: int, last: int) -> None:
        means_l, means_u, scales, quats, sh0 = (image[first:last] for image in self.images[:5])
        block = slice(at, at + last - first)
        steps = means_u[:, :3].astype(np.int32) << 8 | means_l[:, :3]
        log = self.mean_low + steps * self.mean_step
        arrays.means[block] = np.copysign(np.expm1(np.abs(log)), log)
        channels = np.arange(3)
        arrays.put_log_scales(at, self.scales[channels, scales[:, :3]])
        arrays.sh[block, 0] = self.colours[channels, sh0[:, :3]]
        arrays.opacities[block] = self.opacities[sh0[:, 3]]
        largest = quats[:, 3].astype(np.int64) - 252
        if (largest < 0).any():
            arrays.refuse(at, largest < 0, "no smallest-three rotation (alpha below 252)", "quats")
        three = (quats[:, :3] / np.float32(255) - np.float32(0.5)) * np.sqrt(2.0)
        arrays.quats[block] = unpack_smallest_three(three.astype(np.float32), largest)
        if self.palette is not None:
            labels = self.images[6][first:last].astype(np.int64)
            index = labels[:, 0] | labels[:, 1] << 8
            outside = index >= len(self.palette)
            if outside.any():
                arrays.refuse(at, outside, "a label outside the palette", "sh")
            arrays.sh[block, 1:] = self.palette[index]


def _codebooks(meta: dict[str, Any], version: int, channels: int) -> F32:
    """Return (channels, 256): the value of each byte in each channel."""
    if version == 2:
        book = np.array(meta["codebook"], np.float32)
        if book.shape != (256,):
            raise ValueError(f"a codebook of {book.size} entries instead of 256")
        return np.broadcast_to(book, (channels, 256)).copy()
    low, high = (np.array(meta[k], np.float64)[:channels, None] for k in ("mins", "maxs"))
    return (low + (high - low) * np.arange(256) / 255).astype(np.float32)


def _opacity_table(meta: dict[str, Any], version: int) -> F32:
    share = np.arange(256) / 255
    if version == 2:
        return share.astype(np.float32)
    low, high = float(meta["mins"][3]), float(meta["maxs"][3])
    return (1 / (1 + np.exp(-(low + (high - low) * share)))).astype(np.float32)


def _palette(sog: Sog, pixels: npt.NDArray[np.uint8]) -> F32:
    """Return (entries, coefficients, 3): the colours of each palette entry."""
    meta, coefficients = sog.meta["shN"], (sog.sh_degree + 1) ** 2 - 1
    if len(pixels) % (_PALETTE_COLUMNS * coefficients):
        raise ValueError(f"{len(pixels)} palette pixels are no rows of 64 x {coefficients}")
    entries = pixels[:, :3].reshape(-1, coefficients, 3)
    if sog.detail["version"] == 2:
        book = np.array(meta["codebook"], np.float32)
        return book[entries]
    low, high = float(meta["mins"]), float(meta["maxs"])
    return (low + (high - low) * entries / 255).astype(np.float32)


def _image(source: SogFiles, name: str) -> npt.NDArray[np.uint8]:
    data = source.read(name)
    try:
        with Image.open(io.BytesIO(data)) as image:
            colour = image if image.mode in ("RGB", "RGBA") else image.convert("RGBA")
            return np.asarray(colour)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise InputError(f"truncated or not an image: {error}",
                         place=f"{source.path / name}, byte offset {len(data)}",
                         remedy="copy or download the file again") from error  # fmt: skip
