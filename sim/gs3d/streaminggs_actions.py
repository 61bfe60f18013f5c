"""What a frame does on StreamingGS, counted for the energy model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archsim.sim.gs3d.streaminggs_constants import constant
from archsim.sim.gs3d.streaminggs_filter import Passed
from archsim.sim.gs3d.streaminggs_sort import sort_passes
from archsim.sim.gs3d.streaminggs_tokens import Layout
from archsim.sim.program import ProgramBuilder
from archsim.traces.gs3d.streaminggs.operations import filter_total
from archsim.traces.gs3d.streaminggs.reuse import FILTER_ENTRIES
from archsim.traces.trace import Trace

__all__ = ["VoxelWork", "count_actions", "voxel_work"]

I64 = npt.NDArray[np.int64]

_SUBTILE_PIXELS = 64


def count_actions(builder: ProgramBuilder, trace: Trace, passed: Passed, layout: Layout,
                  filtered_pairs: int) -> None:  # fmt: skip
    """Add the actions of all units and buffers."""
    total = {
        name: int(trace.columns[name].sum())
        for name in (
            "visit.loaded", "visit.subtile_work", "visit.subtiles", "visit.alpha_tests",
            "visit.blends",
        )
    }  # fmt: skip
    _count_voxels(builder, trace, filtered_pairs)
    _count_filters(builder, total["visit.loaded"], passed, layout, trace)
    _count_rendering(builder, total, passed, trace)


@dataclass(frozen=True)
class VoxelWork:
    """What sampling and ordering do, by group of pixels, all (G,) int64.

    Attributes
    ----------
    steps
        Cells that rays enter.
    hits
        Voxels met on rays.
    passed
        Of these, what goes into the tables: all of them, or what a filter of the pairs met last
        lets through.
    items
        Of the voxel sorter: voxels passed to it, voxels emitted, edges resolved.
    rename_read_bytes, table_read_bytes, table_write_bytes
        Bytes of the tables moved.
    """

    steps: I64
    hits: I64
    passed: I64
    items: I64
    rename_read_bytes: I64
    table_read_bytes: I64
    table_write_bytes: I64

    @property
    def none(self) -> I64:
        """Zero for every group."""
        return np.zeros_like(self.steps)


def voxel_work(trace: Trace, filtered_pairs: int = 0) -> VoxelWork:
    """Return the work of sampling and ordering of a trace's groups.

    ``filtered_pairs`` is the size of the filter in front of the tables, one of
    :data:`~archsim.traces.gs3d.streaminggs.reuse.FILTER_ENTRIES`. A step reads the occupancy and
    rank of its cell. A voxel met on a ray that passes this filter is looked up as a node, and as a
    target of the one before; a new node or edge is written; an emitted node is read; a resolved
    edge reads its target and counts its in-degree down. Orders by distance have no edges; their
    filter could keep voxels instead of pairs, and would let fewer through than is counted.
    """
    steps, hits, nodes, edges = (
        trace.columns[f"group.{name}"].astype(np.int64)
        for name in ("ray_steps", "hits", "nodes", "edges")
    )
    node_bytes, edge_bytes = constant("node_bytes"), constant("edge_bytes")
    if not trace.meta["parameters"]["order"].startswith("dag"):
        edges, edge_bytes = np.zeros_like(edges), 0
    passed = hits
    if filtered_pairs:
        passed = trace.columns["group.passed"][:, FILTER_ENTRIES.index(filtered_pairs)]
    return VoxelWork(
        steps,
        hits,
        passed,
        passed + nodes + edges,
        steps * constant("rename_bits") // 8,
        passed * (node_bytes + edge_bytes) + nodes * node_bytes + edges * (edge_bytes + node_bytes),
        nodes * node_bytes + edges * (edge_bytes + node_bytes),
    )


def _count_voxels(builder: ProgramBuilder, trace: Trace, filtered_pairs: int) -> None:
    work = voxel_work(trace, filtered_pairs)
    steps, items = int(work.steps.sum()), int(work.items.sum())
    # a step: two comparisons find the nearest border, which moves on, and so does the cell's number
    builder.count("sampler/items", steps)
    builder.count("sampler/fp32_cmp", 2 * steps)
    builder.count("sampler/fp32_add", steps)
    builder.count("sampler/int32_add", steps)
    builder.count("rename/read_bytes", work.rename_read_bytes.sum())
    if filtered_pairs:
        builder.count("pair_filter/items", work.hits.sum())
    builder.count("voxel_sorter/items", items)
    builder.count("voxel_sorter/int32_add", items)  # compare, or count down
    builder.count("voxel_table/read_bytes", work.table_read_bytes.sum())
    builder.count("voxel_table/write_bytes", work.table_write_bytes.sum())


def _count_filters(builder: ProgramBuilder, loaded: int, passed: Passed, layout: Layout,
                   trace: Trace) -> None:  # fmt: skip
    tested, projected = int(passed.coarse_tested.sum()), int(passed.projected.sum())
    for unit, items, each in (
        ("cfu", tested, filter_total("coarse")),
        ("ffu", projected, filter_total("fine", int(trace.meta["sh_degree"]))),
    ):
        builder.count(f"{unit}/items", items)
        builder.count(f"{unit}/fp32_mul", items * each.multiplications)
        builder.count(f"{unit}/fp32_add", items * each.additions)
        builder.count(f"{unit}/div", items * each.divisions)
        builder.count(f"{unit}/sqrt", items * each.roots)
        builder.count(f"{unit}/fp32_cmp", items * each.comparisons)
    for direction in ("write_bytes", "read_bytes"):
        builder.count(f"coarse/{direction}", loaded * layout.coarse_bytes)
        builder.count(f"fine/{direction}", projected * layout.record_bytes)
    builder.count("codebook/read_bytes", projected * layout.decoded_bytes)
    builder.count("feature/write_bytes", passed.sorted.sum() * constant("feature_bytes"))


def _count_rendering(builder: ProgramBuilder, total: dict[str, int], passed: Passed,
                     trace: Trace) -> None:  # fmt: skip
    passes = sort_passes(passed.sorted)
    moved = passes.total * constant("bitonic_width_entries")
    entry, survivors = constant("entry_bytes"), int(passed.sorted.sum())
    builder.count("bsu/items", passes.total)
    builder.count("bsu/fp32_cmp", passes.comparators)
    builder.count("sort/write_bytes", (survivors + moved) * entry)
    builder.count("sort/read_bytes", (survivors + moved) * entry)

    tests, blends = total["visit.alpha_tests"], total["visit.blends"]
    builder.count("vru/items", tests)
    builder.count(
        "vru/fp32_mul",
        constant("alpha_multiplies") * tests + constant("blend_multiplies") * blends,
    )
    builder.count("vru/fp32_add", constant("alpha_adds") * tests + constant("blend_adds") * blends)
    builder.count("vru/fp32_cmp", 2 * tests)  # alpha and transmittance thresholds
    builder.count("vru/exp", tests)
    builder.count("feature/read_bytes", total["visit.subtile_work"] * constant("feature_bytes"))
    # a subtile's state is swapped in and out once per visit, and read once for the output
    state = constant("pixel_state_bytes")
    swaps = total["visit.subtiles"] * _SUBTILE_PIXELS * state
    output = int(np.prod(trace.meta["resolution"])) * state
    builder.count("pixel/write_bytes", swaps + output)  # cleared at the start
    builder.count("pixel/read_bytes", swaps + output)
