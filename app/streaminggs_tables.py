"""Tables of ``archsim streaminggs``."""

from __future__ import annotations

import math
from collections.abc import Iterable

import pandas as pd
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from archsim.base.errors import ConfigError
from archsim.config import load_run
from archsim.progress import Reporter
from archsim.traces.cache import TraceCache
from archsim.traces.gs3d.camera import Camera
from archsim.traces.gs3d.reference import render_reference
from archsim.traces.gs3d.scene import Scene
from archsim.traces.gs3d.streaminggs.codebooks import scene_codebooks
from archsim.traces.gs3d.streaminggs.compare_orders import best_order, compare_orders
from archsim.traces.gs3d.streaminggs.filter_table import (
    PUBLISHED_FILTERED,
    filter_table,
    fraction_where,
)
from archsim.traces.gs3d.streaminggs.operations import filter_operations
from archsim.traces.gs3d.streaminggs.parameters import StreamingGsParameters
from archsim.traces.gs3d.streaminggs.quantise import quantise
from archsim.traces.gs3d.workload import load_cameras, load_scene
from archsim.words import DASH, percent

__all__ = ["filters_table", "operations_table", "orders_table"]


def orders_table(config: str, assignments: Iterable[str], reporter: Reporter) -> RenderableType:
    """Stream a configuration's frames by every rule; PSNRs and shares are means over them."""
    scene, cameras, parameters = _workload(config, assignments, reporter)
    decoded = None
    if parameters.vq != "none":
        with reporter.step("training codebooks") as progress:
            books = scene_codebooks(
                scene, kind=parameters.vq, sizes=parameters.codebooks,
                seed=parameters.codebook_seed, cache=TraceCache.default(), progress=progress,
            )  # fmt: skip
            decoded = quantise(scene, books).decoded()
    frames = []
    for camera in cameras:
        with reporter.step(f"rendering the reference, {camera.name}"):
            reference = render_reference(scene, camera)
            fine = None if decoded is None else render_reference(decoded, camera)
        with reporter.step(f"streaming by every order, {camera.name}") as progress:
            frames.append(
                compare_orders(scene, camera, reference, parameters, fine=fine, progress=progress)
            )
    rows = pd.concat(frames)
    mean = rows.groupby("rule").mean().sort_values("order_psnr_db", ascending=False)
    best = best_order(rows)
    table = _empty("order", "order alone", "whole image", "misordered", "by size", "by pixel", "")
    for rule, row in mean.iterrows():
        legal = row["violated_edges"] == 0
        remark = "best" if rule == best else "" if legal else "not legal"
        table.add_row(
            Text(str(rule), "bold" if rule == best else ""),
            _db(row["order_psnr_db"]),
            _db(row["psnr_db"]),
            *(percent(row[f"misordered_{by}"]) for by in ("group", "size", "pixel")),
            remark,
        )
    return Group(
        Text(f"{scene.name}, {len(frames)} frame{'s' if len(frames) > 1 else ''}, voxels "
             f"{parameters.voxel_size}, groups {_size(parameters.group)}\n", "bold"),
        table,
        Text("\nOrder alone: the reference's Gaussians in this order, nothing else wrong. "
             "Misordered: Gaussians behind\na deeper one of their group; weighted by size; and "
             "blending weight behind something deeper in its pixel.\nLegal: every ray meets its "
             "voxels in this order.", "dim"),
    )  # fmt: skip


def filters_table(
    config: str, assignments: Iterable[str], fractions: str, groups: str, reporter: Reporter
) -> RenderableType:
    """Stream a configuration's first frame for each voxel size and group."""
    ks, sizes = _numbers(fractions), _groups(groups)
    scene, cameras, parameters = _workload(config, assignments, reporter)
    with reporter.step(f"rendering the reference, {cameras[0].name}"):
        reference = render_reference(scene, cameras[0])
    with reporter.step("streaming for every size") as progress:
        rows = filter_table(
            scene, cameras[0], ks, sizes, reference=reference, parameters=parameters,
            progress=progress,
        )  # fmt: skip
    table = _empty("group", *(f"extent/{k:g}" for k in ks), f"{percent(PUBLISHED_FILTERED)} at")
    where = fraction_where(rows)
    for group, own in rows.groupby("group", sort=False):
        cells = [
            percent(share) + ("" if evidence else " *")
            for share, evidence in zip(own["filtered_fraction"], own["evidence"])
        ]
        place = where[str(group)]
        table.add_row(str(group), *cells, DASH if math.isnan(place) else f"extent/{place:.3g}")
    return Group(
        Text(f"{scene.name}, {cameras[0].name}: share of the loaded Gaussians that is filtered\n",
             "bold"),
        table,
        Text("\n* fewer than 200 occupied voxels: no evidence. Published: 76.3 % (second-hand).",
             "dim"),
    )  # fmt: skip


def operations_table(sh_degree: int) -> RenderableType:
    """Return both filters' operations per Gaussian."""
    table = _empty("filter", "step", "mul", "add", "div", "root", "compare", "MACs", "published")
    for row in filter_operations(sh_degree).itertuples(index=False):
        is_total = bool(row.step == "total")
        counts = (
            row.multiplications, row.additions, row.divisions, row.roots, row.comparisons, row.macs,
        )  # fmt: skip
        cells = [str(row.filter), str(row.step), *(str(c or "") for c in counts)]
        cells.append(str(row.published_macs) if is_total else "")
        table.add_row(*cells, style="bold" if is_total else "", end_section=is_total)
    return Group(
        table,
        Text("\nPer Gaussian that passes, as the code executes them; a test counts them by running "
             "it.\nPublished numbers are second-hand; their items were not found.", "dim"),
    )  # fmt: skip


def _workload(
    config: str, assignments: Iterable[str], reporter: Reporter
) -> tuple[Scene, list[Camera], StreamingGsParameters]:
    run = load_run(config, assignments=list(assignments), seed=None)
    for plan in run.systems:
        if plan.method.kind == "streaminggs":
            break
    else:
        raise ConfigError(
            f"{run.name} has no system with method streaminggs",
            place="systems",
            remedy="add one, or name a configuration that has one: streaminggs",
        )
    with reporter.step("reading the scene") as progress:
        scene = load_scene(
            run.config.workload, seed=run.config.seed, memory_limit_bytes=run.config.memory_limit,
            cache=TraceCache.default(), progress=progress,
        )  # fmt: skip
    parameters: StreamingGsParameters = plan.config.parameters()
    return scene, load_cameras(run.config.workload, scene), parameters


def _numbers(text: str) -> list[float]:
    try:
        found = [float(part) for part in text.split(",")]
    except ValueError:
        found = []
    if not found or min(found) <= 0:
        raise ConfigError(f"--fractions {text!r} are no positive numbers with commas",
                          remedy="write for example 8,16,32")  # fmt: skip
    return found


def _groups(text: str) -> list[tuple[int, int]]:
    try:
        return [(int(w), int(h)) for w, h in (part.split("x") for part in text.split(","))]
    except ValueError as error:
        raise ConfigError(f"--groups {text!r} are no sizes with commas",
                          remedy="write for example 16x16,64x64") from error  # fmt: skip


def _empty(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for number, column in enumerate(columns):
        words = number == 0 or column in ("step", "")
        table.add_column(column, justify="left" if words else "right", no_wrap=True)
    return table


def _db(value: float) -> str:
    return "exact" if math.isinf(value) else f"{value:.2f} dB"


def _size(group: tuple[int, int]) -> str:
    return f"{group[0]}x{group[1]}"
