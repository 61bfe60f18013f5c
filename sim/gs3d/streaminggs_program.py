"""StreamingGS's program: a trace as tasks on a StreamingGS machine.

Dataflow, per group of pixels:

1. the ray sampler walks the group's rays through the grid (one cell per item); the voxel sorter
   then enters every voxel met on a ray in its tables and orders them (one item per voxel met, per
   voxel emitted and per edge resolved). As many groups have tables as fit: later groups are
   ordered while earlier ones render;
2. the directory entries of the ordered voxels are read;
3. per voxel: its coarse half is streamed in, the coarse filter units test all its Gaussians, the
   fine records of the survivors are gathered, the fine filter units project and shade them, the
   bitonic units sort what is left, and the render units blend it, 64 pixels of a subtile a cycle
   with 64 units;
4. the group's pixels are written, once.

Stages run in order and overlap: voxels of later groups are fetched and filtered while earlier
ones render, as far as the buffers go. A buffer is room in bytes that a stage takes before it
starts and that its consumer gives back. Records of the two filters stream: a voxel larger than
half of their buffers takes half. The sort is a barrier: survivors of a voxel that do not fit in
half of the sort and feature buffers go through DRAM, entries once per level of merging beyond what
fits, features once (assumed: the paper says nothing of it). Colour and transmittance of a group
stay in the pixel buffer; as many groups are in work as fit there. A stage lasts at least as long
as the ports of its buffers take.

Stages hand over whole voxels, and units work on one voxel at a time, with all their copies; their
latency shows where a group ends. The hand-over from sampler to sorter is by group too, without a
buffer of its own. Left out: bank conflicts, prefetched voxels that a saturated group no longer
needs, and the decoding of indices: codebooks cost nothing here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from archsim.arch.machine import Accelerator
from archsim.arch.sram import port_cycles
from archsim.base.errors import ConfigError, InfeasibleError
from archsim.sim.gs3d.gscore_streams import single_runs
from archsim.sim.gs3d.streaminggs_actions import count_actions, voxel_work
from archsim.sim.gs3d.streaminggs_constants import constant
from archsim.sim.gs3d.streaminggs_sort import sort_passes, spill_bytes
from archsim.sim.gs3d.streaminggs_tokens import Layout, Tokens, cut_tokens, pixel_runs
from archsim.sim.program import Edge, MemoryRuns, Program, ProgramBuilder
from archsim.traces.trace import Trace

__all__ = ["BUFFERS", "UNITS", "build_program"]

I64 = npt.NDArray[np.int64]

UNITS = ("sampler", "voxel_sorter", "cfu", "ffu", "bsu", "vru")
BUFFERS = ("rename", "voxel_table", "coarse", "fine", "sort", "feature", "pixel")
_SUBTILE_PIXELS = 64

#: buffer -> bytes read and written, of every task
Moved = dict[str, tuple[I64, I64]]


@dataclass(frozen=True)
class _Pipeline:
    """A machine while its program is built: units and rooms of the builder by name."""

    machine: Accelerator
    builder: ProgramBuilder
    units: dict[str, int]
    dram: int

    def compute(self, unit: str, stage: str, items: I64, ends: npt.NDArray[np.bool_],
                moved: Moved) -> I64:  # fmt: skip
        """Add a task per entry of ``items``; where ``ends``, the pipeline drains.

        It lasts as long as the unit or the slowest buffer takes; ``moved`` has bytes read and
        written by buffer.
        """
        part = self.machine.units[unit]
        busy = items * (part.initiation_interval_cycles.value / part.count.value)
        cycles = self.with_ports(busy, moved) + ends * int(part.latency_cycles.value)
        return self.cycles(unit, stage, cycles)

    def with_ports(self, busy: npt.NDArray[Any], moved: Moved) -> I64:
        """Return whole cycles that cover work and the ports of the buffers it moves bytes of."""
        for buffer, (read, write) in moved.items():
            busy = np.maximum(busy, port_cycles(self.machine.buffers[buffer], read, write))
        return np.asarray(np.ceil(busy), np.int64)

    def cycles(self, unit: str, stage: str, cycles: I64) -> I64:
        """Add a task per entry of ``cycles``."""
        khz = round(self.machine.clock_mhz.value * 1000)
        return self.builder.compute(self.units[unit], stage, -(-cycles * 10**9 // khz))

    def half(self, buffer: str) -> int:
        """Return half of a buffer in bytes: the most that one token takes of it."""
        return int(self.machine.buffers[buffer].capacity_bytes.value) // 2

    def hold(self, buffer: str, task: I64, amount: I64, release: I64) -> None:
        """Let tasks take room in a buffer until their ``release`` finishes."""
        capacity = int(self.machine.buffers[buffer].capacity_bytes.value)
        room = self.builder.room(buffer, capacity, "bytes")
        some = amount > 0
        taken = np.minimum(amount[some], self.half(buffer))
        self.builder.claim(task[some], room, taken, release[some])


def build_program(trace: Trace, machine: Accelerator, max_tasks: int) -> Program:
    """Turn a ``gs3d/streaminggs`` trace into the program that ``machine`` executes.

    Raises :class:`ConfigError` when the machine lacks a unit or buffer, or when a buffer cannot
    hold what one group of pixels needs.
    """
    _check_parts(machine)
    tables, pixels = _copies(trace, machine)
    tokens = cut_tokens(trace, max_tasks)
    layout = Layout.of(trace)
    builder = ProgramBuilder()
    pipeline = _Pipeline(
        machine,
        builder,
        {name: builder.unit(name) for name in UNITS},
        builder.unit("dram", servers=int(machine.memory.outstanding_streams.value),
                     in_order=False, dram=True),
    )  # fmt: skip
    begin, end, groups = _group_ends(tokens)
    sampled, ordered = _order_groups(pipeline, trace)
    listed = builder.memory(
        pipeline.dram, "read directory", "directory", layout.directory_runs(trace, groups),
        write=False,
    )  # fmt: skip
    builder.edge(ordered[groups], listed)
    # directories come in order, so that voxels take room in the order in which they are filtered
    builder.edge(listed[:-1], listed[1:], Edge.ORDER)
    fetched, filtered, rendered = _stream_voxels(pipeline, trace, tokens, layout, end)
    builder.edge(np.repeat(listed, np.diff(np.append(begin, tokens.group.size))), fetched,
                 Edge.MEMORY)  # fmt: skip
    # a group's tables are taken when its first ray is cast and free when its last voxel has been
    # asked for
    emptied = ordered.copy()
    emptied[groups] = fetched[end]
    builder.credit(sampled, emptied, tables)

    written = builder.memory(
        pipeline.dram, "write pixels", "pixels", pixel_runs(trace, layout.frame), write=True
    )
    idle = np.setdiff1d(np.arange(ordered.size), groups)
    builder.edge(ordered[idle], written[idle])
    builder.edge(filtered[end], written[groups])
    has_render = rendered >= 0
    first_render, last_render = _first_and_last(tokens.group, has_render)
    rendering = tokens.group[first_render]
    builder.edge(rendered[last_render], written[rendering])
    # the pixel buffer holds so many groups at once
    earlier, later = rendering[:-pixels], first_render[pixels:]
    builder.edge(written[earlier], rendered[later], Edge.CREDIT)
    count_actions(builder, trace)
    return builder.build()


def _order_groups(pipeline: _Pipeline, trace: Trace) -> tuple[I64, I64]:
    """Add ray sampling and ordering of every group; return the tasks of both."""
    work = voxel_work(trace)
    every = np.ones(work.steps.size, np.bool_)
    sampled = pipeline.compute(
        "sampler", "sample rays", work.steps, every, {"rename": (work.rename_read_bytes, work.none)}
    )
    ordered = pipeline.compute(
        "voxel_sorter", "order voxels", work.items, every,
        {"voxel_table": (work.table_read_bytes, work.table_write_bytes)},
    )  # fmt: skip
    pipeline.builder.edge(sampled, ordered)
    return sampled, ordered


def _stream_voxels(
    pipeline: _Pipeline, trace: Trace, tokens: Tokens, layout: Layout, end: I64
) -> tuple[I64, I64, I64]:
    """Add the stages of every token; return coarse streams, coarse filters and renders.

    Where nothing is left of a token, later stages have no task; the render's entry is then -1.
    """
    builder = pipeline.builder
    last = np.zeros(tokens.group.size, np.bool_)
    last[end] = True
    fetched = builder.memory(
        pipeline.dram, "stream coarse", "coarse", layout.coarse_runs(trace, tokens), write=False
    )
    nothing = np.zeros_like(tokens.loaded)
    filtered = pipeline.compute(
        "cfu", "coarse filter", tokens.loaded, last,
        {"coarse": (tokens.loaded * layout.coarse_bytes, nothing)},
    )  # fmt: skip
    builder.edge(fetched, filtered, Edge.MEMORY)
    pipeline.hold("coarse", fetched, tokens.loaded * layout.coarse_bytes, filtered)

    kept = np.flatnonzero(tokens.coarse_pass > 0)
    gathered = builder.memory(
        pipeline.dram, "gather fine", "fine", _select(layout.fine_runs(trace, tokens), kept),
        write=False,
    )  # fmt: skip
    builder.edge(filtered[kept], gathered)
    _, ends = _first_and_last(tokens.group, tokens.coarse_pass > 0)
    last = np.zeros(tokens.group.size, np.bool_)
    last[ends] = True
    records = tokens.coarse_pass[kept] * (layout.coarse_bytes + layout.fine_bytes)
    entry, feature = constant("entry_bytes"), constant("feature_bytes")
    passed, none = tokens.fine_pass[kept], nothing[kept]
    shaded = pipeline.compute(
        "ffu", "fine filter", tokens.coarse_pass[kept], last[kept],
        {"fine": (records, none), "sort": (none, passed * entry),
         "feature": (none, passed * feature)},
    )  # fmt: skip
    builder.edge(gathered, shaded, Edge.MEMORY)
    pipeline.hold("fine", gathered, records, shaded)

    inside = np.flatnonzero(tokens.fine_pass[kept] > 0)  # among the kept
    drawn = kept[inside]
    passes = sort_passes(trace.columns["visit.fine_pass"])
    sorting = tokens.per_visit_sum(passes.cycles(pipeline.machine.units["bsu"]))[drawn]
    moved = tokens.per_visit_sum(passes.moved_entries)[drawn] * entry
    sorted_ = pipeline.cycles(
        "bsu", "sort voxel", pipeline.with_ports(sorting, {"sort": (moved, moved)})
    )
    builder.edge(shaded[inside], sorted_)
    _spill(pipeline, tokens, layout, drawn, shaded[inside], sorted_)
    _, ends = _first_and_last(tokens.group, tokens.fine_pass > 0)
    last = np.zeros(tokens.group.size, np.bool_)
    last[ends] = True
    subtiles = tokens.per_visit_sum(trace.columns["visit.subtiles"])[drawn]
    swapped = subtiles * _SUBTILE_PIXELS * constant("pixel_state_bytes")
    blended = pipeline.compute(
        "vru", "render", tokens.subtile_work[drawn] * _SUBTILE_PIXELS, last[drawn],
        {"feature": (tokens.subtile_work[drawn] * feature, nothing[drawn]),
         "pixel": (swapped, swapped)},
    )  # fmt: skip
    builder.edge(sorted_, blended)
    pipeline.hold("sort", shaded[inside], tokens.fine_pass[drawn] * entry, sorted_)
    pipeline.hold("feature", shaded[inside], tokens.fine_pass[drawn] * feature, blended)
    rendered = np.full(tokens.group.size, -1, np.int64)
    rendered[drawn] = blended
    return fetched, filtered, rendered


def _spill(pipeline: _Pipeline, tokens: Tokens, layout: Layout, drawn: I64, shaded: I64,
           sorted_: I64) -> None:  # fmt: skip
    """Send survivors of voxels that do not fit through DRAM between fine filter and sort."""
    entry, feature = constant("entry_bytes"), constant("feature_bytes")
    fits = {"sort": pipeline.half("sort") // entry, "feature": pipeline.half("feature") // feature}
    spilled = spill_bytes(tokens.visit_fine_pass, fits["sort"], fits["feature"])
    for buffer, total in zip(("sort", "feature"), spilled):
        pipeline.builder.count(f"{buffer}/read_bytes", total.sum())
        pipeline.builder.count(f"{buffer}/write_bytes", total.sum())
    size = tokens.per_visit_sum(spilled[0] + spilled[1])[drawn]
    some = np.flatnonzero(size)
    if not some.size:
        return
    runs = single_runs(layout.spill, size[some])
    out = pipeline.builder.memory(pipeline.dram, "spill survivors", "spill", runs, write=True)
    back = pipeline.builder.memory(pipeline.dram, "refill survivors", "spill", runs, write=False)
    pipeline.builder.edge(shaded[some], out)
    pipeline.builder.edge(out, back, Edge.MEMORY)
    pipeline.builder.edge(back, sorted_[some], Edge.MEMORY)


def _select(runs: MemoryRuns, tasks: I64) -> MemoryRuns:
    """Return the runs of some tasks; the others have none."""
    sizes = np.diff(runs.ptr)[tasks]
    return MemoryRuns(np.concatenate([[0], np.cumsum(sizes)]), runs.address, runs.size)


def _group_ends(tokens: Tokens) -> tuple[I64, I64, I64]:
    """Return the first and last token of each group that has any, and those groups."""
    begin, end = _first_and_last(tokens.group, np.ones(tokens.group.size, np.bool_))
    return begin, end, tokens.group[begin]


def _first_and_last(group: I64, of: npt.NDArray[np.bool_]) -> tuple[I64, I64]:
    """Return the first and the last of the chosen tokens of every group that has one."""
    chosen = np.flatnonzero(of)
    changes = np.flatnonzero(np.diff(group[chosen])) + 1
    first = np.concatenate([[0], changes]) if chosen.size else changes
    last = np.append(changes, chosen.size) - 1 if chosen.size else changes
    return chosen[first], chosen[last]


def _check_parts(machine: Accelerator) -> None:
    for table, wanted in (("units", UNITS), ("buffers", BUFFERS)):
        for name in wanted:
            if name not in getattr(machine, table):
                raise ConfigError(
                    f"StreamingGS needs {table[:-1]} {name!r}, which machine {machine.name} lacks",
                    place=f"{machine.name}: {table}",
                    remedy=f"run it on streaminggs or describe {', '.join(wanted)}",
                )


def _copies(trace: Trace, machine: Accelerator) -> tuple[int, int]:
    """Return how many groups' voxel tables and pixels fit on chip; at least one of each must."""
    nodes, edges = trace.columns["group.nodes"], trace.columns["group.edges"]
    table = nodes * constant("node_bytes") + edges * constant("edge_bytes")
    cells = int(np.prod(trace.meta["grid"]["cells"]))
    rename = -(-cells // constant("rename_cells")) * constant("rename_bits") // 8
    width, height = trace.meta["parameters"]["group"]
    state = width * height * constant("pixel_state_bytes")
    _fit(machine, "rename", rename, "the grid's renaming table", "use larger voxels")
    stored = trace.meta["layout"]
    record = stored["coarse_record_bytes"] + stored["fine_record_bytes"]
    word, block = constant("parameter_bytes"), constant("bitonic_width_entries")
    for buffer, need, what in (
        ("coarse", 2 * word * constant("coarse_parameters"), "two Gaussians of the coarse filter"),
        ("fine", 2 * record, "two Gaussians of the fine filter"),
        ("sort", 2 * block * constant("entry_bytes"), "two blocks of a bitonic unit"),
        ("feature", 2 * block * constant("feature_bytes"), "the features of two bitonic blocks"),
    ):
        _fit(machine, buffer, need, what, "use the shipped sizes")
    return (
        _fit(machine, "voxel_table", int(table.max(initial=1)), "the voxels of one pixel group",
             "use smaller groups or larger voxels"),
        _fit(machine, "pixel", state, "the pixels of one group", "use smaller groups"),
    )  # fmt: skip


def _fit(machine: Accelerator, buffer: str, need: int, what: str, lever: str) -> int:
    """Return how often ``need`` bytes fit into a buffer; `InfeasibleError` when not once."""
    capacity = int(machine.buffers[buffer].capacity_bytes.value)
    if need > capacity:
        raise InfeasibleError(
            f"{what} take {need} bytes of buffer {buffer}, which holds {capacity} "
            f"({need - capacity} too few)",
            demand=need,
            bound=capacity,
            unit="bytes",
            levers=(lever, f"a buffer of at least {need} bytes"),
            place=f"{machine.name}: buffers.{buffer}.capacity_bytes",
        )
    return capacity // max(need, 1)
