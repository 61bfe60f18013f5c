"""The timing model's closed forms, on golden traces made by hand."""

from dataclasses import replace

import numpy as np
import pytest

from archsim.rtl.arithmetic.cycles import UnitCycles
from archsim.rtl.golden import GoldenTiles, Visits
from archsim.rtl.memory_timing import MemoryTiming
from archsim.rtl.parameters import COMMANDS, Parameters
from archsim.rtl.timing import model_tiles

P = Parameters(machine="test", size="test", slices=1, coarse_filters=1, coarse_interval=8,
               fine_interval=8, lanes=8, sh_degree=0)  # fmt: skip


def trace(loaded: list[int], kept: list[int], subtiles: int, tiles: int = 1,
          live: int = 100) -> GoldenTiles:  # fmt: skip
    """One visit per tile; what is kept is stored and meets ``subtiles`` subtiles."""
    count = len(loaded)
    flags = [np.arange(n) < k for n, k in zip(loaded, kept, strict=True)]
    stored = np.array(kept, np.int64)
    zeros = np.zeros(count, np.int64)
    entered = np.array(loaded, np.int64)
    visits = Visits(np.arange(count), zeros, entered, stored, stored, stored * subtiles, zeros,
                    stored, np.full(count, live))  # fmt: skip
    work = [np.full(k, subtiles) for k in kept]
    return GoldenTiles(np.zeros((tiles, 2), np.int64), np.zeros((tiles, 256, 4), np.int64),
                       {"last": np.ones(tiles, np.int64)},
                       np.full(tiles, 50), visits, flags, flags, work, 0)  # fmt: skip


def test_a_tile_without_voxels_takes_the_pipeline_and_its_drain() -> None:
    cycles = UnitCycles.of(P)
    run = model_tiles(trace([], [], 0, tiles=3), P)
    assert (run.tile_cycles[1:] == cycles.drain).all()
    assert cycles.drain == 1 + 22 + 2 * 32


def test_the_slowest_stage_sets_the_pace() -> None:
    cycles = UnitCycles.of(P)
    filtered = model_tiles(trace([4000], [4], 1), P).finish[0]
    once = cycles.placement_latency + cycles.coarse_latency + cycles.fine_latency + cycles.drain
    assert 4000 * 8 + once < filtered < 4000 * 8 + once + 150  # order, sorting, hand-overs
    rendered = model_tiles(trace([1000], [1000], 4), P).finish[0]
    assert 1000 * (8 + 4 * cycles.subtile) < rendered < 1000 * (8 + 4 * cycles.subtile) + 2500


def test_two_coarse_filters_halve_their_time() -> None:
    golden = trace([4000], [4], 1)
    one, two = (model_tiles(golden, replace(P, coarse_filters=n)).finish[0] for n in (1, 2))
    assert one - two == 4000 * 8 // 2


def test_slices_render_tiles_of_their_own() -> None:
    golden = trace([400, 900, 500, 100, 300], [40, 90, 5, 10, 3], 2, tiles=5)
    run = model_tiles(golden, replace(P, slices=2))
    for number, (loaded, kept) in enumerate(
        (([400, 500, 300], [40, 5, 3]), ([900, 100], [90, 10]))
    ):
        alone = model_tiles(trace(loaded, kept, 2, tiles=len(loaded)), P)
        np.testing.assert_array_equal(run.finish[number::2], alone.finish)
        np.testing.assert_array_equal(run.tile_cycles[number::2], alone.tile_cycles)


def test_slow_memory_delays_the_first_and_the_last_record() -> None:
    golden = trace([400], [40], 1)
    fast = model_tiles(golden, P).finish[0]
    slow = model_tiles(golden, P, MemoryTiming(coarse_latency=101, fine_latency=51)).finish[0]
    assert fast + 100 <= slow <= fast + 150


def one_tile(loaded: list[int], kept: list[int], subtiles: int, live: int = 100) -> GoldenTiles:
    """Return visits of one tile."""
    golden = trace(loaded, kept, subtiles, live=live)
    merged = replace(golden.visits, tile=np.zeros(len(loaded), np.int64))
    return replace(golden, visits=merged)


def test_a_stop_saves_the_visits_behind_it() -> None:
    def tile(visits: int, live: int = 0) -> int:
        golden = one_tile([800] * visits, [80] + [0] * (visits - 1), 4, live)
        return int(model_tiles(golden, P).finish[0])

    assert tile(4) < tile(4, live=100) - 800 * 8
    # the visit that the controller has decided on is read, at a Gaussian a cycle, the rest is not
    assert 800 <= tile(4) - tile(2) <= 800 + 2 * 8
    assert tile(4) == tile(12)


def test_the_fine_filter_is_ahead_of_a_full_list_buffer_by_a_fifo() -> None:
    # the third list waits for the half that the first one is rendered from
    golden = trace([400, 100, 400], [400, 100, 400], 4, tiles=3)
    slow = replace(P, fine_interval=16)
    assert UnitCycles.of(slow).fine_interval < 4 * UnitCycles.of(slow).subtile
    short, long = (model_tiles(golden, replace(slow, feature_fifo=n)).finish for n in (16, 32))
    np.testing.assert_array_equal(short[:2], long[:2])
    assert short[2] - long[2] == 16 * 16


def test_a_list_is_not_taken_before_the_one_ahead_is_sorted() -> None:
    first, second = 1000, 500
    cycles = UnitCycles.of(P)
    finish = model_tiles(one_tile([first, second], [first, second], 0), P).finish[0]
    ahead = P.feature_fifo + 1 + cycles.fine_latency // cycles.fine_interval
    sort = cycles.sort(np.array([first, second]))
    entered = first * 8 + sort[0] + (second - ahead) * 8 + sort[1]
    once = cycles.placement_latency + cycles.coarse_latency + cycles.fine_latency + cycles.drain
    shown = second  # a cycle each: done before they come
    assert entered + once + shown < finish < entered + once + shown + 250  # order, hand-overs


def test_a_list_is_not_filled_more_than_eight_ends_of_tiles_ahead() -> None:
    count, empty = 300, 100
    golden = trace([count], [count], 0, tiles=empty + 1)
    golden = replace(golden, visits=replace(golden.visits, tile=np.array([empty])))
    cycles = UnitCycles.of(P)
    finish = model_tiles(golden, P).finish
    assert (np.diff(finish)[: empty - 1] == cycles.drain).all()
    # its first Gaussian is stored when the end of the tile before is a command
    begun = finish[empty - 1 - COMMANDS]
    ends = empty - COMMANDS  # all places ahead are taken by them, and by a few Gaussians
    inside = P.feature_fifo + 1 + cycles.fine_latency // cycles.fine_interval + 2 * P.fine_fifo
    last = begun + count * 8 + cycles.sort(np.array([count]))[0] + count + cycles.drain
    assert ends > inside
    assert last - inside * 8 < finish[-1] < last + 200


def test_sorting_takes_the_sorters_own_cycles() -> None:
    pytest.importorskip("amaranth")
    from archsim.rtl.blocks.sorter import BitonicSorter

    lengths = np.array([1, 16, 17, 32, 33, 100, 1000])
    sorter = BitonicSorter(key_bits=23, value_bits=10, entries=1024)
    np.testing.assert_array_equal(UnitCycles.of(P).sort(lengths), sorter.cycles(lengths))
