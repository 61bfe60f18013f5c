"""The trace cache: found by content, damaged entries never used, least recently used leave."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.base.errors import ConfigError
from archsim.traces.cache import TraceCache, trace_key
from archsim.traces.trace import Trace

KEY = trace_key({"scene": "a"})


def trace(seed: int = 0, size: int = 100) -> Trace:
    rng = np.random.default_rng(seed)
    return Trace("gs3d/x", {"seed": seed}, {"tile.pairs": rng.integers(0, 99, size)})


@pytest.fixture
def cache(tmp_path: Path) -> TraceCache:
    return TraceCache(tmp_path / "traces", 10**9)


def test_key_depends_on_every_part_and_not_on_their_order() -> None:
    assert trace_key({"a": 1, "b": 2}) == trace_key({"b": 2, "a": 1})
    assert len({trace_key({"a": 1}), trace_key({"a": 2}), trace_key({"b": 1})}) == 3


def test_stored_traces_are_found_by_their_key_only(cache: TraceCache) -> None:
    assert cache.load(KEY) is None
    cache.store(KEY, trace(3))
    found = cache.load(KEY)
    assert found is not None
    np.testing.assert_array_equal(found.columns["tile.pairs"], trace(3).columns["tile.pairs"])
    assert cache.load(trace_key({"scene": "b"})) is None
    assert cache.notes == []


def test_storing_again_replaces(cache: TraceCache) -> None:
    cache.store(KEY, trace(1))
    cache.store(KEY, trace(2))
    assert len(list(cache.folder.iterdir())) == 1
    found = cache.load(KEY)
    assert found is not None
    assert found.meta["seed"] == 2


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**9), st.integers(1, 255))
def test_any_damaged_byte_is_noticed(
    tmp_path_factory: pytest.TempPathFactory, position: int, flip: int
) -> None:
    cache = TraceCache(tmp_path_factory.mktemp("traces"), 10**9)
    cache.store(KEY, trace())
    (entry,) = cache.folder.iterdir()
    content = bytearray(entry.read_bytes())
    content[position % len(content)] ^= flip
    entry.write_bytes(content)
    assert cache.load(KEY) is None
    assert "damaged" in cache.notes[0]
    assert list(cache.folder.iterdir()) == []


@pytest.mark.parametrize("kept", [0, 1, 50, -1])
def test_a_truncated_entry_is_noticed(cache: TraceCache, kept: int) -> None:
    cache.store(KEY, trace())
    (entry,) = cache.folder.iterdir()
    entry.write_bytes(entry.read_bytes()[:kept])
    assert cache.load(KEY) is None
    cache.store(KEY, trace())
    assert cache.load(KEY) is not None


def test_the_least_recently_used_leave_and_the_newest_stays(tmp_path: Path) -> None:
    keys = [trace_key({"n": n}) for n in range(3)]
    cache = TraceCache(tmp_path, 10**9)
    for age, key in enumerate(keys[:2]):
        cache.store(key, trace())
        (entry,) = tmp_path.glob(f"{key}*")
        os.utime(entry, (1000 + age, 1000 + age))
    one = entry.stat().st_size
    assert cache.load(keys[0]) is not None  # used: now the younger of the two
    cache.limit_bytes = 2 * one
    cache.store(keys[2], trace())
    assert [cache.load(key) is not None for key in keys] == [True, False, True]
    cache.limit_bytes = 1
    cache.store(keys[1], trace())
    assert [cache.load(key) is not None for key in keys] == [False, True, False]


def test_a_cache_that_cannot_be_written_is_a_note(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = TraceCache(tmp_path / "file" / "traces", 10**9)
    cache.store(KEY, trace())
    assert cache.load(KEY) is None
    assert "trace not kept" in cache.notes[0]


def test_limit_is_a_size_with_a_unit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ARCHSIM_CACHE", str(tmp_path))
    monkeypatch.setenv("ARCHSIM_CACHE_LIMIT", "2 MB")
    assert TraceCache.default() == TraceCache(tmp_path / "traces", 2_000_000)
    monkeypatch.setenv("ARCHSIM_CACHE_LIMIT", "2 apples")
    with pytest.raises(ConfigError, match="ARCHSIM_CACHE_LIMIT"):
        TraceCache.default()
