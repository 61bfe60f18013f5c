"""Projection against numpy, closed forms, and the edges of every rule."""

import math
from dataclasses import replace

import numba
import numpy as np
import pytest

from archsim.traces.gs3d.projection import project
from archsim.traces.gs3d.scene import Scene


def one_gaussian(mean, scale=0.1, opacity=0.5):
    """An isotropic grey Gaussian."""
    return Scene(
        np.array([mean], np.float32), np.full((1, 3), scale, np.float32),
        np.array([[1, 0, 0, 0]], np.float32), np.array([opacity], np.float32),
        np.zeros((1, 1, 3), np.float32), "one",
    )  # fmt: skip


@pytest.mark.parametrize("variant", ["inria", "gsplat"])
@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_equals_numpy(variant, degree, make_scene, make_camera, oracle):
    scene = make_scene(150, degree, seed=degree, spread=2.0)
    camera = make_camera(101, 67, centre=(40.0, 39.0), angle=0.7, distance=3.0)
    got = project(scene, camera, variant=variant)
    expected = oracle.project(scene, camera, variant)
    assert 20 < len(expected) < 150
    assert got.index.tolist() == [g.index for g in expected]
    assert got.radius.tolist() == [g.radius.tolist() for g in expected]
    assert got.tile_rect.tolist() == [[*g.low, *g.high] for g in expected]
    upper = np.array([[g.cov[0, 0], g.cov[0, 1], g.cov[1, 1]] for g in expected])
    conic = np.array([[g.conic[0, 0], g.conic[0, 1], g.conic[1, 1]] for g in expected])
    np.testing.assert_allclose(got.mean2d, [g.mean2d for g in expected], rtol=1e-6, atol=1e-5)
    np.testing.assert_allclose(got.depth, [g.depth for g in expected], rtol=1e-6)
    np.testing.assert_allclose(got.cov2d, upper, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(got.conic, conic, rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(got.rgb, [g.rgb for g in expected], atol=1e-6)
    np.testing.assert_allclose(got.opacity, [g.opacity for g in expected])


def test_a_sphere_on_the_axis_has_the_footprint_of_a_disc(make_camera):
    camera = make_camera(160, 160, focal=200.0, distance=0.0)
    got = project(one_gaussian([0, 0, 5.0], scale=0.1), camera)
    xx, yy = (200 * 0.1 / 5) ** 2 + 0.3, (210 * 0.1 / 5) ** 2 + 0.3
    np.testing.assert_allclose(got.cov2d[0], [xx, 0, yy], rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(got.conic[0], [1 / xx, 0, 1 / yy], rtol=1e-6, atol=1e-9)
    middle = (xx + yy) / 2
    radius = math.ceil(3 * math.sqrt(middle + max(math.sqrt(0.1), (yy - xx) / 2)))
    assert got.radius.tolist() == [[radius, radius]]
    assert got.mean2d.tolist() == [[79.5, 79.5]]  # pixel centres at integers
    gsplat = project(one_gaussian([0, 0, 5.0], scale=0.1), camera, variant="gsplat")
    assert gsplat.mean2d.tolist() == [[80.0, 80.0]]
    assert gsplat.radius.tolist() == [[math.ceil(3.33 * xx**0.5), math.ceil(3.33 * yy**0.5)]]


@pytest.mark.parametrize(("variant", "near"), [("inria", 0.2), ("gsplat", 0.01)])
def test_near_plane(variant, near, make_camera):
    camera = make_camera(64, 64, distance=0.0)
    before, behind = np.nextafter(np.float32(near), [np.float32(1), np.float32(0)])
    assert len(project(one_gaussian([0, 0, before], 1e-4), camera, variant=variant)) == 1
    assert len(project(one_gaussian([0, 0, behind], 1e-4), camera, variant=variant)) == 0
    assert len(project(one_gaussian([0, 0, -5.0]), camera, variant=variant)) == 0


def test_a_gaussian_is_visible_while_its_square_touches_a_tile(make_camera):
    # focal 64 at z = 64: a scene unit is a pixel, and 0 projects to pixel 31.5; the radius is 3
    camera = make_camera(64, 64, focal=64.0, distance=0.0)

    def centred_at(pixel):
        return project(one_gaussian([pixel - 31.5, 0, 64.0], 1e-3), camera)

    assert centred_at(32).radius.tolist() == [[3, 3]]
    # left: int((p + 3 + 15) / 16) >= 1, from p = -2 on
    assert [len(centred_at(p)) for p in (-2.0, -2.01)] == [1, 0]
    # right: int((p - 3) / 16) < 4, below p = 67
    assert [len(centred_at(p)) for p in (66.99, 67.0)] == [1, 0]


def test_tiles_of_any_side_cover_the_image(make_scene, make_camera):
    scene = one_gaussian([0, 0, 1.0], scale=50.0)
    camera = make_camera(70, 33, distance=0.0)
    for tile, expected in ((16, [0, 0, 5, 3]), (64, [0, 0, 2, 1]), (7, [0, 0, 10, 5])):
        assert project(scene, camera, tile=tile).tile_rect.tolist() == [expected]


def test_visible_gaussians_keep_scene_order_and_do_not_depend_on_threads(make_scene, make_camera):
    scene = make_scene(20_000, spread=3.0)  # several chunks, gaps in each
    camera = make_camera(64, 64)
    before = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        single = project(scene, camera)
        numba.set_num_threads(before)
        many = project(scene, camera)
    finally:
        numba.set_num_threads(before)
    assert 0 < len(single) < 20_000
    assert (np.diff(single.index) > 0).all()
    for name, column in vars(single).items():
        assert np.array_equal(column, getattr(many, name)), name
        assert column.flags.c_contiguous


def test_part_of_a_scene_projects_as_it_does_in_the_whole(make_scene, make_camera):
    scene, camera = make_scene(9000, spread=3.0), make_camera(64, 64)
    whole = project(scene, camera)
    names = ("means", "scales", "quats", "opacities", "sh")
    part = project(replace(scene, **{n: getattr(scene, n)[5000:] for n in names}), camera)
    tail = whole.index >= 5000
    assert np.array_equal(whole.index[tail] - 5000, part.index)
    assert np.array_equal(whole.conic[tail], part.conic)


def test_extreme_gaussians_are_dropped_or_finite(make_camera):
    camera = make_camera(64, 64, distance=0.0)
    for scale in (1e-30, 1e15, 1e30):
        got = project(one_gaussian([0.1, 0.1, 0.3], scale), camera)
        assert np.isfinite(got.conic).all()
        assert (got.radius > 0).all()
    flat = one_gaussian([0, 0, 2.0])
    flat = replace(flat, scales=np.array([[1e3, 1e-6, 1e-6]], np.float32))
    assert len(project(flat, camera)) == 1


def test_no_gaussians_and_progress(make_scene, make_camera):
    shares = []
    assert len(project(make_scene(0), make_camera(64, 64), progress=shares.append)) == 0
    assert shares == []
    project(make_scene(300_000), make_camera(64, 64), progress=shares.append)
    assert shares[-1] == 1.0
    assert len(shares) > 1
    assert shares == sorted(shares)
