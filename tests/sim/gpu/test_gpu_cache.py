"""The last-level cache against an independent model, and in cases counted by hand."""

from collections import OrderedDict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.arch.machine import Cache
from archsim.arch.sourced import Sourced
from archsim.sim.gpu.cache import Gather, run_gather


def exact(value):
    return Sourced(value=value, low=value, high=value, source="test")


def cache(capacity, ways, line=128, sector=32):
    return Cache(capacity_bytes=exact(capacity), line_bytes=exact(line),
                 sector_bytes=exact(sector), ways=exact(ways), copies=exact(1),
                 bytes_per_cycle=exact(512))  # fmt: skip


def gather(lists, fetched=None, sizes=(8, 16, 12), batch=4, items=1000, needed=None):
    """Lists of items by block; arrays far apart, the list itself at the end."""
    start = np.concatenate([[0], np.cumsum([len(entries) for entries in lists])]).astype(np.int64)
    bases = np.cumsum([0] + [-(-size * items // 256) * 256 for size in sizes])
    index = np.array([i for entries in lists for i in entries], np.int32)
    counts = np.diff(start) if fetched is None else np.array(fetched, np.int64)
    return Gather(
        index=index, start=start, fetched=counts, list_base=int(bases[-1]),
        array_base=bases[:-1].astype(np.int64), array_bytes=np.array(sizes, np.int64), batch=batch,
        needed=np.ones(index.size, np.uint8) if needed is None else np.array(needed, np.uint8),
        if_needed=np.arange(len(sizes)) == len(sizes) - 1,
    )  # fmt: skip


def oracle(work, capacity, ways, resident, line=128, sector=32):
    """The same cache with dictionaries: missed sectors by block, and sectors asked for."""
    sets = [OrderedDict() for _ in range(capacity // (line * ways))]
    missed = [[] for _ in work.fetched]
    asked = 0

    def touch(block, address, size):
        nonlocal asked
        for place in range(address // sector, (address + size - 1) // sector + 1):
            asked += 1
            tag = place * sector // line
            entries = sets[tag % len(sets)]
            if tag not in entries:
                if len(entries) == ways:
                    entries.popitem(last=False)
                entries[tag] = set()
            entries.move_to_end(tag)
            if place not in entries[tag]:
                entries[tag].add(place)
                missed[block].append(place)

    waiting = [b for b, count in enumerate(work.fetched) if count]
    slots = [None] * resident
    turn = 0
    while waiting or any(slots):
        if slots[turn] is None and waiting:
            slots[turn] = [waiting.pop(0), 0]
        if slots[turn] is not None:
            block, done = slots[turn]
            first = int(work.start[block]) + done
            count = min(work.batch, int(work.fetched[block]) - done)
            touch(block, work.list_base + 4 * first, 4 * count)
            arrays = zip(work.array_base, work.array_bytes, work.if_needed, strict=True)
            for base, size, if_needed in arrays:
                for entry in range(first, first + count):
                    if if_needed and not work.needed[entry]:
                        continue
                    touch(block, int(base + work.index[entry] * size), int(size))
            slots[turn] = None if done + count == work.fetched[block] else [block, done + count]
        turn = (turn + 1) % resident
    return missed, asked


def sectors(result, block, sector=32):
    runs = slice(result.misses.ptr[block], result.misses.ptr[block + 1])
    return [
        address // sector + step
        for address, size in zip(result.misses.address[runs], result.misses.size[runs], strict=True)
        for step in range(size // sector)
    ]


@settings(max_examples=60, deadline=None)
@given(
    lists=st.lists(st.lists(st.integers(0, 60), max_size=14), min_size=1, max_size=6),
    ways=st.sampled_from([1, 2, 4]),
    sets=st.sampled_from([1, 2, 5]),
    resident=st.integers(1, 4),
    early=st.integers(0, 5),
    drawn=st.randoms(use_true_random=False),
)
def test_equals_a_dictionary_lru_cache(lists, ways, sets, resident, early, drawn):
    fetched = [max(len(entries) - early, 0) for entries in lists]
    needed = [drawn.randrange(2) for entries in lists for _ in entries]
    work = gather(lists, fetched, needed=needed)
    capacity = 128 * ways * sets
    result = run_gather(work, cache(capacity, ways), resident)
    missed, asked = oracle(work, capacity, ways, resident)
    assert [sectors(result, block) for block in range(len(lists))] == missed
    assert result.sectors == asked


def test_each_sector_misses_once_when_everything_fits():
    # 64 items of 8, 16 and 12 bytes: 16 + 32 + 24 sectors; the list's 2 x 64 words: 16 sectors
    work = gather([range(64), range(64)], batch=256)
    result = run_gather(work, cache(1 << 20, 16), 2)
    assert int(result.misses.size.sum()) == (16 + 32 + 24 + 16) * 32
    assert result.misses.ptr[1] == result.misses.ptr[2] - 1, "the second block misses its list only"


def test_an_array_is_read_only_for_the_entries_that_need_it():
    # of the last array, only the colours of items 0 to 7: 96 bytes, 3 sectors of 24
    work = gather([range(64)], batch=256, needed=[i < 8 for i in range(64)])
    result = run_gather(work, cache(1 << 20, 16), 1)
    assert int(result.misses.size.sum()) == (16 + 32 + 3 + 8) * 32


def test_neighbouring_misses_make_one_run():
    work = gather([range(64)], sizes=(8,), batch=256)
    result = run_gather(work, cache(1 << 20, 16), 1)
    assert result.misses.size.tolist() == [64 * 4, 64 * 8]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 200), min_size=1, max_size=80), st.integers(1, 8))
def test_a_larger_fully_associative_cache_never_misses_more(entries, ways):
    # LRU keeps a superset; sets of a fixed number of ways have no such order between sizes
    work = gather([entries], batch=16)
    small, large = (
        int(run_gather(work, cache(128 * size, size), 1).misses.size.sum())
        for size in (ways, 2 * ways)
    )
    assert large <= small


def test_blocks_that_fetch_nothing_are_passed_over():
    work = gather([[], [5], []], batch=4)
    result = run_gather(work, cache(1 << 14, 4), 2)
    assert np.diff(result.misses.ptr).tolist()[0::2] == [0, 0]
    assert result.sectors > 0


@pytest.mark.parametrize("runs", [1 << 8, 1 << 20])
def test_the_result_does_not_depend_on_the_buffer(monkeypatch, runs):
    import archsim.sim.gpu.cache as module

    rng = np.random.default_rng(1)
    lists = [rng.integers(0, 900, 300) for _ in range(9)]
    work = gather(lists, batch=32)
    whole = run_gather(work, cache(1 << 12, 4), 3)
    monkeypatch.setattr(module, "_BUFFER_RUNS", runs)
    monkeypatch.setattr(module, "_SECTORS_PER_CALL", runs)
    again = run_gather(work, cache(1 << 12, 4), 3)
    assert np.array_equal(whole.misses.address, again.misses.address)
    assert np.array_equal(whole.misses.size, again.misses.size)
    assert whole.sectors == again.sectors
