"""StreamingGS's program: a trace as tasks on a StreamingGS machine.

Dataflow, per group of pixels:

1. the ray sampler walks the group's rays through the grid (one cell per item); the voxel sorter
   then enters every voxel met on a ray in its tables and orders them (one item per voxel met, per
   voxel emitted and per edge resolved). A machine may have a filter in front of the tables that
   drops voxels met if their pair, voxel and the one before, is among those met last; it keeps up
   with the samplers (assumed). As many groups have tables as fit: later groups are
   ordered while earlier ones render. Ordered voxels wait in the voxel queue;
2. the directory entries of the ordered voxels are read;
3. per voxel: its coarse half is streamed in, the coarse filter units test all its Gaussians,
   survivors queue for their fine records, which are gathered; the codebooks decode them, the fine
   filter units project and shade them, the bitonic units sort what is left, and the render units
   blend it, 64 pixels of a subtile a cycle with 64 units;
4. the group's pixels are written, once.

Stages run in order and overlap: voxels of later groups are fetched and filtered while earlier
ones render, as far as buffers and queues go. A buffer is room that a stage takes before it starts
and that its consumer gives back. Records of the two filters stream, as do the queues' items: a
voxel larger than half of them takes half. The sort is a barrier: survivors of a voxel that do not
fit in half of the sort and feature buffers go through DRAM, entries once per level of merging
beyond what fits, features once (assumed: the paper says nothing of it). Colour and transmittance of
a group stay in the pixel buffer; as many groups are in work as fit there. A stage lasts at least as
long as the ports of its buffers take.

Stages hand over whole voxels, and units work on one voxel at a time, with all their copies; their
latency shows where a group ends. Fine filter units stand in clusters, the hierarchical filter
units: a voxel lasts as long as the cluster with the most survivors. Left out: bank conflicts, and
prefetched voxels that a saturated group no longer needs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archsim.arch.machine import Accelerator
from archsim.sim.gs3d.gscore_streams import single_runs
from archsim.sim.gs3d.streaminggs_actions import count_actions, voxel_work
from archsim.sim.gs3d.streaminggs_capacity import PAIR_FILTER, UNITS, OnChip, filtered_pairs
from archsim.sim.gs3d.streaminggs_constants import constant
from archsim.sim.gs3d.streaminggs_filter import FilterRule, Passed, passed_gaussians
from archsim.sim.gs3d.streaminggs_pipeline import Pipeline, first_and_last
from archsim.sim.gs3d.streaminggs_sort import sort_passes, spill_bytes
from archsim.sim.gs3d.streaminggs_tokens import Layout, Tokens, cut_tokens, pixel_runs
from archsim.sim.program import Edge, MemoryRuns, Program, ProgramBuilder
from archsim.traces.trace import Trace

__all__ = ["build_program"]

I64 = npt.NDArray[np.int64]

_SUBTILE_PIXELS = 64


def build_program(trace: Trace, machine: Accelerator, max_tasks: int,
                  filters: FilterRule = "both") -> Program:  # fmt: skip
    """Turn a ``gs3d/streaminggs`` trace into the program that ``machine`` executes.

    Raises :class:`ConfigError` when the machine lacks a unit, buffer or queue, or when a buffer
    cannot hold what must fit (see :mod:`streaminggs_capacity`).
    """
    layout = Layout.of(trace)
    chip = OnChip.of(trace, machine, layout)
    tokens = cut_tokens(trace, max_tasks)
    builder = ProgramBuilder()
    pipeline = Pipeline(
        machine,
        builder,
        {name: builder.unit(name) for name in UNITS},
        builder.unit("dram", servers=int(machine.memory.outstanding_streams.value),
                     in_order=False, dram=True),
    )  # fmt: skip
    frame = _Frame(pipeline, trace, layout, chip, tokens, passed_gaussians(trace, filters))
    sampled, ordered = _order_groups(frame)
    stages = _stream_voxels(frame)
    _connect(frame, sampled, ordered, stages)
    _state_work(frame)
    count_actions(builder, trace, frame.passed, layout, filtered_pairs(machine))
    return builder.build()


@dataclass(frozen=True)
class _Frame:
    """What a program is built of."""

    pipeline: Pipeline
    trace: Trace
    layout: Layout
    chip: OnChip
    tokens: Tokens
    passed: Passed


@dataclass(frozen=True)
class _Stages:
    """Tasks of n tokens: coarse streams, the first filter's tests, and renders (-1: none)."""

    fetched: I64
    tested: I64
    rendered: I64


def _order_groups(frame: _Frame) -> tuple[I64, I64]:
    """Add ray sampling and ordering of every group; return the tasks of both."""
    pipeline, chip = frame.pipeline, frame.chip
    entries = filtered_pairs(pipeline.machine)
    work = voxel_work(frame.trace, entries)
    every = np.ones(work.steps.size, np.bool_)
    sampled = pipeline.compute(
        "sampler", "sample rays", work.steps, every, {"rename": (work.rename_read_bytes, work.none)}
    )
    ordered = pipeline.compute(
        "voxel_sorter", "order voxels", work.items, every,
        {"voxel_table": (work.table_read_bytes, work.table_write_bytes)},
    )  # fmt: skip
    pipeline.builder.edge(sampled, ordered)
    pipeline.queue("ray_hits", sampled, work.passed, ordered)
    if entries:  # what a group's rays have met, as far as it is kept
        met = np.minimum(frame.trace.columns["group.passed"][:, -1], entries)
        pipeline.builder.watch(PAIR_FILTER, entries, "items", sampled, met, sampled)
    large = np.flatnonzero(chip.spilled_bytes)
    if large.size:  # what of their tables does not fit comes back once for the ordering
        runs = single_runs(frame.layout.spill, chip.spilled_bytes[large])
        out = pipeline.builder.memory(pipeline.dram, "spill tables", "voxel tables", runs,
                                      write=True)  # fmt: skip
        back = pipeline.builder.memory(pipeline.dram, "refill tables", "voxel tables", runs,
                                       write=False)  # fmt: skip
        pipeline.builder.edge(sampled[large], out)
        pipeline.builder.edge(out, back, Edge.MEMORY)
        pipeline.builder.edge(back, ordered[large], Edge.MEMORY)
        for direction in ("read_bytes", "write_bytes"):
            pipeline.builder.count(f"voxel_table/{direction}", chip.spilled_bytes.sum())
    return sampled, ordered


def _stream_voxels(frame: _Frame) -> _Stages:
    """Add the stages of every token.

    Where nothing is left of a token, later stages have no task.
    """
    pipeline, trace, tokens, layout = frame.pipeline, frame.trace, frame.tokens, frame.layout
    builder, passed = pipeline.builder, frame.passed
    loaded = tokens.sum(trace.columns["visit.loaded"])
    projected = tokens.sum(passed.projected)
    fetched = builder.memory(
        pipeline.dram, "stream coarse", "coarse", layout.coarse_runs(trace, tokens), write=False
    )
    kept = np.flatnonzero(projected > 0)
    runs = _select(layout.fine_runs(trace, tokens, passed), kept)
    gathered = builder.memory(pipeline.dram, "gather fine", "fine", runs, write=False)
    if passed.rule == "both":
        tested = _coarse_filter(frame, loaded)
        builder.edge(fetched, tested, Edge.MEMORY)
        pipeline.hold("coarse", fetched, loaded * layout.coarse_bytes, tested)
        builder.edge(tested[kept], gathered)
        pipeline.queue("survivors", tested[kept], projected[kept], gathered)
    shaded = _fine_filter(frame, kept, projected[kept])
    builder.edge(gathered, shaded, Edge.MEMORY)
    pipeline.hold("fine", gathered, projected[kept] * layout.record_bytes, shaded)
    if passed.rule != "both":  # whole records come together; every token has some
        tested = shaded
        builder.edge(fetched, gathered, Edge.ORDER)
        builder.edge(fetched, shaded, Edge.MEMORY)
        pipeline.hold("coarse", fetched, loaded * layout.coarse_bytes, shaded)
    rendered = np.full(tokens.group.size, -1, np.int64)
    inside = np.flatnonzero(tokens.sum(passed.sorted)[kept] > 0)  # among the kept
    rendered[kept[inside]] = _sort_and_render(frame, kept[inside], shaded[inside])
    return _Stages(fetched, tested, rendered)


def _coarse_filter(frame: _Frame, loaded: I64) -> I64:
    size = loaded * frame.layout.coarse_bytes
    return frame.pipeline.compute(
        "cfu", "coarse filter", loaded, _ends(frame.tokens, np.arange(loaded.size)),
        {"coarse": (size, np.zeros_like(size))},
    )  # fmt: skip


def _fine_filter(frame: _Frame, kept: I64, projected: I64) -> I64:
    """Add the fine filter of the kept tokens: as long as their fullest cluster."""
    pipeline, layout, passed = frame.pipeline, frame.layout, frame.passed
    clusters = pipeline.machine.units["ffu"].clusters
    dealt = int(clusters.value) if clusters is not None else 1
    fullest = frame.tokens.sum(passed.in_clusters(frame.trace, dealt)).max(axis=1)[kept]
    sorted_ = frame.tokens.sum(passed.sorted)[kept]
    none = np.zeros_like(projected)
    return pipeline.compute(
        "ffu", "fine filter", fullest * dealt, _ends(frame.tokens, kept),
        {"fine": (projected * layout.record_bytes, none),
         "codebook": (projected * layout.decoded_bytes, none),
         "sort": (none, sorted_ * constant("entry_bytes")),
         "feature": (none, sorted_ * constant("feature_bytes"))},
    )  # fmt: skip


def _sort_and_render(frame: _Frame, drawn: I64, shaded: I64) -> I64:
    """Add sort and render of the tokens ``drawn``, whose fine filters are ``shaded``."""
    pipeline, trace, tokens = frame.pipeline, frame.trace, frame.tokens
    builder = pipeline.builder
    entry, feature = constant("entry_bytes"), constant("feature_bytes")
    survivors = tokens.sum(frame.passed.sorted)[drawn]
    passes = sort_passes(frame.passed.sorted)
    sorting = tokens.sum(passes.cycles(pipeline.machine.units["bsu"]))[drawn]
    moved = tokens.sum(passes.moved_entries)[drawn] * entry
    sorted_ = pipeline.cycles(
        "bsu", "sort voxel", pipeline.with_ports(sorting, {"sort": (moved, moved)})
    )
    builder.edge(shaded, sorted_)
    _spill(frame, drawn, shaded, sorted_)
    work = tokens.sum(trace.columns["visit.subtile_work"])[drawn]
    subtiles = tokens.sum(trace.columns["visit.subtiles"])[drawn]
    swapped = subtiles * _SUBTILE_PIXELS * constant("pixel_state_bytes")
    blended = pipeline.compute(
        "vru", "render", work * _SUBTILE_PIXELS, _ends(tokens, drawn),
        {"feature": (work * feature, np.zeros_like(work)), "pixel": (swapped, swapped)},
    )  # fmt: skip
    builder.edge(sorted_, blended)
    pipeline.hold("sort", shaded, survivors * entry, sorted_)
    pipeline.hold("feature", shaded, survivors * feature, blended)
    pipeline.queue("render_queue", sorted_, survivors, blended)
    return blended


def _spill(frame: _Frame, drawn: I64, shaded: I64, sorted_: I64) -> None:
    """Send survivors of voxels that do not fit through DRAM between fine filter and sort."""
    pipeline = frame.pipeline
    entry, feature = constant("entry_bytes"), constant("feature_bytes")
    fits = {"sort": pipeline.half("sort") // entry, "feature": pipeline.half("feature") // feature}
    spilled = spill_bytes(frame.passed.sorted, fits["sort"], fits["feature"])
    for buffer, total in zip(("sort", "feature"), spilled):
        pipeline.builder.count(f"{buffer}/read_bytes", total.sum())
        pipeline.builder.count(f"{buffer}/write_bytes", total.sum())
    size = frame.tokens.sum(spilled[0] + spilled[1])[drawn]
    some = np.flatnonzero(size)
    if not some.size:
        return
    runs = single_runs(frame.layout.after_tables(frame.chip.spilled_bytes), size[some])
    out = pipeline.builder.memory(pipeline.dram, "spill survivors", "spill", runs, write=True)
    back = pipeline.builder.memory(pipeline.dram, "refill survivors", "spill", runs, write=False)
    pipeline.builder.edge(shaded[some], out)
    pipeline.builder.edge(out, back, Edge.MEMORY)
    pipeline.builder.edge(back, sorted_[some], Edge.MEMORY)


def _connect(frame: _Frame, sampled: I64, ordered: I64, stages: _Stages) -> None:
    """Join groups and voxels: directories, tables, the voxel queue, pixels."""
    pipeline, trace, tokens, chip = frame.pipeline, frame.trace, frame.tokens, frame.chip
    builder = pipeline.builder
    begin, end = first_and_last(tokens.group, np.ones(tokens.group.size, np.bool_))
    groups = tokens.group[begin]
    listed = builder.memory(
        pipeline.dram, "read directory", "directory", frame.layout.directory_runs(trace, groups),
        write=False,
    )  # fmt: skip
    builder.edge(ordered[groups], listed)
    # directories come in order, so that voxels take room in the order in which they are filtered
    builder.edge(listed[:-1], listed[1:], Edge.ORDER)
    builder.edge(np.repeat(listed, np.diff(np.append(begin, tokens.group.size))), stages.fetched,
                 Edge.MEMORY)  # fmt: skip
    # a group's tables are taken when its first ray is cast and free when its last voxel has been
    # asked for
    emptied = ordered.copy()
    emptied[groups] = stages.fetched[end]
    builder.credit(sampled, emptied, chip.tables)
    held = np.minimum(chip.table_bytes, pipeline.capacity("voxel_table"))
    builder.watch("voxel_table", pipeline.capacity("voxel_table"), "bytes", sampled, held, emptied)
    pipeline.queue("voxel_queue", ordered, trace.columns["group.nodes"].astype(np.int64), emptied)

    written = builder.memory(
        pipeline.dram, "write pixels", "pixels", pixel_runs(trace, frame.layout.frame), write=True
    )
    idle = np.setdiff1d(np.arange(ordered.size), groups)
    builder.edge(ordered[idle], written[idle])
    builder.edge(stages.tested[end], written[groups])
    first_render, last_render = first_and_last(tokens.group, stages.rendered >= 0)
    rendering = tokens.group[first_render]
    builder.edge(stages.rendered[last_render], written[rendering])
    # the pixel buffer holds so many groups at once
    earlier, later = rendering[: -chip.states], first_render[chip.states :]
    builder.edge(written[earlier], stages.rendered[later], Edge.CREDIT)
    builder.watch("pixel", pipeline.capacity("pixel"), "bytes", stages.rendered[first_render],
                  chip.state_bytes, written[rendering])  # fmt: skip
    for table, size in (("rename", chip.rename_bytes), ("codebook", chip.codebook_bytes)):
        builder.watch(table, pipeline.capacity(table), "bytes", sampled[:1], size, written[-1:])


def _state_work(frame: _Frame) -> None:
    """State what every unit must do, from the trace's counts alone."""
    trace, passed, must = frame.trace, frame.passed, frame.pipeline.must
    work = voxel_work(trace, filtered_pairs(frame.pipeline.machine))
    must("sampler", "cells entered by rays", work.steps.sum())
    must("voxel_sorter", "voxels met, voxels emitted and edges resolved", work.items.sum())
    must("cfu", "Gaussians loaded", passed.coarse_tested.sum())
    must("ffu", "Gaussians projected", passed.projected.sum())
    must("bsu", "passes of 16 entries", sort_passes(passed.sorted).total)
    pixels = trace.columns["visit.subtile_work"].sum() * _SUBTILE_PIXELS
    must("vru", "pixels of subtiles rendered", pixels)


def _ends(tokens: Tokens, chosen: I64) -> npt.NDArray[np.bool_]:
    """Return which of the chosen tokens are the last of their group."""
    group = tokens.group[chosen]
    return np.append(group[1:] != group[:-1], True)[: group.size]


def _select(runs: MemoryRuns, tasks: I64) -> MemoryRuns:
    """Return the runs of some tasks; the others have none."""
    sizes = np.diff(runs.ptr)[tasks]
    return MemoryRuns(np.concatenate([[0], np.cumsum(sizes)]), runs.address, runs.size)
