"""The golden model: the whole machine in integers, pixel for pixel what the hardware gives.

It is independent of time: an early stop drops only work that cannot change a pixel. It also
counts, per visit of a voxel, the work that a model of time needs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import compress, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from archsim.rtl.arithmetic.coarse import coarse_graph
from archsim.rtl.arithmetic.falloff import (
    ALPHA,
    TRANSMITTANCE,
    Widths,
    blend_gaussians,
    exp_table,
    widths,
)
from archsim.rtl.arithmetic.features import pack_columns
from archsim.rtl.arithmetic.fine import fine_graph
from archsim.rtl.arithmetic.placement import placement_graph
from archsim.rtl.arithmetic.queue import order_samples
from archsim.rtl.flow.graph import Graph
from archsim.rtl.format import FLOAT
from archsim.rtl.parameters import SUBTILE, TILE, Parameters
from archsim.rtl.samples import tile_samples
from archsim.rtl.scene_image import SceneImage, frame_constants
from archsim.traces.gs3d.camera import Camera

__all__ = [
    "GoldenTiles",
    "Variant",
    "Visits",
    "cycles_by_tile",
    "golden_tiles",
    "tile_image",
    "tile_origins",
]

I64 = npt.NDArray[np.int64]
_TILES_PER_BATCH = 8


@dataclass(frozen=True)
class Visits:
    """Voxels that tiles render, n visits in order.

    Attributes
    ----------
    tile : (n,) int64
        Position in the list of tiles.
    voxel : (n,) int64
    loaded, kept, stored : (n,) int64
        Gaussians of the voxel, and those that pass the coarse and the fine filter.
    blended, skipped, pixels : (n,) int64
        Gaussian-subtile pairs blended and skipped as done; pixels blended.
    live : (n,) int64
        Pixels of the tile not done behind the visit.
    """

    tile: I64
    voxel: I64
    loaded: I64
    kept: I64
    stored: I64
    blended: I64
    skipped: I64
    pixels: I64
    live: I64


@dataclass(frozen=True)
class Variant:
    """Other formats than the hardware's, to study what each costs.

    Attributes
    ----------
    float_cut
        Last fraction bits cleared in every float of the filters.
    feature_cut
        Last bits cleared in features, by name.
    widths, alpha_bits
        Of the render unit.
    """

    float_cut: int = 0
    feature_cut: dict[str, int] = field(default_factory=dict)
    widths: Widths = field(default_factory=widths)
    alpha_bits: int = ALPHA.f


@dataclass(frozen=True)
class GoldenTiles:
    """What the machine gives for T tiles.

    Attributes
    ----------
    origins : (T, 2) int64
        First pixel of each tile.
    pixels : (T, 256, 4) int64
        Red, green, blue, transmittance (UQ1.16), subtile by subtile, row by row.
    samples
        Columns of all tiles' samples.
    order_cycles : (T,) int64
        Cycles of the voxel sorting unit.
    visits
        Work.
    keep, drawn : list of (loaded,) bool
        Which Gaussians of each visit pass the coarse filter, and the fine filter, too.
    work : list of (stored,) int64
        Subtiles with a live pixel that each visit's survivors are blended in, in that order.
    dropped
        Samples of voxels that the tables had no row for.
    """

    origins: I64
    pixels: I64
    samples: dict[str, I64]
    order_cycles: I64
    visits: Visits
    keep: list[npt.NDArray[np.bool_]]
    drawn: list[npt.NDArray[np.bool_]]
    work: list[I64]
    dropped: int

    def of_slice(self, number: int, slices: int) -> GoldenTiles:
        """Return what one of several slices renders: tile k belongs to slice k modulo ``slices``.

        Dropped samples are not known by slice and stay what they are.
        """
        if slices == 1:
            return self
        owner = np.cumsum(self.samples["last"]) - self.samples["last"]
        sampled = owner % slices == number
        chosen = self.visits.tile % slices == number
        columns = {name: column[chosen] for name, column in vars(self.visits).items()}
        columns["tile"] = columns["tile"] // slices
        return GoldenTiles(
            self.origins[number::slices], self.pixels[number::slices],
            {name: column[sampled] for name, column in self.samples.items()},
            self.order_cycles[number::slices], Visits(**columns),
            list(compress(self.keep, chosen)), list(compress(self.drawn, chosen)),
            list(compress(self.work, chosen)), self.dropped,
        )  # fmt: skip


def cycles_by_tile(finish: I64, slices: int) -> I64:
    """Return the cycles from the end of a slice's tile before to the end of each tile, (T,)."""
    before: I64 = np.concatenate([np.zeros(slices, np.int64), finish])[: finish.size]
    return np.asarray(finish - before, np.int64)


def tile_origins(camera: Camera, tiles: Sequence[int]) -> I64:
    """Return the first pixel of tiles numbered row by row, (T, 2)."""
    across = -(-camera.width // TILE)
    number = np.asarray(tiles, np.int64)
    return np.stack([number % across * TILE, number // across * TILE], axis=1)


def golden_tiles(
    image: SceneImage,
    camera: Camera,
    tiles: Sequence[int],
    p: Parameters,
    progress: Callable[[int], None] | None = None,
    variant: Variant | None = None,
) -> GoldenTiles:
    """Render tiles; ``progress`` is called with the tiles done."""
    constants = frame_constants(camera, image.grid)
    origins = tile_origins(camera, tiles)
    rename = image.grid.rename.astype(np.int64)
    samples = [tile_samples(image.grid, camera, int(x), int(y)) for x, y in origins]
    ordered = [order_samples(rename, s["cell"], s["first"], s["miss"], p.tile_voxels)
               for s in samples]  # fmt: skip
    renderer = _Renderer(image, constants, p, variant or Variant())
    for first in range(0, len(tiles), _TILES_PER_BATCH):
        chosen = range(first, min(first + _TILES_PER_BATCH, len(tiles)))
        renderer.render(chosen, origins, [ordered[t][0] for t in chosen])
        if progress is not None:
            progress(chosen[-1] + 1)
    columns = {n: np.concatenate([s[n] for s in samples]) for n in samples[0]}
    visits = Visits(*np.array(renderer.rows, np.int64).reshape(-1, 9).T)
    return GoldenTiles(
        origins, np.array(renderer.pixels), columns, np.array([o[1] for o in ordered]), visits,
        renderer.keep, renderer.drawn, renderer.work, sum(o[3] for o in ordered),
    )  # fmt: skip


def tile_image(pixels: I64) -> npt.NDArray[np.float32]:
    """Return tiles as images over black, (T, 16, 16, 4): colour and transmittance."""
    count = pixels.shape[0]
    side = TILE // SUBTILE
    shaped = pixels.reshape(count, side, side, SUBTILE, SUBTILE, 4).transpose(0, 1, 3, 2, 4, 5)
    return TRANSMITTANCE.real(shaped.reshape(count, TILE, TILE, 4)).astype(np.float32)


class _Renderer:
    """Filters batches of visits, then blends tile by tile."""

    def __init__(self, image: SceneImage, constants: dict[str, int], p: Parameters,
                 variant: Variant):  # fmt: skip
        self.image, self.p, self.variant = image, p, variant
        self.place, self.coarse = placement_graph(), coarse_graph()
        self.fine = fine_graph(p.sh_degree)
        self.constants = constants
        self.table, self.widths = exp_table(variant.alpha_bits), variant.widths
        self.index = image.grid.index()
        self.rows: list[tuple[int, ...]] = []
        self.pixels: list[I64] = []
        self.keep: list[npt.NDArray[np.bool_]] = []
        self.drawn: list[npt.NDArray[np.bool_]] = []
        self.work: list[I64] = []

    def _run(self, graph: Graph, columns: dict[str, I64]) -> dict[str, I64]:
        ports = {name: self.constants[name] for name in graph.ports}
        return graph.evaluate(columns, ports, cut=self.variant.float_cut)

    def render(self, tiles: range, origins: I64, queues: list[I64]) -> None:
        """Render some tiles with the voxels of their queues."""
        visits = [(t, int(v)) for t, queue in zip(tiles, queues, strict=True) for v in queue]
        kept, drawn, features, key = self._filter(visits, origins)
        at = 0
        for tile, queue in zip(tiles, queues, strict=True):
            light = np.full(TILE * TILE, self.widths.opaque, np.int64)
            colour = np.zeros((TILE * TILE, 3), np.int64)
            done = np.zeros(TILE * TILE, np.int64)
            for voxel in queue:
                own = self._in_order(features[at], key[at])
                counts, issued = np.zeros(3, np.int64), np.zeros(len(own), np.int64)
                blend_gaussians(own, 0, len(own), self.table, self.widths, light, colour, done,
                                counts, issued)  # fmt: skip
                live = TILE * TILE - int(done.sum())
                work = (kept[at].size, int(kept[at].sum()), len(own), *map(int, counts))
                self.rows.append((tile, int(voxel), *work, live))
                self.keep.append(kept[at])
                self.drawn.append(drawn[at])
                self.work.append(issued)
                at += 1
            self.pixels.append(np.concatenate([colour, light[:, None]], axis=1))

    def _filter(self, visits: list[tuple[int, int]], origins: I64) -> tuple[Any, Any, Any, Any]:
        """Return, by visit, which Gaussians each filter keeps, and their features and keys."""
        if not visits:
            return [], [], [], []
        tile, voxel = np.array(visits, np.int64).T
        grid = self.image.grid
        placed = self._run(self.place, {
            **{f"i{axis}": self.index[voxel, k] for k, axis in enumerate("xyz")},
            "x": origins[tile, 0], "y": origins[tile, 1],
        })  # fmt: skip
        count = grid.count[voxel]
        visit = np.repeat(np.arange(voxel.size), count)
        first = np.cumsum(count) - count
        stored_at = grid.start[voxel][visit] + np.arange(visit.size) - first[visit]
        record = self.image.coarse[stored_at]
        result = self._run(self.coarse, {
            **dict(zip(("x", "y", "z", "size"), record.T, strict=True)),
            **{name: column[visit] for name, column in placed.items()},
        })  # fmt: skip
        keep = result["keep"] == 1
        gaussian = stored_at[keep]
        decoded = {}
        for name, book in self.image.codebooks.items():
            words = book[self.image.index[name][gaussian]]
            decoded.update({f"{name}_{k}": words[:, k] for k in range(book.shape[1])})
        carried = {n: result[n][keep] for n in ("u", "v", "reach", "px", "py")}
        fine = self._run(self.fine, {**carried, **decoded})
        columns = pack_columns(fine, self.image.index["opacity"][gaussian])
        for name, cut in self.variant.feature_cut.items():
            columns[name] = columns[name] >> cut << cut
        feature = np.stack(list(columns.values()), axis=1)
        drawn = feature[:, -1] != 0
        both = keep.copy()
        both[keep] = drawn
        owner = visit[keep][drawn]
        bounds = np.searchsorted(owner, np.arange(voxel.size + 1))
        feature, key = feature[drawn], (result["depth"][keep] & FLOAT.largest)[drawn]
        parts = list(pairwise(bounds))
        flags = np.split(keep, first[1:]), np.split(both, first[1:])
        return *flags, [feature[a:b] for a, b in parts], [key[a:b] for a, b in parts]

    def _in_order(self, feature: I64, key: I64) -> I64:
        """Return features by depth, then arrival; a list longer than a half is cut."""
        cut = np.arange(key.size) // self.p.list_entries
        return np.ascontiguousarray(feature[np.lexsort((np.arange(key.size), key, cut))])
