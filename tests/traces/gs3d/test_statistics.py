"""Statistics of a scene by hand-made ones and the real ones' known figures."""

import numpy as np
import pytest

from archsim.traces.gs3d.formats import load_scene_file
from archsim.traces.gs3d.scene import Scene
from archsim.traces.gs3d.statistics import scene_statistics, scene_warnings


def scene_of(means, scales=(1.0, 2.0, 8.0)):
    n = len(means)
    return Scene(
        np.array(means, np.float32), np.tile(np.float32(scales), (n, 1)),
        np.tile(np.float32([1, 0, 0, 0]), (n, 1)), np.linspace(0, 1, n, dtype=np.float32),
        np.zeros((n, 4, 3), np.float32), "s",
    )  # fmt: skip


def test_by_hand():
    found = scene_statistics(scene_of([[0, 0, 0], [16, 0, 0], [0.5, 0, 0], [15.5, 4, 0]]))
    assert (found.gaussians, found.sh_degree, found.memory_bytes) == (4, 1, 4 * 4 * 23)
    assert (found.bounds_low, found.bounds_high) == ((0, 0, 0), (16, 4, 0))
    assert found.voxel_size == 1.0
    assert found.voxels == 17 * 5 * 1
    assert found.occupied_voxels == 3
    assert found.per_voxel["max"] == 2
    assert found.anisotropy["p50"] == 8
    assert found.elongation["p50"] == 4
    assert found.scale["p99"] == pytest.approx(16 ** (1 / 3))
    assert found.opacity["p50"] == pytest.approx(0.5)
    assert found.scale_share["p50"] * (found.core_high[0] - found.core_low[0]) == pytest.approx(
        found.scale["p50"]
    )
    assert found.to_dict()["opacity"] == found.opacity


def test_one_gaussian():
    found = scene_statistics(scene_of([[1, 2, 3]]))
    assert (found.voxels, found.occupied_voxels, found.per_voxel["max"]) == (1, 1, 1)


def test_absurd_outliers_are_a_warning_and_a_background_is_none():
    means = np.random.default_rng(0).uniform(0, 10, (1000, 3))
    means[7] = (2000, 5, 5)
    assert scene_warnings(scene_of(means)) == []
    means[9] = (1e30, 5, 5)
    (warning,) = scene_warnings(scene_of(means))
    assert warning.startswith("1 of 1,000 Gaussians lie more than 100000 times")
    assert "number 9 at (1e+30, 5, 5)" in warning
    assert scene_warnings(scene_of([[1, 2, 3]])) == []


@pytest.mark.parametrize(
    ("name", "lod", "cells", "median"),
    [("biker.spz", None, 612, 472), ("playbot", 0, 2448, 348)],
)
def test_grid_of_real_scenes(data, name, lod, cells, median):
    found = scene_statistics(load_scene_file(data / "gs3d/playcanvas" / name, lod))
    assert found.voxels == cells
    assert found.per_voxel["p50"] == pytest.approx(median, rel=0.02)
