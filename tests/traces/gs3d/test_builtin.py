"""Built-in scenes: exact counts, repeatable bytes, usable values, trained scenes' statistics."""

from math import pi

import numpy as np
import pytest

from archsim.base.errors import ConfigError
from archsim.traces.gs3d.builtin import BUILTINS, BuiltinViews, builtin_scene
from archsim.traces.gs3d.builtin.gaussians import gaussians_on
from archsim.traces.gs3d.builtin.stage import Light, Stage, box, lathe, patch, rounded, wall
from archsim.traces.gs3d.builtin.textures import plain
from archsim.traces.gs3d.sh_rotation import sh_basis
from archsim.traces.gs3d.statistics import scene_statistics

GREY = plain((0.5, 0.5, 0.5), 0.0)


def alone(*surfaces, lights=()):
    return Stage(surfaces, lights, blockers=(), corners=())


@pytest.fixture(scope="module")
def scenes():
    return {name: made.make(20_000, 3, 0) for name, made in BUILTINS.items()}


@pytest.mark.parametrize("name", list(BUILTINS))
def test_values_can_be_rendered(scenes, name):
    scene = scenes[name]
    assert len(scene) == 20_000
    for field in ("means", "scales", "quats", "opacities", "sh"):
        values = getattr(scene, field)
        assert values.dtype == np.float32
        assert values.flags.c_contiguous
        assert np.isfinite(values).all()
    assert (scene.scales > 0).all()
    np.testing.assert_allclose(np.linalg.norm(scene.quats, axis=1), 1, atol=1e-5)
    assert scene.opacities.min() >= 0
    assert scene.opacities.max() <= 1


@pytest.mark.parametrize("name", list(BUILTINS))
def test_seed_decides_every_byte(scenes, name):
    again = builtin_scene(name).make(20_000, 3, 0)
    other = builtin_scene(name).make(20_000, 3, 1)
    for field in ("means", "scales", "quats", "opacities", "sh"):
        assert getattr(again, field).tobytes() == getattr(scenes[name], field).tobytes()
    assert not np.array_equal(other.means, again.means)


@pytest.mark.parametrize("degree", [0, 1, 2])
def test_degree_only_adds_bands(scenes, degree):
    scene = builtin_scene("object").make(20_000, degree, 0)
    assert scene.sh_degree == degree
    np.testing.assert_array_equal(scene.sh, scenes["object"].sh[:, : (degree + 1) ** 2])


@pytest.mark.parametrize("count", [1000, 1001, 54_321])
def test_any_count(count):
    assert len(builtin_scene("room").make(count, 0, 3)) == count


@pytest.mark.parametrize("name", list(BUILTINS))
def test_statistics_lie_among_trained_scenes(scenes, name):
    """Bands around biker, logo and playbot (docs/scenes.md), 15 % wider on each side."""
    found = scene_statistics(scenes[name])
    bands = {
        ("anisotropy", "p10"): (4.6, 5.6), ("anisotropy", "p50"): (17.4, 21.1),
        ("anisotropy", "p90"): (57, 128), ("elongation", "p50"): (3.0, 6.6),
        ("elongation", "p90"): (8.5, 26), ("opacity", "p10"): (0.04, 0.24),
        ("opacity", "p50"): (0.17, 0.83), ("opacity", "p90"): (0.85, 0.98),
    }  # fmt: skip
    for (field, percentile), (low, high) in bands.items():
        value = getattr(found, field)[percentile]
        assert low / 1.15 <= value <= high * 1.15, (field, percentile, value)


def test_room_is_open_in_front_and_closed_behind(scenes):
    x, y, z = scenes["room"].means.T
    inner = (np.abs(x) < 2.5) & (y > -2.5) & (y < -0.3)
    assert np.mean(z[inner] > 2.25) > 0.05  # the back wall
    assert np.mean(z[inner] < -1.9) < 0.002
    assert np.mean((y > -0.02) & (y < 0.02)) > 0.1  # the floor


def test_own_views_stand_inside_the_room():
    path = builtin_scene("room").views(BuiltinViews(views=5))
    assert path.views == 5
    for key in path.keyframes:
        x, y, z = key.position
        assert -3 < x < 3
        assert -2.7 < y < 0
        assert -2.3 < z < 2.3


def test_unknown_name_suggests():
    with pytest.raises(ConfigError, match=r"did you mean 'room'\?(.|\n)*builtin:object"):
        builtin_scene("rooms")


def test_patch_gaussians_are_flat_and_stay_inside():
    stage = alone(patch((0, 0, 0), (2, 0, 0), (0, 0, 1), GREY))
    means, scales, quats, _, _ = gaussians_on(stage, 4000, 0, seed=1)
    inside = np.abs(means[:, 1]) < 1e-9
    assert inside.mean() > 0.98  # but for the strays
    assert (means[inside][:, 0] >= 0).all()
    assert (means[inside][:, 0] <= 2).all()
    w, x, y, z = quats.T
    normal = np.stack([2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)], 1)
    assert np.median(np.abs(normal[:, 1])) > 0.99  # the thin axis is the surface's normal
    assert (scales[:, 2] <= scales[:, :2].min(axis=1) + 1e-9).all()
    left = (means[inside][:, 0] < 1).mean()
    assert left == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(
    ("surface", "area"),
    [
        (lathe((0, 0, 0), [(1, 2), (1, 0)], GREY), 4 * pi),
        (rounded((0, 0, 0), (2, 2, 2), GREY, roundness=1.0), 4 * pi),
        (patch((0, 0, 0), (3, 0, 0), (0, 2, 0), GREY), 6),
    ],
)
def test_gaussians_share_by_area(surface, area):
    unit = patch((9, 0, 0), (0, 1, 0), (0, 0, 1), GREY)
    means, *_ = gaussians_on(alone(surface, unit), 20_000, 0, seed=2)
    own = (means[:, 0] < 8).sum()
    assert own / (20_000 - own) == pytest.approx(area, rel=0.03)


def test_sphere_is_covered_evenly():
    ball = rounded((0, 0, 0), (2, 2, 2), GREY, roundness=1.0)
    means, *_ = gaussians_on(alone(ball), 20_000, 0, seed=3)
    # Archimedes: equal slabs of a sphere have equal areas
    for axis in range(3):
        counts, _ = np.histogram(means[:, axis], bins=8, range=(-1, 1))
        np.testing.assert_allclose(counts, 2500, rtol=0.12)


def test_box_faces_look_outwards():
    for part in box((0, 0, 0), (1, 2, 3), GREY, turn_deg=30, faces="nsweud"):
        half = np.array([0.5])
        middle = part.point(half, half)[0]
        du = part.point(half + 0.1, half)[0] - middle
        dv = part.point(half, half + 0.1)[0] - middle
        assert np.cross(du, dv) @ middle > 0


def test_wall_leaves_its_holes_free():
    parts = wall((0, 0, 0), (2, 0, 0), (0, 4, 0), GREY, [(0.25, 0.5, 0.5, 0.75)])
    grid = np.random.default_rng(4).random((500, 2))
    points = np.concatenate([p.point(*grid.T) for p in parts])
    x, y = points[:, 0] / 2, points[:, 1] / 4
    assert not ((x > 0.28) & (x < 0.47) & (y > 0.52) & (y < 0.73)).any()
    for u, v in ((0.1, 0.1), (0.4, 0.4), (0.4, 0.9), (0.9, 0.6)):
        assert (np.hypot(x - u, y - v) < 0.05).any()


def test_highlight_shines_towards_the_mirrored_light():
    """Light straight above a glossy floor: brightest when looking straight down."""
    floor = patch((-1, 0, -1), (2, 0, 0), (0, 0, 2), GREY, gloss=1.0)
    lamp = Light((0.0, -50.0, 0.0), 0.0, 1.0)
    *_, sh = gaussians_on(alone(floor, lights=(lamp,)), 2000, 3, seed=5)
    directions = np.array([[0, 1, 0], [0.6, 0.8, 0], [1, 0, 0]])
    red = (sh_basis(directions, 3)[:, 1:] @ sh[:, 1:, 0].mean(axis=0)).tolist()
    assert red[0] > red[1] > red[2]
    assert red[0] > 0


def test_a_blocker_casts_a_shadow():
    floor = patch((-1, 0, -1), (2, 0, 0), (0, 0, 2), GREY)
    lamp = Light((0.0, -3.0, 0.0), 0.0, 0.5)
    stage = Stage([floor], [lamp], [((-0.3, -1.1, -0.3), (0.3, -1.0, 0.3))], ())
    means, _, _, _, sh = gaussians_on(stage, 5000, 0, seed=6)
    reach = np.hypot(means[:, 0], means[:, 2])
    under, beside = sh[reach < 0.35, 0].mean(), sh[reach > 0.8, 0].mean()
    assert under < beside - 0.3
