"""StreamingGS's program: a trace as tasks on a StreamingGS machine.

Dataflow, per group of pixels:

1. the ray sampler walks the group's rays through the grid (one cell per item); the voxel sorter
   then orders the voxels met (one item per voxel emitted and per edge resolved). Their tables are
   held twice or more often, as they fit: later groups are ordered while earlier ones render;
2. the directory entries of the ordered voxels are read;
3. per voxel: its coarse half is streamed in, the coarse filter units test all its Gaussians, the
   fine records of the survivors are gathered, the fine filter units project and shade them, the
   bitonic units sort what is left, and the render units blend it, 64 pixels of a subtile a cycle
   with 64 units;
4. the group's pixels are written, once.

Stages run in order and overlap: voxels of later groups are fetched and filtered while earlier
ones render, as far as the buffers go. A buffer is room in bytes that a stage takes before it
starts and that its consumer gives back; a voxel larger than half of a buffer streams through it
and takes half. Colour and transmittance of a group stay in the pixel buffer; as many groups are
in work as fit there.

Stages hand over whole voxels, and units work on one voxel at a time, with all their copies; their
latency shows where a group ends. Left out: prefetched voxels that a saturated group no longer
needs, and vector quantisation: fine records are uncompressed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archsim.arch.machine import Accelerator
from archsim.base.errors import ConfigError
from archsim.sim.gs3d.streaminggs_actions import count_actions
from archsim.sim.gs3d.streaminggs_constants import constant
from archsim.sim.gs3d.streaminggs_sort import sort_passes
from archsim.sim.gs3d.streaminggs_tokens import Layout, Tokens, cut_tokens, pixel_runs
from archsim.sim.program import Edge, MemoryRuns, Program, ProgramBuilder
from archsim.traces.trace import Trace

__all__ = ["BUFFERS", "UNITS", "build_program"]

I64 = npt.NDArray[np.int64]

UNITS = ("sampler", "voxel_sorter", "cfu", "ffu", "bsu", "vru")
BUFFERS = ("rename", "voxel_table", "coarse", "fine", "sort", "feature", "pixel")
_SUBTILE_PIXELS = 64


@dataclass(frozen=True)
class _Pipeline:
    """A machine while its program is built: units and rooms of the builder by name."""

    machine: Accelerator
    builder: ProgramBuilder
    units: dict[str, int]
    dram: int

    def compute(self, unit: str, stage: str, items: I64, ends: npt.NDArray[np.bool_]) -> I64:
        """Add a task per entry of ``items``; where ``ends``, the pipeline drains."""
        part = self.machine.units[unit]
        rate = part.initiation_interval_cycles.value / part.count.value
        cycles = np.ceil(items * rate).astype(np.int64) + ends * int(part.latency_cycles.value)
        return self.cycles(unit, stage, cycles)

    def cycles(self, unit: str, stage: str, cycles: I64) -> I64:
        """Add a task per entry of ``cycles``."""
        khz = round(self.machine.clock_mhz.value * 1000)
        return self.builder.compute(self.units[unit], stage, -(-cycles * 10**9 // khz))

    def room(self, buffer: str) -> tuple[int, int]:
        """Declare a buffer's room; return it and the most that one voxel takes of it."""
        capacity = int(self.machine.buffers[buffer].capacity_bytes.value)
        return self.builder.room(buffer, capacity, "bytes"), max(capacity // 2, 1)

    def hold(self, buffer: str, task: I64, amount: I64, release: I64) -> None:
        """Let tasks take room in a buffer until their ``release`` finishes."""
        room, most = self.room(buffer)
        some = amount > 0
        self.builder.claim(task[some], room, np.minimum(amount[some], most), release[some])


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
    ordered = _order_groups(pipeline, trace, tables)
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
    # a group's tables are free when its last voxel has been asked for
    emptied = ordered.copy()
    emptied[groups] = fetched[end]
    builder.credit(ordered, emptied, tables)

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


def _order_groups(pipeline: _Pipeline, trace: Trace, tables: int) -> I64:
    """Add ray sampling and ordering of every group; return the ordering tasks."""
    every = np.ones(trace.columns["group.nodes"].size, np.bool_)
    sampled = pipeline.compute("sampler", "sample rays", trace.columns["group.ray_steps"], every)
    items = trace.columns["group.nodes"] + trace.columns["group.edges"]
    if trace.meta["parameters"]["order"] != "dag":
        items = trace.columns["group.nodes"]  # a distance per voxel, and no edges
    ordered = pipeline.compute("voxel_sorter", "order voxels", items, every)
    pipeline.builder.edge(sampled, ordered)
    pipeline.builder.credit(sampled, ordered, tables)
    return ordered


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
    filtered = pipeline.compute("cfu", "coarse filter", tokens.loaded, last)
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
    shaded = pipeline.compute("ffu", "fine filter", tokens.coarse_pass[kept], last[kept])
    builder.edge(gathered, shaded, Edge.MEMORY)
    record = layout.coarse_bytes + layout.fine_bytes
    pipeline.hold("fine", gathered, tokens.coarse_pass[kept] * record, shaded)

    inside = np.flatnonzero(tokens.fine_pass[kept] > 0)  # among the kept
    drawn = kept[inside]
    cycles = sort_passes(trace.columns["visit.fine_pass"]).cycles(pipeline.machine.units["bsu"])
    sorted_ = pipeline.cycles("bsu", "sort voxel", tokens.per_visit_sum(cycles)[drawn])
    builder.edge(shaded[inside], sorted_)
    _, ends = _first_and_last(tokens.group, tokens.fine_pass > 0)
    last = np.zeros(tokens.group.size, np.bool_)
    last[ends] = True
    work = tokens.subtile_work[drawn] * _SUBTILE_PIXELS
    blended = pipeline.compute("vru", "render", work, last[drawn])
    builder.edge(sorted_, blended)
    passed = tokens.fine_pass[drawn]
    pipeline.hold("sort", shaded[inside], passed * constant("entry_bytes"), sorted_)
    pipeline.hold("feature", shaded[inside], passed * constant("feature_bytes"), blended)
    rendered = np.full(tokens.group.size, -1, np.int64)
    rendered[drawn] = blended
    return fetched, filtered, rendered


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
    return (
        _fit(machine, "voxel_table", int(table.max(initial=1)), "the voxels of one pixel group",
             "use smaller groups or larger voxels"),
        _fit(machine, "pixel", state, "the pixels of one group", "use smaller groups"),
    )  # fmt: skip


def _fit(machine: Accelerator, buffer: str, need: int, what: str, lever: str) -> int:
    """Return how often ``need`` bytes fit into a buffer; :class:`ConfigError` when not once."""
    capacity = int(machine.buffers[buffer].capacity_bytes.value)
    if need > capacity:
        raise ConfigError(
            f"{what} take {need} bytes of buffer {buffer}, which holds {capacity} "
            f"({need - capacity} too few)",
            place=f"{machine.name}: buffers.{buffer}.capacity_bytes",
            remedy=f"{lever}, or a buffer of at least {need} bytes",
        )
    return capacity // max(need, 1)
