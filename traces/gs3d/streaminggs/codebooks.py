"""Codebooks of a scene's shapes and colours, trained by k-means, and how they are kept.

StreamingGS (DAC 2025) keeps the codebooks of scale, rotation, DC colour and spherical harmonics on
chip. The sizes, 4096, 4096, 4096 and 512 entries, are from memory; in FP32 they are the published
250 KB exactly (4 B x (4096 x (3 + 4 + 3) + 512 x 45) = 250.0 KiB).

k-means and the search for nearest entries are faiss's: of 500,000 scales it trains 4,096 entries in
a fifth of the CPU time of scikit-learn's mini-batches, to a smaller error.
"""

from __future__ import annotations

import hashlib
import importlib
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from archsim.base.errors import ConfigError
from archsim.traces.cache import TraceCache, trace_key
from archsim.traces.gs3d.scene import F32, Scene
from archsim.traces.gs3d.streaminggs.gauge import canonical_gauge
from archsim.traces.trace import Trace

__all__ = [
    "CodebookKind",
    "CodebookSizes",
    "Codebooks",
    "nearest",
    "scene_codebooks",
    "train_codebooks",
]

#: ``trained``: all four by k-means on the scene. ``palette``: the spherical harmonics of a SOG
#: scene come from a palette that its writer trained, which becomes the codebook as it is.
CodebookKind = Literal["trained", "palette"]

_KIND = "gs3d/codebooks"
_SAMPLE = 131_072  # Gaussians that train a codebook, 32 per entry of 4096; all of a smaller scene
_ITERATIONS = 10  # 20 gain less than 0.1 dB of a rendered image
_MOST_PALETTE = 65_536  # entries of a SOG palette: labels of 16 bits
_WORD_BYTES = 4  # FP32
_MEMORY: dict[str, Codebooks] = {}  # the last ones of this process
_KEPT = 4

#: Called with steps done and in total.
Progress = Callable[[int, int], None]


class CodebookSizes(NamedTuple):
    """Entries of each codebook; the defaults make the published 250 KB."""

    scale: int = 4096
    rotation: int = 4096
    dc: int = 4096
    sh: int = 512

    def check(self) -> None:
        """Raise :class:`ConfigError` for sizes that are no codebook's."""
        for name, size in self._asdict().items():
            if not 1 <= size <= _MOST_PALETTE:
                raise ConfigError(
                    f"a codebook of {size} entries for {name}",
                    remedy=f"use 1 to {_MOST_PALETTE} entries",
                )


@dataclass(frozen=True)
class Codebooks:
    """Entries in FP32, as they lie on chip.

    Attributes
    ----------
    scale : (Ks, 3)
        Standard deviations, linear, in descending order (see :mod:`gauge`).
    rotation : (Kr, 4)
        Unit quaternions w, x, y, z, w the largest.
    dc : (Kd, 3)
        Coefficients of degree 0.
    sh : (Kh, (degree + 1)**2 - 1, 3)
        Coefficients of degree 1 and up; empty at degree 0.
    sizes
        Entries that the codebooks have room for; a scene with fewer different values uses fewer.
    """

    scale: F32
    rotation: F32
    dc: F32
    sh: F32
    sizes: CodebookSizes

    @property
    def sh_degree(self) -> int:
        """Degree of the spherical harmonics that the codebooks cover."""
        return math.isqrt(1 + self.sh.shape[1]) - 1

    @property
    def index_bits(self) -> dict[str, int]:
        """Bits of the index into each codebook, by part; none for harmonics at degree 0."""
        bits = {name: max(size - 1, 0).bit_length() for name, size in self.sizes._asdict().items()}
        return {**bits, "sh": bits["sh"] if self.sh.shape[1] else 0}

    def codebook_bytes(self, sh_degree: int | None = None) -> int:
        """Return the bytes of all codebooks on chip, FP32, at an SH degree (None: the scene's)."""
        degree = self.sh_degree if sh_degree is None else sh_degree
        harmonics = 3 * ((degree + 1) ** 2 - 1)
        size = self.sizes
        words = 3 * size.scale + 4 * size.rotation + 3 * size.dc + harmonics * size.sh
        return _WORD_BYTES * words


def scene_codebooks(
    scene: Scene, *, kind: CodebookKind = "trained", sizes: CodebookSizes | None = None,
    seed: int = 0, cache: TraceCache | None = None, progress: Progress | None = None,
) -> Codebooks:  # fmt: skip
    """Return a scene's codebooks: from this process, from ``cache``, or trained now.

    They depend on the content of the scene, ``kind``, ``sizes``, ``seed`` and on nothing else.
    Parameters and errors as :func:`train_codebooks`.
    """
    sizes = sizes or CodebookSizes()
    key = trace_key(
        {"what": _KIND, "scene": _content(scene), "kind": kind, "sizes": sizes, "seed": seed}
    )
    if key not in _MEMORY:
        kept = None if cache is None else cache.load(key)
        if kept is None:
            books = train_codebooks(scene, kind=kind, sizes=sizes, seed=seed, progress=progress)
            if cache is not None:
                columns = {name: getattr(books, name) for name in sizes._fields}
                cache.store(key, Trace(_KIND, {"sizes": books.sizes._asdict()}, columns))
        else:
            books = Codebooks(**kept.columns, sizes=CodebookSizes(**kept.meta["sizes"]))
        while len(_MEMORY) >= _KEPT:
            del _MEMORY[next(iter(_MEMORY))]
        _MEMORY[key] = books
    return _MEMORY[key]


def train_codebooks(
    scene: Scene, *, kind: CodebookKind = "trained", sizes: CodebookSizes | None = None,
    seed: int = 0, progress: Progress | None = None,
) -> Codebooks:  # fmt: skip
    """Train the codebooks of a scene; the same arguments give the same bytes.

    Scales are clustered by their logarithm, rotations as unit quaternions, both in the gauge of
    :mod:`gauge`; colours by their coefficients. A part with no more different values than entries
    is kept exactly. ``progress`` is called with steps done and in total.

    Raises :class:`ConfigError` for impossible sizes, and for ``palette`` with a scene whose
    harmonics have more than 65,536 different values, which no SOG palette has.
    """
    sizes = sizes or CodebookSizes()
    sizes.check()
    _, scales, quats = canonical_gauge(scene.scales, scene.quats)
    harmonics = np.ascontiguousarray(scene.sh[:, 1:])
    flat = harmonics.reshape(len(scene), -1)
    steps = _Steps(progress, 4 * _ITERATIONS)
    log_scales = _clustered(np.log(scales), sizes.scale, seed, steps)
    rotation = _clustered(quats, sizes.rotation, seed, steps)
    dc = _clustered(np.ascontiguousarray(scene.sh[:, 0]), sizes.dc, seed, steps)
    if kind == "palette":
        sh = _palette(flat, scene)
        sizes = sizes._replace(sh=len(sh) if harmonics.shape[1] else sizes.sh)
    else:
        sh = _clustered(flat, sizes.sh, seed, steps)
    steps.part_done()
    return Codebooks(
        np.exp(log_scales),
        rotation / np.linalg.norm(rotation, axis=1, keepdims=True).astype(np.float32),
        dc,
        sh.reshape(len(sh), *harmonics.shape[1:]),
        sizes,
    )


def nearest(points: F32, entries: F32) -> npt.NDArray[np.int32]:
    """Return the nearest of ``entries``, (K, D), to each of ``points``, (N, D); 0 where D is 0."""
    if points.shape[1] == 0:
        return np.zeros(len(points), np.int32)
    middle = entries.mean(axis=0)  # near the origin, squares lose fewer digits
    index = _faiss().IndexFlatL2(entries.shape[1])
    index.add(np.ascontiguousarray(entries - middle))
    _, found = index.search(np.ascontiguousarray(points - middle), 1)
    closest: npt.NDArray[np.int32] = found[:, 0].astype(np.int32)
    return closest


def _faiss() -> Any:
    with warnings.catch_warnings():  # of SWIG's, about its own types
        warnings.simplefilter("ignore", DeprecationWarning)
        return importlib.import_module("faiss")


class _Steps:
    """Counts iterations of all codebooks; a part that needs none counts as done."""

    def __init__(self, progress: Progress | None, total: int):
        self._progress, self._total = progress, total
        self._done = self._parts = 0

    def step(self) -> None:
        self._done += 1
        self._tell()

    def part_done(self) -> None:
        self._parts += 1
        self._done = min(self._parts * _ITERATIONS, self._total)
        self._tell()

    def _tell(self) -> None:
        if self._progress is not None:
            self._progress(self._done, self._total)


def _clustered(points: F32, entries: int, seed: int, steps: _Steps) -> F32:
    """Return at most ``entries`` centres of (N, D) points; the points themselves if as few."""
    different = _distinct(points)
    if len(different) <= entries:
        steps.part_done()
        return different
    random = np.random.default_rng(seed)
    if len(points) > _SAMPLE:
        points = points[np.sort(random.choice(len(points), _SAMPLE, replace=False))]
    middle = points.mean(axis=0)
    sample = np.ascontiguousarray(points - middle)
    centres = sample[random.choice(len(sample), min(entries, len(sample)), replace=False)]
    faiss = _faiss()
    for iteration in range(_ITERATIONS):  # one at a time: progress shows, and Ctrl-C works
        means = faiss.Kmeans(
            sample.shape[1], entries, niter=1, seed=seed + iteration,
            min_points_per_centroid=1, max_points_per_centroid=len(sample),
        )  # fmt: skip
        means.train(sample, init_centroids=centres)
        centres = means.centroids
        steps.step()
    steps.part_done()
    found: F32 = centres + middle
    return found


def _distinct(points: F32) -> F32:
    """Return the different rows, sorted as bytes."""
    width = points.shape[1] * points.itemsize
    if width == 0:
        return points[:1]
    rows = np.ascontiguousarray(points).view(np.dtype((np.void, width)))[:, 0]
    return np.unique(rows).view(points.dtype).reshape(-1, points.shape[1])


def _palette(flat: F32, scene: Scene) -> F32:
    different = _distinct(flat)
    if len(different) > _MOST_PALETTE:
        raise ConfigError(
            f"the spherical harmonics of {scene.name} have {len(different):,} different values; "
            f"a SOG palette has at most {_MOST_PALETTE:,}",
            place="method.vq",
            remedy="use vq: trained, or a scene in SOG format",
        )
    return different


def _content(scene: Scene) -> str:
    """Return a hash of what codebooks are trained on."""
    digest = hashlib.sha256()
    for part in (scene.scales, scene.quats, scene.sh):
        digest.update(str(part.shape).encode())
        digest.update(np.ascontiguousarray(part).data)
    return digest.hexdigest()
