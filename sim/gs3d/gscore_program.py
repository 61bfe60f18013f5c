"""GSCore's program: a trace as tasks on GSCore's units.

Dataflow. Conversion reads all Gaussians in memory order, writes one feature record per visible one
and appends every (Gaussian, tile) pair to its tile's list in DRAM. A barrier follows: a list is
complete only when all Gaussians are converted. Then tiles are dealt to the cores in turn; a core

1. reads a tile's list into its share of the sort buffer,
2. splits it by pivots into depth chunks (quick sorting units); a list longer than the share goes
   through DRAM again for every eightfold excess,
3. per group of chunks gathers feature records, sorts the chunks precisely (bitonic sorting unit)
   and blends (volume rendering units: one pixel each per cycle, so an 8 x 8 subtile takes 16 of
   them four cycles), only as far as the tile's early termination and one chunk ahead of it,
4. writes the tile's pixels.

Stages of a core run in order, coupled by buffers: two groups of features, as many tiles of pixels
and lists as fit. What the sources do not say is assumed: the dealing of tiles, list
storage by tile, write combining of pairs in half the tile list buffer, the prefetch of one chunk.
That a Gaussian is fetched again for every tile is how later work describes accelerators of this
kind (GCC, MICRO 2025). All parameters are read for all Gaussians, spherical harmonics too:
NeRArch-Sim's 78.8 MB for the 358 thousand Gaussians of Lego are 220 bytes for each of them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from archsim.arch.machine import Accelerator
from archsim.arch.sram import port_cycles
from archsim.sim.gs3d.gscore_constants import constant, sh_degree_of
from archsim.sim.gs3d.gscore_shape import GscoreShape
from archsim.sim.gs3d.gscore_streams import (
    DramLayout,
    Groups,
    gather_runs,
    group_chunks,
    list_write_runs,
    pixel_runs,
    repeated_runs,
    single_runs,
)
from archsim.sim.gs3d.memo import remembered
from archsim.sim.program import Edge, MemoryRuns, Program, ProgramBuilder, Work
from archsim.traces.gs3d.streaminggs.operations import filter_total
from archsim.traces.trace import Trace

__all__ = ["build_program"]

I64 = npt.NDArray[np.int64]

#: conversion tokens of a frame at most; larger scenes use tokens of several trace chunks
_TOKENS = 1024


def build_program(trace: Trace, machine: Accelerator) -> Program:
    """Turn a ``gs3d/gscore`` trace into the program that ``machine`` executes."""
    parameters = trace.meta["parameters"]
    layout = DramLayout.of(trace)
    shape = GscoreShape.of(machine, parameters["chunk"], trace.meta["tile"], layout.gaussian_bytes)
    builder = ProgramBuilder()
    builder.unit("dram", servers=int(machine.memory.outstanding_streams.value), in_order=False,
                 dram=True)  # fmt: skip
    barrier = _conversion(builder, trace, machine, shape, layout)
    _tiles(builder, trace, machine, shape, layout, barrier)
    return builder.build()


def _ps(cycles: npt.NDArray[np.int64], machine: Accelerator) -> I64:
    """Return whole cycles of the machine's clock in picoseconds, rounded up."""
    khz = round(machine.clock_mhz.value * 1000)
    return np.asarray(-(-np.asarray(cycles, np.int64) * 10**9 // khz))


def _conversion(builder: ProgramBuilder, trace: Trace, machine: Accelerator, shape: GscoreShape,
                layout: DramLayout) -> int:  # fmt: skip
    """Add culling and conversion; return the barrier's task."""
    ccu = machine.units["ccu"]
    unit = builder.unit("ccu")  # all of them work on one token
    control = builder.unit("control")
    chunks = len(trace.columns["chunk.gaussians"])
    step = max(1, -(-chunks // _TOKENS))
    starts = np.arange(0, chunks, step)
    gaussians, visible, tests, pairs = (
        np.add.reduceat(trace.columns[f"chunk.{name}"].astype(np.int64), starts)
        for name in ("gaussians", "visible", "tests", "pairs")
    )
    interval = ccu.initiation_interval_cycles.value
    busy = np.maximum(np.ceil(gaussians * interval), tests) / ccu.count.value
    fetched = gaussians * layout.gaussian_bytes  # into the FIFO and out of it
    busy = np.maximum(busy, port_cycles(machine.buffers["gaussian_fifo"], fetched, fetched))
    cycles = np.ceil(busy).astype(np.int64)
    cycles[-1] += int(ccu.latency_cycles.value)  # the pipeline drains once

    read = builder.memory(0, "read parameters", "parameters",
                          single_runs(layout.parameters, gaussians * layout.gaussian_bytes),
                          write=False)  # fmt: skip
    convert = builder.compute(unit, "cull and convert", _ps(cycles, machine))
    feature_bytes, entry_bytes = constant("feature_bytes"), constant("entry_bytes")
    features = builder.memory(0, "write features", "features",
                              single_runs(layout.features, visible * feature_bytes),
                              write=True)  # fmt: skip
    written_runs = remembered(
        trace, ("list writes", shape.write_pairs, step),
        lambda: list_write_runs(trace.columns["pair.slot"], pairs, shape.write_pairs, layout.lists,
                                entry_bytes),
    )  # fmt: skip
    lists = builder.memory(0, "write lists", "tile lists", written_runs, write=True)
    builder.edge(read, convert, Edge.MEMORY)
    builder.edge(read[:-1], read[1:], Edge.ORDER)  # one fetch engine
    builder.credit(read, convert, shape.reads_ahead)
    for written in (features, lists):
        builder.edge(convert, written)
        builder.edge(written[:-1], written[1:], Edge.ORDER)
        builder.credit(convert, written, 2)  # half a buffer each
    _watch(builder, machine, "gaussian_fifo", read, fetched, convert, shape.reads_ahead)
    _watch(builder, machine, "tile_list", convert, pairs * entry_bytes, lists, 2)
    barrier = builder.compute(control, "all lists complete", 0)
    builder.edge(np.concatenate([features, lists]), barrier[0], Edge.MEMORY)

    total, seen = int(gaussians.sum()), int(visible.sum())
    candidates = int(tests.sum())
    _must(builder, machine, "ccu", "Gaussians of the scene", total)
    builder.must(Work("ccu", "candidate tiles tested", candidates, 1.0, int(ccu.count.value),
                      machine.clock_mhz.value))  # fmt: skip
    subtiles = (trace.meta["tile"] // trace.meta["parameters"]["subtile"]) ** 2
    # what StreamingGS's fine filter computes; the view transform is of all Gaussians
    each = filter_total("fine", sh_degree_of(trace.meta["parameters_per_gaussian"]))
    builder.count("ccu/items", max(total, candidates))
    # view transform of all, conversion of the visible, separating axes of candidate tiles
    # (d . u, d . v) and of their subtiles (offsets of those projections)
    unseen = total - seen
    builder.count("ccu/fp32_mul", 9 * unseen + each.multiplications * seen + 4 * candidates)
    builder.count(
        "ccu/fp32_add", 9 * unseen + each.additions * seen + (8 + 4 * subtiles) * candidates
    )
    builder.count(
        "ccu/fp32_cmp", unseen + each.comparisons * seen + (4 + 4 * subtiles) * candidates
    )
    builder.count("ccu/div", each.divisions * seen)
    builder.count("ccu/sqrt", each.roots * seen)
    for side in ("read_bytes", "write_bytes"):
        builder.count(f"gaussian_fifo/{side}", total * layout.gaussian_bytes)
        builder.count(f"tile_list/{side}", layout.pairs * entry_bytes)
    return int(barrier[0])


def _tiles(builder: ProgramBuilder, trace: Trace, machine: Accelerator, shape: GscoreShape,
           layout: DramLayout, barrier: int) -> None:  # fmt: skip
    """Add sorting and rendering of all tiles, and the writing of all pixels."""
    column = trace.columns
    cores = shape.cores
    entry_bytes = constant("entry_bytes")
    lengths = column["tile.pairs"].astype(np.int64)
    tiles = np.flatnonzero(lengths)  # in turn to the cores
    lengths = lengths[tiles]
    pixel_core, pixels = _pixels(builder, trace, tiles, cores, layout)
    builder.edge(barrier, pixels)
    order = np.argsort(pixel_core, kind="stable")
    same = pixel_core[order[:-1]] == pixel_core[order[1:]]
    builder.edge(pixels[order[:-1][same]], pixels[order[1:][same]], Edge.ORDER)
    if not len(tiles):
        return
    qsu, vru = machine.units["qsu"], machine.units["vru"]

    quick = builder.unit("qsu", servers=cores, in_order=False)
    bitonic = builder.unit("bsu", servers=cores, in_order=False)
    render = builder.unit("vru", servers=cores, in_order=False)
    sort_rooms = [
        builder.room(f"sort[{core}]", shape.list_entries * entry_bytes, "bytes")
        for core in range(cores)
    ]

    # lists: read, split, and through DRAM again as often as the share is exceeded eightfold
    address = layout.lists + column["tile.start"][tiles].astype(np.int64) * entry_bytes
    read = builder.memory(0, "read lists", "tile lists",
                          repeated_runs(address, lengths * entry_bytes, np.ones_like(lengths)),
                          write=False)  # fmt: skip
    passes = column["tile.sort_passes"][tiles].astype(np.int64)
    moved = column["tile.sort_moved"][tiles].astype(np.int64)
    interval = qsu.initiation_interval_cycles.value
    split = builder.compute(quick, "split lists", _ps(
        np.ceil(-(-moved // shape.qsu_per_core) * interval).astype(np.int64)
        + passes * int(qsu.latency_cycles.value), machine))  # fmt: skip
    builder.edge(barrier, read)
    builder.edge(read, split, Edge.MEMORY)
    _chain(builder, read, cores)
    _chain(builder, split, cores)

    excess = np.zeros_like(lengths)
    while ((reach := shape.list_entries * 8**excess) < lengths).any():
        excess += reach < lengths
    long = np.flatnonzero(excess)
    spill_address = layout.spill + column["tile.start"][tiles[long]].astype(np.int64) * entry_bytes
    spilled = repeated_runs(spill_address, lengths[long] * entry_bytes, excess[long])
    spill = builder.memory(0, "write split lists", "sort spill", spilled, write=True)
    refill = builder.memory(0, "read split lists", "sort spill", spilled, write=False)
    builder.edge(split[long], spill)
    builder.edge(spill, refill, Edge.MEMORY)
    listed, listed_kind = split.copy(), np.full(len(split), int(Edge.DATA))
    listed[long], listed_kind[long] = refill, int(Edge.MEMORY)

    # groups of depth chunks: gather features, sort precisely, blend
    groups, gathered = remembered(
        trace, ("groups", shape.group_records),
        lambda: _gathers(trace, tiles, shape.group_records, layout),
    )  # fmt: skip
    core = groups.tile % cores  # groups.tile numbers the tiles that are not empty
    gather = builder.memory(0, "gather features", "features", gathered, write=False)
    issues, sort_cycles = _bitonic(groups, machine)
    precise = builder.compute(bitonic, "sort chunks", _ps(sort_cycles, machine))
    subtile = trace.meta["parameters"]["subtile"]
    per_subtile = -(-(subtile**2) // shape.vru_per_core)
    interval = vru.initiation_interval_cycles.value
    reading = groups.work * constant("feature_bytes")
    per_bank = port_cycles(machine.buffers["feature"], reading, 0) * cores  # a core's share
    busy = np.maximum(groups.work * per_subtile * interval, per_bank)
    render_cycles = np.ceil(busy).astype(np.int64)
    render_cycles[groups.last] += int(vru.latency_cycles.value)  # a tile drains before the next
    blend = builder.compute(render, "blend", _ps(render_cycles, machine))
    for kind in (Edge.DATA, Edge.MEMORY):
        of = np.flatnonzero(listed_kind[groups.tile] == int(kind))
        builder.edge(listed[groups.tile[of]], gather[of], kind)
        builder.edge(listed[groups.tile[of]], precise[of], kind)
    builder.edge(gather, blend, Edge.MEMORY)
    builder.edge(precise, blend)
    order = np.argsort(core, kind="stable")
    for depth, before, after, kind in (
        (1, gather, gather, Edge.ORDER),
        (1, precise, precise, Edge.ORDER),
        (1, blend, blend, Edge.ORDER),
        (2, blend, gather, Edge.CREDIT),  # halves of the feature buffer
        (2, blend, precise, Edge.CREDIT),
    ):
        same = core[order[:-depth]] == core[order[depth:]]
        builder.edge(before[order[:-depth][same]], after[order[depth:][same]], kind)

    # a list stays in the sort buffer until its last chunk fetched is sorted
    held = np.minimum(lengths, shape.list_entries) * entry_bytes
    for number in range(cores):
        builder.claim(read[number::cores], sort_rooms[number], held[number::cores],
                      precise[groups.end[number::cores] - 1])  # fmt: skip

    builder.edge(blend[groups.last], pixels[tiles], Edge.DATA)
    first = blend[groups.begin]
    held_tiles = shape.core_tiles * cores
    builder.edge(pixels[tiles[:-held_tiles]], first[held_tiles:], Edge.CREDIT)
    held_records = np.add.reduceat(groups.chunk_entries, groups.chunk_begin)
    _watch(builder, machine, "feature", gather, held_records * constant("feature_bytes"), blend,
           2 * cores)  # fmt: skip
    state = trace.meta["tile"] ** 2 * constant("pixel_state_bytes")
    _watch(builder, machine, "pixel", first, np.full(len(first), state), pixels[tiles], 1)
    _must(builder, machine, "qsu", "entries moved by pivots", int(moved.sum()))
    _must(builder, machine, "bsu", "passes of 16 entries", int(issues.sum()))
    _must(builder, machine, "vru", "pixels of subtiles rendered",
          int(groups.work.sum()) * subtile**2)  # fmt: skip
    _count_tiles(builder, trace, groups, int((lengths * (1 + 2 * excess)).sum()),
                 int(moved.sum()), issues)  # fmt: skip


def _gathers(trace: Trace, tiles: I64, records: int,
             layout: DramLayout) -> tuple[Groups, MemoryRuns]:  # fmt: skip
    groups = group_chunks(trace, tiles, records)
    return groups, gather_runs(trace, groups, layout)


def _watch(builder: ProgramBuilder, machine: Accelerator, buffer: str, taken: I64, amount: I64,
           given: I64, shares: int) -> None:  # fmt: skip
    """Record a buffer's fullness; what streams holds one of its shares at most."""
    capacity = int(machine.buffers[buffer].capacity_bytes.value)
    builder.watch(buffer, capacity, "bytes", taken, np.minimum(amount, capacity // shares), given)


def _must(builder: ProgramBuilder, machine: Accelerator, unit: str, what: str,
          items: int) -> None:  # fmt: skip
    part = machine.units[unit]
    builder.must(Work(unit, what, items, part.initiation_interval_cycles.value,
                      int(part.count.value), machine.clock_mhz.value))  # fmt: skip


def _chain(builder: ProgramBuilder, tasks: I64, cores: int) -> None:
    """Let each core take its tasks, dealt out in turn, in order."""
    builder.edge(tasks[:-cores], tasks[cores:], Edge.ORDER)


def _pixels(builder: ProgramBuilder, trace: Trace, tiles: I64, cores: int,
            layout: DramLayout) -> tuple[I64, I64]:  # fmt: skip
    """Add one pixel write per tile; return each tile's core and the tasks."""
    every = len(trace.columns["tile.pairs"])
    core = np.arange(every) % cores
    core[tiles] = np.arange(len(tiles)) % cores
    runs = pixel_runs(trace.meta["width"], trace.meta["height"], trace.meta["tile"],
                      layout.pixels, constant("pixel_bytes"))  # fmt: skip
    return core, builder.memory(0, "write pixels", "pixels", runs, write=True)


def _bitonic(groups: Groups, machine: Accelerator) -> tuple[I64, I64]:
    """Return the 16-wide passes of each chunk fetched as (first, merging) and cycles by group.

    A chunk is cut in runs of 16, each sorted in one pass; runs are merged pairwise, each level
    again one pass per 16 entries (assumed: how GSCore sorts 256 entries with 16-wide units).
    """
    bsu = machine.units["bsu"]
    first = -(-groups.chunk_entries // constant("bitonic_width_entries"))
    levels = np.frexp(np.maximum(first - 1, 0).astype(np.float64))[1].astype(np.int64)
    interval, latency = bsu.initiation_interval_cycles.value, int(bsu.latency_cycles.value)
    # a pass reads and writes its entries through the core's share of the sort buffer's ports
    moved = constant("bitonic_width_entries") * constant("entry_bytes")
    ports = float(port_cycles(machine.buffers["sort"], moved, moved)) * bsu.count.value
    cycles = np.ceil(first * max(interval, ports)).astype(np.int64) + latency
    cycles *= 1 + levels
    return np.stack([first, first * levels]), np.add.reduceat(cycles, groups.chunk_begin)


def _count_tiles(builder: ProgramBuilder, trace: Trace, groups: Groups, listed: int, moved: int,
                 issues: I64) -> None:  # fmt: skip
    counts = trace.meta["counts"]
    tests, blends = counts["alpha_tests"], counts["blends"]
    width = constant("bitonic_width_entries")
    entry_bytes, record = constant("entry_bytes"), constant("feature_bytes")
    first, merging = int(issues[0].sum()), int(issues[1].sum())
    stages = width.bit_length() - 1
    builder.count("qsu/items", moved)
    builder.count("qsu/fp32_cmp", 7 * moved)
    builder.count("bsu/items", first + merging)
    # a network of 16 has stages (stages + 1) / 2 steps of 8 comparators, its last merge has stages
    builder.count("bsu/fp32_cmp", width // 2 * (first * stages * (stages + 1) // 2
                                                + merging * stages))  # fmt: skip
    builder.count("vru/items", tests)
    builder.count("vru/fp32_mul", constant("alpha_multiplies") * tests
                  + constant("blend_multiplies") * blends)  # fmt: skip
    builder.count("vru/fp32_add", constant("alpha_adds") * tests
                  + constant("blend_adds") * blends)  # fmt: skip
    builder.count("vru/fp32_cmp", 2 * tests)  # alpha and transmittance thresholds
    builder.count("vru/exp", tests)
    # lists in, every pivot pass and every bitonic pass once through, chunks out
    passed = (first + merging) * width
    builder.count("sort/write_bytes", (listed + moved + passed) * entry_bytes)
    builder.count("sort/read_bytes", (listed + moved + passed) * entry_bytes)
    builder.count("feature/write_bytes", int(groups.chunk_entries.sum()) * record)
    builder.count("feature/read_bytes", counts["subtile_work"] * record)
    # a subtile's state is swapped in and out once per depth chunk, and read once for the output
    parameters = trace.meta["parameters"]
    state = constant("pixel_state_bytes") * parameters["subtile"] ** 2
    subtiles = (trace.meta["tile"] // parameters["subtile"]) ** 2
    swaps = subtiles * int((trace.columns["bucket.consumed"] > 0).sum())
    output = trace.meta["width"] * trace.meta["height"] * constant("pixel_state_bytes")
    builder.count("pixel/write_bytes", swaps * state)
    builder.count("pixel/read_bytes", swaps * state + output)
