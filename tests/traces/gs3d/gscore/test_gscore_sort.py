"""Hierarchical sorting: chunks bounded and in depth order, exact order inside."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.traces.gs3d.gscore.sort import PIVOTS, bitonic_sort, depth_keys, split_list

LARGEST = np.uint64(2**64 - 1)


def split(keys, tags, limit):
    n = len(keys)
    sizes = np.empty(max(n, 1), np.int64)
    chunks, passes, moved = split_list(
        keys, tags, 0, n, limit, PIVOTS, np.empty(n, np.uint64), np.empty(n, np.uint16),
        np.empty((n + PIVOTS + 1, 2), np.int64), np.empty(2 * PIVOTS + 1, np.uint64), sizes,
    )  # fmt: skip
    return sizes[:chunks], passes, moved


def sort_chunks(keys, tags, sizes, limit):
    at = 0
    for size in sizes:
        pads = np.empty(2 * limit, np.uint64), np.empty(2 * limit, np.uint16)
        bitonic_sort(keys, tags, at, at + size, *pads, LARGEST)
        at += size


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(0, 3000),
    limit=st.sampled_from([16, 40, 256]),
    levels=st.sampled_from([1, 5, 10**6]),  # 1: all depths equal
    shape=st.sampled_from(["random", "rising", "falling"]),
)
def test_chunks_are_bounded_ordered_and_sort_to_the_exact_order(seed, n, limit, levels, shape):
    rng = np.random.default_rng(seed)
    depth = (rng.integers(0, levels, n) / levels + 0.2).astype(np.float32)
    if shape != "random":
        depth = np.sort(depth)[:: 1 if shape == "rising" else -1].copy()
    keys = depth_keys(depth, np.arange(n, dtype=np.int32))
    tags = rng.integers(0, 2**16, n).astype(np.uint16)
    tag_of = dict(zip(keys.tolist(), tags.tolist()))
    expected = np.sort(keys)

    sizes, passes, moved = split(keys, tags, limit)
    assert sizes.sum() == n
    assert (sizes > 0).all()
    assert (sizes <= limit).all()
    edges = np.cumsum(sizes)
    for low, high in zip(np.split(keys, edges[:-1]), np.split(keys, edges[:-1])[1:]):
        assert low.max() < high.min()
    assert (passes == 0) == (n <= limit)
    assert moved >= passes * limit
    sort_chunks(keys, tags, sizes, limit)
    assert np.array_equal(keys, expected)
    assert [tag_of[k] for k in keys.tolist()] == tags.tolist()


def test_entries_of_a_subset_keep_their_order():
    rng = np.random.default_rng(4)
    keys = depth_keys(rng.random(900, np.float32), np.arange(900, dtype=np.int32))
    tags = np.arange(900, dtype=np.uint16)
    sizes, passes, _ = split(keys, tags, 400)
    assert passes == 1
    descents = (np.diff(tags.astype(int)) < 0).sum()
    assert len(sizes) - 1 <= descents <= PIVOTS  # eight rising subsets in a row


def test_work_of_a_list_that_needs_one_pass():
    # rising keys: the pivots are exact eighths, so one pass of 8 subsets of 256 is enough
    keys = depth_keys(np.linspace(1, 2, 2048, dtype=np.float32), np.arange(2048, dtype=np.int32))
    sizes, passes, moved = split(keys, np.zeros(2048, np.uint16), 400)
    assert (passes, moved) == (1, 2048)
    assert len(sizes) == 8
    assert sizes.max() - sizes.min() <= 280


def test_neighbouring_subsets_share_a_chunk():
    keys = depth_keys(np.linspace(1, 2, 300, dtype=np.float32), np.arange(300, dtype=np.int32))
    sizes, passes, _ = split(keys, np.zeros(300, np.uint16), 256)
    assert passes == 1
    assert len(sizes) == 2


def test_keys_order_by_depth_then_position():
    keys = depth_keys(np.array([2, 1, 2, 0.5], np.float32), np.array([7, 9, 3, 1], np.int32))
    assert np.argsort(keys).tolist() == [3, 1, 2, 0]


@pytest.mark.parametrize("n", [1, 2, 3, 15, 16, 17, 255, 256])
def test_bitonic_sort_of_any_length(n):
    rng = np.random.default_rng(n)
    keys = rng.permutation(10 * n)[:n].astype(np.uint64)
    tags = keys.astype(np.uint16)
    bitonic_sort(keys, tags, 0, n, np.empty(512, np.uint64), np.empty(512, np.uint16), LARGEST)
    assert (np.diff(keys.astype(int)) > 0).all()
    assert np.array_equal(keys.astype(np.uint16), tags)
