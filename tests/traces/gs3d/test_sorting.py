"""Lists per tile: order, ties, completeness."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from archsim.traces.gs3d.projection import Projected, project
from archsim.traces.gs3d.sorting import depth_order, tile_lists


@given(
    arrays.arrays(
        np.float32, st.integers(0, 200), elements=st.floats(0, 2.0**100, width=32) | st.just(1.5)
    )
)
@settings(max_examples=60, deadline=None)
def test_order_is_by_depth_then_position(depth):
    assert depth_order(depth).tolist() == np.argsort(depth, kind="stable").tolist()


def test_lists_hold_every_touched_tile_once(make_scene, make_camera):
    camera = make_camera(150, 90)
    projected = project(make_scene(3000, log_scale=-2.0), camera)
    tiles_x, tiles_y = 10, 6
    start, pairs = tile_lists(projected, tiles_x, tiles_y)
    assert start.dtype == np.int64
    assert pairs.dtype == np.int32
    x0, y0, x1, y1 = projected.tile_rect.T
    assert len(pairs) == start[-1] == ((x1 - x0) * (y1 - y0)).sum()
    for tile in range(tiles_x * tiles_y):
        x, y = tile % tiles_x, tile // tiles_x
        members = np.flatnonzero((x0 <= x) & (x < x1) & (y0 <= y) & (y < y1))
        expected = members[np.argsort(projected.depth[members], kind="stable")]
        assert pairs[start[tile] : start[tile + 1]].tolist() == expected.tolist()


def test_equal_depths_stay_in_scene_order():
    count = 50
    depth = np.repeat(np.float32([2.0, 1.0]), count // 2)
    zeros = np.zeros((count, 3), np.float32)
    projected = Projected(
        np.arange(count, dtype=np.int32), zeros[:, :2], depth, zeros, zeros,
        np.ones((count, 2), np.int32), depth, zeros, np.tile(np.int32([0, 0, 1, 1]), (count, 1)),
    )  # fmt: skip
    start, pairs = tile_lists(projected, 1, 1)
    assert start.tolist() == [0, count]
    assert pairs.tolist() == [*range(25, 50), *range(25)]
