"""Execute StreamingGS on a frame and record what a machine must do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from archsim.traces.cache import TraceCache
from archsim.traces.gs3d.camera import Camera
from archsim.traces.gs3d.images import to_uint8
from archsim.traces.gs3d.quality import compare_images, error_map
from archsim.traces.gs3d.reference import BLEND_RULES, Reference, render_reference
from archsim.traces.gs3d.scene import Scene
from archsim.traces.gs3d.streaminggs.codebooks import Codebooks
from archsim.traces.gs3d.streaminggs.errors import render_errors
from archsim.traces.gs3d.streaminggs.fine import quantised_scene, quantised_view
from archsim.traces.gs3d.streaminggs.frame import FineView, StreamedFrame, stream_frame
from archsim.traces.gs3d.streaminggs.grid import FEWEST_VOXELS, VoxelGrid
from archsim.traces.gs3d.streaminggs.layout import (
    COARSE_WORDS,
    WORD_BYTES,
    VoxelLayout,
    vq_savings,
)
from archsim.traces.gs3d.streaminggs.order import OrderRule
from archsim.traces.gs3d.streaminggs.parameters import StreamingGsParameters
from archsim.traces.gs3d.streaminggs.quantise import QuantisedScene
from archsim.traces.gs3d.streaminggs.render import gaussian_features
from archsim.traces.trace import Detail, Trace

__all__ = ["KIND", "record_streaminggs"]

KIND = "gs3d/streaminggs"

_ERROR_TEXT = {
    "coverage": "only Gaussians of voxels that a ray of their pixel group crosses, in exact order",
    "order": "all Gaussians, in the order of the group's voxels instead of exact depth order",
    "vq": "all Gaussians in exact order, with scale, rotation and colour from codebooks and "
    "opacity in 8 bits",
    "tuning": "all Gaussians of the fine-tuned scene in exact order, out of its codebooks if it "
    "has any",
}


def record_streaminggs(
    scene: Scene, camera: Camera, reference: Reference, parameters: StreamingGsParameters, *,
    tuned: Scene | None = None, codebooks: Codebooks | None = None,
    cache: TraceCache | None = None, progress: Callable[[int, int], None] | None = None,
    detail: Detail = "full",
) -> Trace:  # fmt: skip
    """Run StreamingGS on a frame; ``reference`` is the reference render of the same frame.

    ``tuned`` is streamed in place of ``scene``, which ``reference`` shows: the same centres with
    other parameters (:mod:`archsim.traces.gs3d.finetune`). Order and coverage then are its errors
    against its own exact render; ``tuning`` stands in place of ``vq``.

    With vector quantisation the fine filter and the renderer use the decoded parameters, the coarse
    filter the scene's own. ``codebooks`` are those of the scene unless given; ``cache`` keeps them
    for other frames. ``progress`` is called with steps done and in total.

    Work and the image's quality are the same with both details. ``work`` leaves out all columns of
    images and errors, the errors apart, and with them the ``meta["counts"]`` of pairs uncovered and
    misordered.

    Columns of the trace (G groups row by row, M occupied voxels, n visits in group order; a visit
    is a voxel that a group really processed, before all its pixels were saturated):

    ``voxel.count``, ``voxel.start`` : (M,) int64
        Gaussians of a voxel and its first storage position.
    ``voxel.coarse_start_bytes``, ``voxel.fine_start_bytes`` : (M,) int64
        Its first byte, from the beginning of each half (:mod:`layout`).
    ``group.rays``, ``group.ray_steps``, ``group.hits`` : (G,) int64
        Rays cast, cells they entered, occupied cells among them.
    ``group.passed`` : (G, sizes) int64
        Of the hits, those that a filter of the last pairs of voxels lets through, by its size
        (:data:`reuse.FILTER_ENTRIES`).
    ``group.nodes``, ``group.edges``, ``group.rounds`` : (G,) int64
        Voxels of the group, pairs that follow each other on a ray, rounds of the topological sort.
    ``group.pixels``, ``group.saturated`` : (G,) int64
        Pixels inside the image; pixels saturated at the end.
    ``group.start`` : (G + 1,) int64
        Group g's visits are ``group.start[g]:group.start[g + 1]``.
    ``visit.voxel`` : (n,) int32
    ``visit.loaded``, ``visit.coarse_pass``, ``visit.fine_pass`` : (n,) int64
        Gaussians of the voxel, and those that pass each filter.
    ``visit.subtile_work``, ``visit.subtiles``, ``visit.alpha_tests``, ``visit.blends`` : (n,) int64
        Gaussian-subtile pairs (8x8 pixels), distinct subtiles, pixels tested, pixels blended.
    ``visit.survivor_start`` : (n + 1,) int64; ``survivor.rank`` : (coarse survivors,) int32
        Positions inside the voxel of each visit's coarse survivors.
    ``image``, ``image.order``, ``image.coverage``, ``image.vq`` : (H, W, 3) uint8
        The frame, and the frame with only the named error.
    ``error``, ``error.order``, ``error.coverage``, ``error.vq`` : (H, W) float16
        Where they differ from the reference, see :func:`quality.error_map`.

    ``meta["layout"]`` holds the bytes of a Gaussian's record in each half, the alignment and the
    halves' sizes; ``meta["vq"]`` the kind, index bits and codebook bytes.
    """
    parameters.check()
    tell = progress or (lambda _done, _total: None)
    stored = scene if tuned is None else tuned
    fine: Reference | FineView = reference

    def training(done: int, total: int) -> None:
        tell(50 * done // total, 100)

    if detail == "work" and codebooks is None and (parameters.vq != "none" or stored is not scene):
        quantised, fine = quantised_view(
            stored, camera, reference.variant, parameters, cache=cache, progress=training
        )
    else:
        quantised = quantised_scene(
            stored, parameters, codebooks=codebooks, cache=cache, progress=training
        )
        tell(50, 100)
        if stored is not scene or quantised is not None:
            fine = render_reference(
                stored if quantised is None else quantised.decoded(), camera,
                variant=reference.variant, background=reference.background,
            )  # fmt: skip
    tell(65, 100)
    frame = stream_frame(stored, camera, fine, parameters)
    tell(80, 100)
    grid, groups, queue = frame.grid, frame.groups, frame.queue
    tables, streamed, visits = frame.tables, frame.streamed, frame.visits
    survivors = visits.survivors
    image = streamed.frame.over(reference.background)
    apart = None
    if detail == "full" and isinstance(fine, Reference):
        apart = _errors_apart(frame, reference, fine, parameters.order, tuned is not None)
    fine_bits = WORD_BYTES * 8 * (scene.parameters_per_gaussian - COARSE_WORDS)
    layout = VoxelLayout.of(
        grid.count, fine_bits if quantised is None else quantised.record_bits,
        parameters.alignment_bytes,
    )  # fmt: skip
    columns: dict[str, npt.NDArray[Any]] = {
        "voxel.count": grid.count,
        "voxel.start": grid.start[:-1],
        "voxel.coarse_start_bytes": layout.coarse_start,
        "voxel.fine_start_bytes": layout.fine_start,
        "group.rays": tables.rays,
        "group.ray_steps": tables.steps,
        "group.hits": tables.hits,
        "group.passed": tables.passed,
        "group.nodes": np.diff(queue.start),
        "group.edges": np.diff(tables.edge_start),
        "group.rounds": queue.rounds,
        "group.pixels": groups.pixels(queue.start.size - 1),
        "group.saturated": streamed.saturated,
        "group.start": np.concatenate([[0], np.cumsum(streamed.processed)]),
        "visit.voxel": visits.voxel,
        "visit.loaded": visits.loaded,
        "visit.coarse_pass": survivors.coarse_pass,
        "visit.fine_pass": survivors.fine_pass,
        "visit.subtile_work": streamed.subtile_work[visits.entry],
        "visit.subtiles": streamed.subtiles[visits.entry],
        "visit.alpha_tests": streamed.alpha_tests[visits.entry],
        "visit.blends": streamed.blends[visits.entry],
        "visit.survivor_start": survivors.start,
        "survivor.rank": survivors.rank,
    }
    counts = frame.counts()
    quality = {**compare_images(image, reference.image), "errors": {}}
    if apart is not None:
        columns |= {"image": to_uint8(image), "error": error_map(image, reference.image)}
        columns |= {f"image.{cause}": to_uint8(alone) for cause, alone in apart.alone.items()}
        columns |= {
            f"error.{cause}": error_map(alone, apart.exact[cause])
            for cause, alone in apart.alone.items()
        }
        counts |= apart.counts
        quality["errors"] = {
            cause: {**compare_images(alone, apart.exact[cause]), "what": _ERROR_TEXT[cause]}
            for cause, alone in apart.alone.items()
        }
    meta = {
        "parameters": parameters.meta(),
        "resolution": [camera.width, camera.height],
        "sh_degree": scene.sh_degree,
        "parameters_per_gaussian": scene.parameters_per_gaussian,
        "grid": {
            "cells": [int(n) for n in grid.cells],
            "voxel_size": grid.size,
            "origin": [float(x) for x in grid.origin],
            "occupied": grid.occupied,
        },
        "layout": layout.meta(),
        "vq": _vq_meta(parameters, quantised),
        "counts": counts,
        "quality": quality,
        "notes": _notes(grid, parameters, quantised, tuned is not None),
    }
    trace = Trace(KIND, meta, columns)
    for against, saving in vq_savings(trace).items():
        for counted, fraction in saving.items():
            counts[f"vq_saving_{against}_{counted}_fraction"] = fraction
    return trace


def _vq_meta(parameters: StreamingGsParameters, quantised: QuantisedScene | None) -> dict[str, Any]:
    if quantised is None:
        return {"kind": "none"}
    books = quantised.codebooks
    return {
        "kind": parameters.vq,
        "sizes": dict(books.sizes._asdict()),
        "entries": {name: len(getattr(books, name)) for name in books.sizes._fields},
        "index_bits": quantised.index_bits,
        "record_bits": quantised.record_bits,
        "codebook_bytes": quantised.codebook_bytes,
        "codebook_bytes_sh3": books.codebook_bytes(3),
    }


class _Apart(NamedTuple):
    """Images with one error each by its cause, the images without it, and how often it strikes."""

    alone: dict[str, npt.NDArray[np.float32]]
    exact: dict[str, npt.NDArray[np.float32]]
    counts: dict[str, float]


def _errors_apart(
    frame: StreamedFrame, reference: Reference, fine: Reference, order: OrderRule, tuned: bool
) -> _Apart:
    ordered = fine if tuned else reference  # whose exact render the order is judged by
    errors = render_errors(
        frame.queue, frame.distances, order, frame.grid.places()[1][ordered.projected.index],
        gaussian_features(ordered.projected), ordered.projected.depth, ordered.tile_start,
        ordered.pair_visible, frame.groups, BLEND_RULES[reference.variant],
    )  # fmt: skip
    alone = {
        "coverage": errors.coverage.over(reference.background),
        "order": errors.order.over(reference.background),
    }
    exact = dict.fromkeys(alone, ordered.image)
    if fine is not reference:
        cause = "tuning" if tuned else "vq"
        alone[cause], exact[cause] = fine.image, reference.image
    return _Apart(alone, exact, {
        "uncovered_pair_fraction": errors.uncovered_pairs / errors.pairs,
        "misordered_pair_fraction": errors.misordered_pairs / errors.pairs,
    })  # fmt: skip


def _notes(
    grid: VoxelGrid, parameters: StreamingGsParameters, quantised: QuantisedScene | None,
    tuned: bool,
) -> list[str]:  # fmt: skip
    notes = [
        "The renderer is GSCore's: subtiles outside a Gaussian's box of 3 sigma miss contributions "
        "of alpha between 1/255 and 0.011. This error is in the image beside order, coverage and "
        "quantisation, which are shown without it.",
    ]
    if parameters.vq == "none":
        notes.append(
            "Parameters behind the first four are stored and read uncompressed; the published "
            "machine reads them as indices into codebooks."
        )
    elif not tuned:
        notes.append(
            "Codebooks are trained on the scene's own parameters; the published machine's are "
            "tuned together with the scene, which loses less (archsim finetune)."
        )
    elif quantised is not None and not quantised.exact:
        notes.append(
            "The fine-tuned scene has more different values than the codebooks have entries: it "
            "was tuned without quantisation or for larger codebooks, and is quantised again here, "
            "which undoes part of the tuning."
        )
    if not grid.is_evidence:
        notes.append(
            f"No evidence: only {grid.occupied} voxels are occupied (fewer than "
            f"{FEWEST_VOXELS}), so filter rates and errors say little about streaming voxels; "
            "use smaller voxels."
        )
    return notes
