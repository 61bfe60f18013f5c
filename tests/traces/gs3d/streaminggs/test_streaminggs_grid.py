"""Voxels: who belongs where, what is stored where, and the grids of the real scenes."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.base.errors import ConfigError, ResourceError
from archsim.traces.gs3d.formats import load_scene_file
from archsim.traces.gs3d.streaminggs.grid import build_grid, voxel_length


@given(st.integers(0, 2**32 - 1), st.sampled_from(["extent/1", "extent/3", "extent/7.5", 0.8]))
def test_every_gaussian_is_stored_once_in_the_voxel_of_its_centre(seed, voxel_size):
    random = np.random.default_rng(seed)
    means = random.normal(size=(random.integers(1, 60), 3)).astype(np.float32)
    grid = build_grid(means, voxel_size)
    low = means.min(axis=0).astype(float)
    voxels = {}
    for i, mean in enumerate(means):
        cell = tuple(math.floor((float(mean[a]) - low[a]) / grid.size) for a in range(3))
        voxels.setdefault(cell, []).append(i)
    _, ny, nz = grid.cells
    assert grid.occupied == len(voxels)
    assert sorted(grid.order) == list(range(len(means)))
    for name, (cell, members) in enumerate(sorted(voxels.items())):
        assert grid.rename[(cell[0] * ny + cell[1]) * nz + cell[2]] == name
        assert tuple(grid.index()[name]) == cell
        assert list(grid.order[grid.start[name] : grid.start[name + 1]]) == members
    assert (grid.rename >= 0).sum() == grid.occupied
    extent = means.max(axis=0).astype(float) - low
    assert list(grid.cells) == [math.floor(e / grid.size) + 1 for e in extent]


def test_one_gaussian_is_one_voxel():
    grid = build_grid(np.ones((1, 3), np.float32), "extent/16")
    assert (grid.occupied, list(grid.cells), list(grid.count)) == (1, [1, 1, 1], [1])


@pytest.mark.parametrize(
    "text", ["extent", "extent/0", "extent/x", "1/16", -1.0, 0.0, float("nan")]
)
def test_a_voxel_size_that_is_no_length_is_refused(text):
    with pytest.raises(ConfigError, match="extent/16"):
        voxel_length(text, 1.0)


def test_a_grid_too_fine_to_hold_is_refused():
    means = np.array([[0, 0, 0], [1, 1, 1]], np.float32)
    with pytest.raises(ResourceError, match=r"1e\+09 cells.*\n.*larger voxels"):
        build_grid(means, 0.001001)


@pytest.mark.parametrize(
    ("scene", "fraction", "cells", "occupied"),
    [
        ("playbot", 16, 2448, 595),
        ("playbot", 32, 19008, 2468),
        ("playbot", 64, 145600, 12863),
        ("biker.spz", 16, 612, 240),
    ],
)
def test_grids_of_real_scenes(data, scene, fraction, cells, occupied):
    path = data / "gs3d" / "playcanvas" / scene
    lod = 0 if scene == "playbot" else None
    grid = build_grid(load_scene_file(path, lod).means, f"extent/{fraction}")
    assert int(grid.cells.prod()) == cells
    assert grid.occupied == pytest.approx(occupied, rel=0.05)
