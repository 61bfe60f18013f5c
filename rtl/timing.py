"""The timing model of a slice: the golden model's counts as a program on archsim's kernel.

The same kind of model as the StreamingGS machine's (:mod:`archsim.sim.gs3d.streaminggs_program`),
at the RTL's configuration and at a finer grain, as tiles are compared one by one: pieces of a few
Gaussians pass coarse filter, fine filter and list buffer, lists pass the sorter and the render
unit. FIFOs are rooms in items, the two halves of the list buffer credits. Its parameters are the
units' counts, intervals and latencies (:class:`archsim.rtl.arithmetic.cycles.UnitCycles`) and the
FIFOs' depths.

A tile whose pixels are all done stops. Of the visits behind, those that were already on their way
go on, the rest is dropped at a Gaussian a cycle; which ones were on their way is taken from passes
of the model before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archsim.rtl.arithmetic.cycles import UnitCycles
from archsim.rtl.golden import GoldenTiles, cycles_by_tile
from archsim.rtl.memory_timing import IDEAL, MemoryTiming, timing_of_slice
from archsim.rtl.parameters import Parameters
from archsim.sim.causes import time_by_cause_ps
from archsim.sim.engine import execute_with
from archsim.sim.program import Edge, Program, ProgramBuilder
from archsim.sim.schedule import Schedule

__all__ = ["ModelRun", "model_tiles"]

I64 = npt.NDArray[np.int64]
Bits = npt.NDArray[np.bool_]

_PS = 1000  # per cycle: 1 GHz; only cycles are compared
_PIECE = 8  # Gaussians that pass a stage together
_READ_AHEAD = 64  # Gaussians that the memory reader may hold (see blocks/slice.py)
_MANY = 1 << 16  # servers of a stage that only takes time
_PASSES = 3  # of the model, until it knows what an early stop drops


@dataclass(frozen=True)
class ModelRun:
    """What the model says.

    Attributes
    ----------
    finish : (T,) int64
        Cycle in which each tile's last pixel leaves.
    causes
        Unit -> cause -> cycles, of all slices together.
    slices
        That the tiles were dealt to.
    """

    finish: I64
    causes: dict[str, dict[str, int]]
    slices: int = 1

    @property
    def tile_cycles(self) -> I64:
        """Cycles from the last pixel of a slice's tile before to each tile's last pixel, (T,)."""
        return cycles_by_tile(self.finish, self.slices)


def model_tiles(
    golden: GoldenTiles, p: Parameters, memory: MemoryTiming | Sequence[MemoryTiming] = IDEAL
) -> ModelRun:
    """Run the model over a golden trace, with memories that answer as ``memory`` says.

    Slices share nothing: each is run with its own tiles and, if given one per slice, memories.
    """
    finish = np.zeros(golden.origins.shape[0], np.int64)
    causes: dict[str, dict[str, int]] = {}
    for number in range(min(p.slices, finish.size)):
        own = golden.of_slice(number, p.slices)
        part = _model_slice(own, p, timing_of_slice(memory, number))
        finish[number :: p.slices] = part.finish
        for unit, shares in part.causes.items():
            total = causes.setdefault(unit, {})
            for cause, cycles in shares.items():
                total[cause] = total.get(cause, 0) + cycles
    return ModelRun(finish, causes, p.slices)


def _model_slice(golden: GoldenTiles, p: Parameters, memory: MemoryTiming) -> ModelRun:
    work = _Work.of(golden, p)
    dropped = gone = np.zeros(work.loaded.size, np.bool_)
    for _ in range(_PASSES):
        built = _Build(golden, p, work, memory, dropped, gone)
        schedule, _ = execute_with("auto", built.program)
        late = dropped | built.dropped_by_stop(schedule)
        if (late == dropped).all():
            break
        dropped, gone = late, gone | built.never_read(late)
    causes = {
        unit: {cause: ps // _PS for cause, ps in shares.items()}
        for unit, shares in time_by_cause_ps(built.program, schedule).items()
        if not unit.startswith("wait")
    }
    return ModelRun(schedule.finish_ps[built.drained] // _PS, causes)


@dataclass(frozen=True)
class _Work:
    """Pieces of the visits, n in order.

    Attributes
    ----------
    visit, tile : (n,) int64
        Which visit, and whose.
    loaded, kept, stored : (n,) int64
        Gaussians that enter, pass the coarse and pass the fine filter.
    ends : (n,) bool
        Last piece of a visit.
    """

    visit: I64
    tile: I64
    loaded: I64
    kept: I64
    stored: I64
    ends: Bits

    @staticmethod
    def of(golden: GoldenTiles, p: Parameters) -> _Work:
        """Cut the visits."""
        visits = golden.visits
        pieces = -(-visits.loaded // _PIECE)
        visit = np.repeat(np.arange(pieces.size), pieces)
        ends = np.zeros(visit.size, np.bool_)
        ends[np.cumsum(pieces) - 1] = True
        begin = np.cumsum(visits.loaded) - visits.loaded
        keep = np.concatenate([*golden.keep, np.zeros(0, np.bool_)])
        drawn = np.concatenate([*golden.drawn, np.zeros(0, np.bool_)])
        first = np.cumsum(pieces) - pieces
        start = begin[visit] + (np.arange(visit.size) - first[visit]) * _PIECE
        stop = np.minimum(start + _PIECE, (begin + visits.loaded)[visit])
        total_kept = np.concatenate([[0], np.cumsum(keep)])
        total_drawn = np.concatenate([[0], np.cumsum(drawn)])
        return _Work(
            visit, visits.tile[visit], stop - start, total_kept[stop] - total_kept[start],
            total_drawn[stop] - total_drawn[start], ends,
        )  # fmt: skip


class _Build:
    """One program: every stage's tasks, and what binds them."""

    def __init__(self, golden: GoldenTiles, p: Parameters, work: _Work, memory: MemoryTiming,
                 dropped: Bits, gone: Bits):  # fmt: skip
        self.golden, self.p, self.work, self.memory = golden, p, work, memory
        self.dropped, self.gone = dropped, gone
        self.cycles = UnitCycles.of(p)
        done = np.flatnonzero((golden.visits.live == 0) & (golden.visits.blended > 0))[::-1]
        self.stops = {int(golden.visits.tile[n]): int(n) for n in done}  # tile -> its last visit
        b = self.builder = ProgramBuilder()
        self.units = {name: b.unit(name) for name in ("voxel sorter", "coarse", "fine", "sorter",
                                                      "render")}  # fmt: skip
        self.wait = b.unit("wait", servers=_MANY, in_order=False)
        self._filters()
        self._lists()
        self.program: Program = b.build()

    def dropped_by_stop(self, schedule: Schedule) -> Bits:
        """Return the pieces that enter the coarse filter after their tile has stopped."""
        stop = np.full(self.golden.origins.shape[0], np.iinfo(np.int64).max)
        for tile, number in self.stops.items():
            # the rest of the list passes at a Gaussian a cycle
            after = np.flatnonzero(self.golden.work[number])[-1] + 1
            rest = (self.golden.work[number].size - after) * _PS
            stop[tile] = schedule.finish_ps[self.rendered[number]] - rest
        late: Bits = schedule.start_ps[self.coarse] >= stop[self.work.tile]
        return late

    def never_read(self, late: Bits) -> Bits:
        """Return the pieces of visits that the memory reader had not begun when their tile stopped.

        It is ahead of the coarse filter by what it may hold.
        """
        work = self.work
        before = np.maximum.accumulate(np.where(late, -1, np.arange(late.size)))
        first = np.searchsorted(work.visit, work.visit)
        return np.asarray(late & (first > before + _READ_AHEAD // _PIECE))

    def _task(self, unit: str, cycles: I64) -> I64:
        return self.builder.compute(self.units[unit], unit, cycles * _PS)

    def _delay(self, after: I64, cycles: int | I64) -> I64:
        """Return tasks that finish so many cycles after others."""
        waited = self.builder.compute(self.wait, "wait", np.full(after.size, cycles) * _PS)
        self.builder.edge(after, waited)
        return waited

    def _filters(self) -> None:
        """Add ordering, coarse and fine filters of all pieces."""
        b, p, work, cycles = self.builder, self.p, self.work, self.cycles
        tiles = self.golden.origins.shape[0]
        self.ordered = self._task("voxel sorter", self.golden.order_cycles)
        through = -(-work.loaded * cycles.coarse_interval // p.coarse_filters)
        # of what is dropped only ends go through, as one item
        last = np.append(np.diff(work.tile) > 0, True)[: work.tile.size]
        ends = np.where(self.gone, last, work.ends)
        marker = ends * (-(-cycles.coarse_interval // p.coarse_filters))
        passing = np.where(self.dropped, np.where(self.gone, 0, work.loaded) + marker, through)
        self.coarse = self._task("coarse", passing)
        first_beat = round(float(np.mean(self.memory.coarse_latency)))
        placed = self._delay(self.ordered, cycles.placement_latency + 9 + first_beat)
        b.edge(placed[work.tile], self.coarse)
        # the queue holds the voxels of tiles ahead
        first = np.searchsorted(work.tile, np.arange(tiles))
        queued = np.bincount(self.golden.visits.tile, minlength=tiles)
        ahead = np.flatnonzero(queued)
        room = b.room("queue", max(p.tile_voxels, 2), "items")
        b.claim(self.ordered[ahead], room, queued[ahead], self.coarse[first[ahead]])
        kept = np.where(self.dropped, 0, work.kept)
        some = np.flatnonzero((kept > 0) | ends)
        self.some = some
        fetched = self._fine_latency(kept)[some]
        arrived = self._delay(self.coarse[some], cycles.coarse_latency + 3 + fetched)
        self.fine = self._task("fine", np.maximum(kept[some], 1) * cycles.fine_interval)
        b.edge(arrived, self.fine)
        room = b.room("survivors", p.fine_fifo * 2 + _PIECE, "items")
        inside = kept[some] > 0
        b.claim(self.coarse[some][inside], room, kept[some][inside], self.fine[inside])

    def _fine_latency(self, kept: I64) -> I64:
        """Return how long the slowest fine record of each piece takes."""
        given = np.atleast_1d(np.asarray(self.memory.fine_latency, np.int64))
        last = np.cumsum(kept)
        slowest = np.ones(kept.size, np.int64)
        for back in range(_PIECE):
            at = np.clip(last - 1 - back, 0, given.size - 1)
            slowest = np.where(kept > back, np.maximum(slowest, given[at]), slowest)
        return slowest

    def _lists(self) -> None:
        """Add sorting and rendering of the lists, and the end of every tile."""
        b, cycles = self.builder, self.cycles
        visit, part, size, first, last = self._cut_lists()
        done = self._delay(self.fine[last], cycles.fine_latency + 6)
        sorted_ = self._task("sorter", cycles.sort(size))
        b.edge(done, sorted_)
        entries = self.p.list_entries
        issue = np.zeros(size.size, np.int64)
        for number in range(size.size):
            live = self.golden.work[visit[number]][part[number] * entries :][: size[number]]
            issue[number] = np.maximum(live * cycles.subtile, 1).sum()
        rendered = self._task("render", issue + 2)
        b.edge(sorted_, rendered)
        self.rendered = np.full(self.golden.visits.loaded.size, -1, np.int64)
        self.rendered[visit] = rendered
        # the halves of the list buffer
        b.edge(rendered[:-2], self.fine[first[2:]], Edge.CREDIT)
        # what a stop drops is not reached before
        for tile, number in self.stops.items():
            gone = np.flatnonzero(self.dropped & (self.work.tile == tile))
            if gone.size:
                b.edge(self.rendered[number], self.coarse[gone[0]], Edge.CREDIT)
        self._ends(self.golden.visits.tile[visit], rendered)

    def _cut_lists(self) -> tuple[I64, I64, I64, I64, I64]:
        """Return visit, number in the visit, length, first and last piece of every list."""
        work, entries = self.work, self.p.list_entries
        stored = np.where(self.dropped, 0, work.stored)
        total = np.zeros(self.golden.visits.loaded.size, np.int64)
        np.add.at(total, work.visit, stored)
        parts = -(-total // entries)
        visit = np.repeat(np.arange(total.size), parts)
        part = np.arange(visit.size) - np.repeat(np.cumsum(parts) - parts, parts)
        size = np.minimum(entries, total[visit] - part * entries)
        # a list ends with the piece that fills it, the last one with its visit
        behind = np.cumsum(stored)[self.some]
        before = np.concatenate([[0], np.cumsum(total)])[visit] + part * entries
        first = np.searchsorted(behind, before, side="right")
        last = np.searchsorted(behind, before + size)
        tail = np.searchsorted(work.visit[self.some], visit, side="right") - 1
        last = np.where(part == parts[visit] - 1, tail, last)
        return visit, part, size, first, last

    def _ends(self, owner: I64, rendered: I64) -> None:
        """Add the drain of every tile behind its last list, of tile ``owner``, or last Gaussian."""
        b, work = self.builder, self.work
        tiles = self.golden.origins.shape[0]
        drain = b.unit("drain")
        self.drained = b.compute(drain, "drain", np.full(tiles, self.cycles.drain * _PS))
        piece_tile = work.tile[self.some]
        with_voxels = np.unique(piece_tile)
        end = np.searchsorted(piece_tile, with_voxels, side="right") - 1
        b.edge(self._delay(self.fine[end], self.cycles.fine_latency + 6),
               self.drained[with_voxels])  # fmt: skip
        empty = np.setdiff1d(np.arange(tiles), with_voxels)
        b.edge(self._delay(self.ordered[empty], self._empty_latency()), self.drained[empty])
        if owner.size:
            tail = np.append(np.flatnonzero(np.diff(owner)), owner.size - 1)
            b.edge(rendered[tail], self.drained[owner[tail]])
            head = np.insert(np.flatnonzero(np.diff(owner)) + 1, 0, 0)
            follows = owner[head] > 0
            b.edge(self.drained[owner[head][follows] - 1], rendered[head[follows]], Edge.CREDIT)

    def _empty_latency(self) -> int:
        c = self.cycles
        return c.placement_latency + c.coarse_latency + c.fine_latency + 20
