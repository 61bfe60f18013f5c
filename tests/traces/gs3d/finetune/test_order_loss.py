"""The boundary loss by pixel against plain Python, its gradient against differences."""

import numpy as np
import pytest

from archsim.traces.gs3d.blend import INRIA_RULE
from archsim.traces.gs3d.finetune.lists import make_stream, stream_lists
from archsim.traces.gs3d.finetune.order_loss import order_loss
from archsim.traces.gs3d.finetune.raster import rasterise
from archsim.traces.gs3d.projection import project
from archsim.traces.gs3d.streaminggs.grid import build_grid
from archsim.traces.gs3d.streaminggs.render import gaussian_features

WIDTH, HEIGHT = 24, 20


@pytest.fixture(scope="module")
def case(make_scene, make_camera):
    scene, camera = make_scene(50, log_scale=-1.9, seed=3), make_camera(WIDTH, HEIGHT)
    grid, projected = build_grid(scene.means, "extent/4"), project(scene, camera)
    stream = make_stream(grid, scene.means, camera, group=(16, 16), order="l1")
    return projected, stream_lists(stream, projected, len(scene))


def alpha_of(f, x, y):
    dx, dy = f[0] - x, f[1] - y
    power = -(0.5 * f[2] * dx * dx + 0.5 * f[4] * dy * dy) - f[3] * dx * dy
    return f[5] * np.exp(power) if power <= 0 else 0.0


def plain(features, projected, lists):
    """Weight, misordered weight, and (pixel, Gaussian in front) -> weight that it strikes."""
    start, entries = lists
    across = -(-WIDTH // 16)
    weight = misordered = 0.0
    struck = {}
    for y in range(HEIGHT):
        for x in range(WIDTH):
            tile = y // 16 * across + x // 16
            left, deepest = 1.0, None
            for v in entries[start[tile] : start[tile + 1]]:
                alpha = min(0.99, alpha_of(features[v], x, y))
                if alpha < 1 / 255:
                    continue
                if left * (1 - alpha) < 1e-4:
                    break
                weight += left * alpha
                if deepest is not None and projected.depth[v] < projected.depth[deepest]:
                    misordered += left * alpha
                    key = (x, y, int(deepest))
                    struck[key] = struck.get(key, 0.0) + left * alpha
                else:
                    deepest = v
                left *= 1 - alpha
    return weight, misordered, struck


def found(features, projected, lists):
    raster = rasterise(features, lists, WIDTH, HEIGHT, INRIA_RULE, precision=np.float64)
    return order_loss(raster, features, projected.depth, lists, projected.tile_rect, INRIA_RULE)


def test_loss_and_share_are_those_of_plain_python(case):
    projected, lists = case
    features = gaussian_features(projected).astype(np.float64)
    weight, misordered, struck = plain(features, projected, lists)
    ours = found(features, projected, lists)
    assert misordered > 0.02 * weight
    assert ours.misordered == pytest.approx(misordered / weight, rel=1e-9)
    loss = sum(min(0.99, alpha_of(features[v], x, y)) * s for (x, y, v), s in struck.items())
    assert ours.loss == pytest.approx(loss / weight, rel=1e-9)


def test_the_gradient_is_the_difference_s_limit_with_what_is_struck_held(case):
    projected, lists = case
    features = gaussian_features(projected).astype(np.float64)
    weight, _, struck = plain(features, projected, lists)
    gradient = found(features, projected, lists).gradient

    def held(changed):
        return sum(alpha_of(changed[v], x, y) * s for (x, y, v), s in struck.items()) / weight

    strikers = {v for _, _, v in struck}
    assert len(strikers) > 5
    for v in range(len(features)):
        for column, feature in enumerate((2, 3, 4, 5)):  # conic, opacity
            step = 1e-6 * max(1.0, abs(features[v, feature]))
            ends = []
            for sign in (-1, 1):
                changed = features.copy()
                changed[v, feature] += sign * step
                ends.append(held(changed))
            limit = (ends[1] - ends[0]) / (2 * step)
            assert gradient[v, column] == pytest.approx(limit, rel=1e-4, abs=1e-10)
        assert v in strikers or not gradient[v].any()
    assert not gradient[:, 4:].any()  # colours have no part in it


def test_exact_order_costs_nothing(case):
    projected, _ = case
    from archsim.traces.gs3d.sorting import tile_lists

    lists = tile_lists(projected, -(-WIDTH // 16), -(-HEIGHT // 16))
    ours = found(gaussian_features(projected).astype(np.float64), projected, lists)
    assert ours.loss == ours.misordered == 0.0
    assert not ours.gradient.any()
