"""The image loss, Adam, and L_CBP's T: against differences, closed forms and brute force."""

import numpy as np
import pytest

from archsim.traces.gs3d.finetune.adam import Adam
from archsim.traces.gs3d.finetune.lists import make_stream, mis_ordered
from archsim.traces.gs3d.finetune.loss import image_loss
from archsim.traces.gs3d.finetune.settings import LEARNING_RATES, Settings, learning_rate
from archsim.traces.gs3d.projection import project
from archsim.traces.gs3d.streaminggs.grid import build_grid
from archsim.traces.gs3d.streaminggs.order import order_voxels, voxel_distances
from archsim.traces.gs3d.streaminggs.rays import trace_rays


@pytest.fixture
def images():
    random = np.random.default_rng(4)
    return random.uniform(0.05, 0.95, (2, 17, 23, 3))


@pytest.mark.parametrize("weight", [0.0, 0.2, 1.0])
def test_the_loss_gradient_is_the_limit_of_differences(images, weight):
    image, target = images
    _, gradient = image_loss(image, target, weight)
    random, step = np.random.default_rng(5), 1e-6
    for _ in range(25):
        place = tuple(random.integers(n) for n in image.shape)
        found = []
        for by in (step, -step):
            moved = image.copy()
            moved[place] += by
            found.append(image_loss(moved, target, weight)[0])
        assert gradient[place] == pytest.approx((found[0] - found[1]) / (2 * step), rel=1e-4)


def test_the_loss_of_the_displayed_target_is_zero_and_does_not_pull(images):
    beyond = images[0] + 1.0  # displayed as white, as its target
    loss, gradient = image_loss(beyond, beyond + 0.5, 0.2)
    assert loss == pytest.approx(0.0, abs=1e-12)
    assert np.abs(gradient).max() < 1e-12


def test_adams_first_step_is_its_rate_against_the_sign():
    """Kingma and Ba: both moments are unbiased, so the first ratio is the gradient's sign."""
    array = np.zeros(4, np.float32)
    Adam((4,)).update(array, np.array([1e-9, -3.0, 0.5, 0.0]), 0.01, 1)
    np.testing.assert_allclose(array, [-0.01, 0.01, -0.01, 0.0], rtol=1e-5)


def test_adam_finds_the_minimum_of_a_parabola():
    array, adam = np.array([3.0, -2.0], np.float32), Adam((2,))
    for step in range(1, 400):
        adam.update(array, 2.0 * (array - [1.0, 0.5]), 0.05, step)
    np.testing.assert_allclose(array, [1.0, 0.5], atol=1e-3)


def test_rates_fall_from_the_published_ones_to_nearly_nothing():
    settings = Settings(steps=100, learning_rate=1.0)
    for kind, rate in LEARNING_RATES.items():
        assert learning_rate(kind, 1, settings) == rate
        assert 0 < learning_rate(kind, 100, settings) < 1e-3 * rate


def test_misordered_gaussians_are_those_behind_a_deeper_one_of_their_group(make_scene, make_camera):
    scene, camera = make_scene(300, log_scale=-2.5), make_camera(96, 64)
    grid, projected = build_grid(scene.means, "extent/4"), project(scene, camera)
    stream = make_stream(grid, scene.means, camera, group=(32, 32), order="l1")
    found = mis_ordered(stream, projected, len(scene))
    queue = order_voxels(
        trace_rays(grid, camera, group=(32, 32)), voxel_distances(grid, camera), "l1"
    )
    _, voxel_of = grid.places()
    struck, pairs = np.zeros(len(projected), int), 0
    for g in range(6):
        x0, y0 = g % 3 * 2, g // 3 * 2
        rank = {v: n for n, v in enumerate(queue.voxel[queue.start[g] : queue.start[g + 1]])}
        rect = projected.tile_rect
        inside = [
            v for v in range(len(projected))
            if voxel_of[projected.index[v]] in rank and rect[v, 0] < x0 + 2 and rect[v, 2] > x0
            and rect[v, 1] < y0 + 2 and rect[v, 3] > y0
        ]  # fmt: skip
        inside.sort(key=lambda v: (rank[voxel_of[projected.index[v]]], projected.depth[v], v))
        deepest = -np.inf
        for v in inside:
            pairs += 1
            struck[v] += projected.depth[v] < deepest
            deepest = max(deepest, projected.depth[v])
    assert found.pairs == pairs > 300
    assert np.array_equal(found.struck, struck)
    assert 0 < struck.sum() < pairs
