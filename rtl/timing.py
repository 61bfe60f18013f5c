"""The timing model of a slice: the golden model's counts as a program on archsim's kernel.

The same kind of model as the StreamingGS machine's (:mod:`archsim.sim.gs3d.streaminggs_program`),
at the RTL's configuration and at a finer grain, as tiles are compared one by one: pieces of a few
Gaussians pass feeder, coarse filter, fine filter and list buffer, lists pass the sorter and the
render unit. FIFOs are rooms in items, the two halves and the commands of the list buffer credits;
the end of a tile without work is an item, too. Its parameters are the units' counts, intervals and
latencies (:class:`archsim.rtl.arithmetic.cycles.UnitCycles`) and the FIFOs' depths.

A tile whose pixels are all done stops, as soon as the last of them is. From then on its Gaussians
are dropped, one a cycle, where they come past the feeder and past the fine fetch; those between
them and behind go on. Visits that the controller has not yet decided on are not read at all. Where
everything is when the tile stops is taken from passes of the model before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from archsim.rtl.arithmetic.cycles import RENDER_DEPTH, UnitCycles
from archsim.rtl.golden import GoldenTiles, Visits, cycles_by_tile
from archsim.rtl.memory_timing import IDEAL, MemoryTiming, timing_of_slice
from archsim.rtl.parameters import COMMANDS, Parameters
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
_CLOSING = 2  # cycles from a list's last item, or a tile's, to the end that it makes
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
    golden = _with_empty_visits(golden)
    work = _Work.of(golden)
    left_out = _LeftOut.nothing(work.loaded.size)
    for _ in range(_PASSES):
        built = _Build(golden, p, work, memory, left_out)
        schedule, _ = execute_with("auto", built.program)
        more = built.left_out_by_stop(schedule)
        if more == left_out:
            break
        left_out = more
    causes = {
        unit: {cause: ps // _PS for cause, ps in shares.items()}
        for unit, shares in time_by_cause_ps(built.program, schedule).items()
        if not unit.startswith("wait")
    }
    return ModelRun(schedule.finish_ps[built.drained] // _PS, causes)


def _with_empty_visits(golden: GoldenTiles) -> GoldenTiles:
    """Return the trace with a visit of no Gaussian for every tile that has none: its end."""
    tiles = golden.origins.shape[0]
    without = np.setdiff1d(np.arange(tiles), golden.visits.tile)
    at = np.searchsorted(golden.visits.tile, without)
    columns = {name: np.insert(column, at, 0) for name, column in vars(golden.visits).items()}
    columns["tile"] = np.insert(golden.visits.tile, at, without)
    keep, drawn, work = list(golden.keep), list(golden.drawn), list(golden.work)
    for place in at[::-1]:
        keep.insert(place, np.zeros(0, np.bool_))
        drawn.insert(place, np.zeros(0, np.bool_))
        work.insert(place, np.zeros(0, np.int64))
    return replace(golden, visits=Visits(**columns), keep=keep, drawn=drawn, work=work)


@dataclass(frozen=True)
class _Work:
    """Pieces of the visits, n in order; a visit of no Gaussian is one, too.

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
    def of(golden: GoldenTiles) -> _Work:
        """Cut the visits."""
        visits = golden.visits
        pieces = np.maximum(-(-visits.loaded // _PIECE), 1)
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


@dataclass(frozen=True)
class _LeftOut:
    """Pieces that an early stop spares a stage; each stage spares what those ahead of it do.

    Attributes
    ----------
    read, fed, fetched : (n,) bool
        Not read at all; dropped by the feeder; dropped by the fine fetch.
    """

    read: Bits
    fed: Bits
    fetched: Bits

    @staticmethod
    def nothing(pieces: int) -> _LeftOut:
        none = np.zeros(pieces, np.bool_)
        return _LeftOut(none, none, none)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _LeftOut) and all(
            np.array_equal(mine, theirs)
            for mine, theirs in zip(vars(self).values(), vars(other).values(), strict=True)
        )


class _Build:
    """One program: every stage's tasks, and what binds them."""

    def __init__(self, golden: GoldenTiles, p: Parameters, work: _Work, memory: MemoryTiming,
                 left_out: _LeftOut):  # fmt: skip
        self.golden, self.p, self.work, self.memory = golden, p, work, memory
        self.left_out = left_out
        self.cycles = UnitCycles.of(p)
        done = np.flatnonzero((golden.visits.live == 0) & (golden.visits.blended > 0))[::-1]
        self.stops = {int(golden.visits.tile[n]): int(n) for n in done}  # tile -> its last visit
        b = self.builder = ProgramBuilder()
        self.units = {name: b.unit(name) for name in ("voxel sorter", "feeder", "coarse", "fine",
                                                      "lists", "sorter", "render")}  # fmt: skip
        self.wait = b.unit("wait", servers=_MANY, in_order=False)
        self._filters()
        self._lists()
        self.program: Program = b.build()

    def left_out_by_stop(self, schedule: Schedule) -> _LeftOut:
        """Return what comes past feeder and fine fetch after its tile has stopped, for the most."""
        work, before = self.work, self.left_out
        stop = np.full(self.golden.origins.shape[0], np.iinfo(np.int64).max)
        stop[list(self.stops)] = schedule.finish_ps[self.stopped]
        middle = (schedule.start_ps + schedule.finish_ps) // 2
        fed = before.fed | (middle[self.feed] >= stop[work.tile])
        fetched = before.fetched | fed
        fetched[self.some] |= middle[self.fine] >= stop[work.tile[self.some]]
        return _LeftOut(before.read | self._never_read(fed), fed, fetched)

    def _never_read(self, fed: Bits) -> Bits:
        """Return the pieces of visits that the controller held back when their tile stopped.

        The memory reader is ahead of the feeder by what it may hold, and of the visits behind the
        one that it reads, the first has been decided on, too.
        """
        visit = self.work.visit
        reached = np.maximum.accumulate(np.where(fed, 0, np.arange(fed.size)))
        reading = visit[np.minimum(reached + _READ_AHEAD // _PIECE, fed.size - 1)]
        return np.asarray(fed & (visit > reading + 1))

    def _task(self, unit: str, cycles: I64) -> I64:
        return self.builder.compute(self.units[unit], unit, cycles * _PS)

    def _delay(self, after: I64, cycles: int | I64) -> I64:
        """Return tasks that finish so many cycles after others."""
        waited = self.builder.compute(self.wait, "wait", np.full(after.size, cycles) * _PS)
        self.builder.edge(after, waited)
        return waited

    def _feeder(self) -> I64:
        """Add ordering and the feeder; return the items that each piece sends on."""
        b, p, work, out = self.builder, self.p, self.work, self.left_out
        self.ordered = self._task("voxel sorter", self.golden.order_cycles)
        # of what is dropped only ends go on, as one item
        last = np.append(np.diff(work.tile) > 0, True)[: work.tile.size]
        self.ends = np.where(out.read, last, work.ends)
        sent = np.maximum(work.loaded, 1)
        self.feed = self._task("feeder", np.where(out.read, last, sent))
        voxels = np.bincount(self.golden.visits.tile)
        first = np.searchsorted(work.tile, np.arange(voxels.size))
        # the coarse filters take the first item before the rest of its piece has come
        latency = self.cycles.placement_latency + 9 + round(np.mean(self.memory.coarse_latency))
        placed = self._delay(self.ordered, latency - work.loaded[first])
        b.edge(placed, self.feed[first])
        # the queue holds the voxels of tiles ahead
        room = b.room("queue", max(p.tile_voxels, 2), "items")
        b.claim(self.ordered, room, voxels, self.feed[first])
        return np.where(out.fed, self.ends, sent)

    def _filters(self) -> None:
        """Add coarse and fine filters of all pieces."""
        b, p, cycles, out = self.builder, self.p, self.cycles, self.left_out
        items = self._feeder()
        self.coarse = self._task("coarse", -(-items * cycles.coarse_interval // p.coarse_filters))
        b.edge(self.feed, self.coarse)
        # a piece takes its places together, but may begin when one is free
        room = b.room("items", p.coarse_fifo + 1 + _PIECE - 1, "items")
        b.claim(self.feed, room, items, self.coarse)
        kept = np.where(out.fed, 0, self.work.kept)
        self.some = some = np.flatnonzero((kept > 0) | self.ends)
        kept, ends, dropped = kept[some], self.ends[some], out.fetched[some]
        fetched = self._delay(
            self.coarse[some], cycles.coarse_latency + 3 + self._fine_latency(kept)
        )
        filtered = np.where(dropped, ends, np.maximum(kept, ends))
        self.fine = self._task("fine", filtered * cycles.fine_interval + dropped * kept)
        b.edge(fetched, self.fine)
        room = b.room("survivors", p.fine_fifo * 2 + _PIECE, "items")
        inside = kept > 0
        b.claim(self.coarse[some][inside], room, kept[inside], self.fine[inside])
        self._features(filtered)

    def _features(self, items: I64) -> None:
        """Add the filling of lists: a cycle an item, ahead of which the fine filter can be.

        Results wait in their FIFO, then in the pipeline, which stands still once the FIFO is full.
        """
        b, p, cycles = self.builder, self.p, self.cycles
        self.stored = self._task("lists", items)
        # the items before a piece's last one have come earlier
        b.edge(self._delay(self.fine, cycles.fine_latency + 4 - items), self.stored)
        inside = p.feature_fifo + 1 + cycles.fine_latency // cycles.fine_interval
        room = b.room("features", inside + _PIECE - 1, "items")
        b.claim(self.fine, room, items, self.stored)

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
        done = self._delay(self.stored[last], _CLOSING)
        sorted_ = self._task("sorter", cycles.sort(size))
        b.edge(done, sorted_)
        rendered = self._render(visit, part, size, sorted_)
        # the sorter takes no list before the one ahead is sorted, and sorts none before it has left
        begins = np.maximum(first[1:], last[:-1] + 1)  # a piece may end one list and begin another
        apart = begins <= last[1:]
        b.edge(sorted_[:-1][apart], self.stored[begins[apart]], Edge.CREDIT)
        b.edge(self._delay(sorted_[:-1], size[:-1]), sorted_[1:], Edge.CREDIT)
        # the halves of the list buffer
        b.edge(rendered[:-2], self.stored[first[2:]], Edge.CREDIT)
        self._hold_back(self.feed, self.left_out.fed, self.work.tile)
        self._hold_back(self.fine, self.left_out.fetched[self.some], self.work.tile[self.some])
        self._ends(self.golden.visits.tile[visit], rendered)
        self._commands(visit, last, rendered)

    def _hold_back(self, tasks: I64, dropped: Bits, owner: I64) -> None:
        """Let what a stop drops not be reached before it."""
        for stopped, tile in zip(self.stopped, self.stops, strict=True):
            first = np.flatnonzero(dropped & (owner == tile))[:1]
            self.builder.edge(stopped, tasks[first], Edge.CREDIT)

    def _render(self, visit: I64, part: I64, size: I64, sorted_: I64) -> I64:
        """Add the rendering of the lists; return the last task of each.

        The list in which its tile stops takes two: until the last pixel is done, and the rest.
        """
        entries, cycles = self.p.list_entries, self.cycles
        spent = np.zeros((size.size, 2), np.int64)
        stopping = {}  # tile -> list
        for number in range(size.size):
            live = self.golden.work[visit[number]][part[number] * entries :][: size[number]]
            each = np.maximum(live * cycles.subtile, 1)
            behind = np.flatnonzero(np.append(1, live))[-1]  # the last with a live pixel
            spent[number] = each[:behind].sum(), each[behind:].sum()
            tile = int(self.golden.visits.tile[visit[number]])
            if behind and self.stops.get(tile) == visit[number]:
                stopping[tile] = number
        at = np.array([stopping[tile] for tile in self.stops], np.int64)
        two = np.zeros(size.size, np.int64)
        two[at] = 1
        head = np.arange(size.size) + np.cumsum(two) - two
        issue = np.zeros(size.size + at.size, np.int64)
        issue[head] = spent[:, 0] + np.where(two, 0, spent[:, 1]) + 2
        issue[head[at] + 1] = spent[at, 1]
        tasks = self._task("render", issue)
        self.builder.edge(sorted_, tasks[head])
        self.stopped = self._delay(tasks[head[at]], RENDER_DEPTH)
        return np.asarray(tasks[head + two])

    def _cut_lists(self) -> tuple[I64, I64, I64, I64, I64]:
        """Return visit, number in the visit, length, first and last piece of every list."""
        work, entries = self.work, self.p.list_entries
        stored = np.where(self.left_out.fetched, 0, work.stored)
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
        parts = np.tile([1, self.cycles.drain - 1], tiles)
        self.marked, self.drained = b.compute(drain, "drain", parts * _PS).reshape(-1, 2).T
        end = np.searchsorted(work.tile[self.some], np.arange(tiles), side="right") - 1
        b.edge(self._delay(self.stored[end], _CLOSING), self.marked)
        if owner.size:
            tail = np.append(np.flatnonzero(np.diff(owner)), owner.size - 1)
            b.edge(rendered[tail], self.marked[owner[tail]])
            head = np.insert(np.flatnonzero(np.diff(owner)) + 1, 0, 0)
            follows = owner[head] > 0
            b.edge(self.drained[owner[head][follows] - 1], rendered[head[follows]], Edge.CREDIT)

    def _commands(self, visit: I64, last: I64, rendered: I64) -> None:
        """Bound how many lists and ends of tiles the filling side is ahead of the reading side.

        An end shares the command of its tile's last list, where that list is the last visit's.
        """
        owner, tiles = self.golden.visits.tile, self.golden.origins.shape[0]
        final = np.searchsorted(owner, np.arange(tiles), side="right") - 1  # last visit
        closes = np.append(np.diff(visit) > 0, True)[: visit.size] & (final[owner[visit]] == visit)
        alone = np.setdiff1d(np.arange(tiles), owner[visit[closes]])
        number = np.concatenate([owner[visit], alone])
        order = np.argsort(number, kind="stable")  # lists of a tile, then its end
        piece_tile = self.work.tile[self.some]
        behind = np.searchsorted(piece_tile, alone, side="right")
        following = np.concatenate([last + 1, behind])[order]
        done = np.where(closes, self.marked[owner[visit]], rendered)
        read = np.concatenate([done, self.marked[alone]])[order]
        held = np.flatnonzero(following[COMMANDS:] < self.stored.size)
        self.builder.edge(read[held], self.stored[following[COMMANDS:][held]], Edge.CREDIT)
