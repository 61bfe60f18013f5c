"""The differentiable rasteriser: its image is the renderers', its gradient a difference's limit."""

import math

import numba
import numpy as np
import pytest

from archsim.traces.gs3d.blend import INRIA_RULE
from archsim.traces.gs3d.finetune.gradients import parameter_gradients
from archsim.traces.gs3d.finetune.lists import make_stream, stream_lists
from archsim.traces.gs3d.finetune.parameters import Parameters, activate, parameters_of
from archsim.traces.gs3d.finetune.raster import rasterise, rasterise_backward
from archsim.traces.gs3d.harmonics import sh_colour
from archsim.traces.gs3d.projection import RULES, covariance2d, project, view_of
from archsim.traces.gs3d.quality import psnr_db
from archsim.traces.gs3d.reference import BLEND_RULES, TILE, render_reference
from archsim.traces.gs3d.sorting import tile_lists
from archsim.traces.gs3d.streaminggs.grid import build_grid
from archsim.traces.gs3d.streaminggs.record import StreamingGsParameters, record_streaminggs
from archsim.traces.gs3d.streaminggs.render import gaussian_features

BACKGROUND = (0.3, 0.5, 0.2)


def lists_of(projected, camera):
    return tile_lists(projected, -(-camera.width // TILE), -(-camera.height // TILE))


@pytest.mark.parametrize("variant", ["inria", "gsplat"])
def test_the_reference_lists_give_the_reference_image(make_scene, make_camera, variant):
    scene, camera = make_scene(3000, degree=2, log_scale=-2.5), make_camera(75, 53)
    reference = render_reference(scene, camera, variant=variant, background=BACKGROUND)
    projected = reference.projected
    raster = rasterise(
        gaussian_features(projected), (reference.tile_start, reference.pair_visible),
        75, 53, BLEND_RULES[variant], BACKGROUND,
    )  # fmt: skip
    assert np.array_equal(raster.image, reference.image)
    assert np.array_equal(raster.transmittance, reference.transmittance)


def test_the_streaming_lists_give_the_streamed_image(make_scene, make_camera):
    """But for the subtile test of GSCore's renderer, which drops alphas below 0.011."""
    scene, camera = make_scene(4000, log_scale=-2.5), make_camera(150, 90)
    reference = render_reference(scene, camera)
    grid = build_grid(scene.means, "extent/6")
    stream = make_stream(grid, scene.means, camera, group=(64, 32), order="dag")
    lists = stream_lists(stream, reference.projected, len(scene))
    raster = rasterise(gaussian_features(reference.projected), lists, 150, 90, INRIA_RULE)
    parameters = StreamingGsParameters("extent/6", (64, 32))
    streamed = record_streaminggs(scene, camera, reference, parameters).columns["image"] / 255.0
    ours = np.clip(raster.image, 0, 1)
    assert psnr_db(ours, streamed) > 50  # bytes alone give 59
    assert psnr_db(ours, np.clip(reference.image, 0, 1)) < 40  # and the order shows


class Small:
    """A scene in float64 whose loss is a fixed random combination of the image."""

    def __init__(self, scene, camera, seed=5):
        self.scene, self.camera = scene, camera
        self.view = view_of(camera, RULES["inria"], TILE)
        self.projected = project(scene, camera)
        self.lists = lists_of(self.projected, camera)
        self.weights = np.random.default_rng(seed).normal(size=(camera.height, camera.width, 3))
        self.parameters = Parameters(
            *(np.asarray(array, np.float64) for _, array in parameters_of(scene).items())
        )

    def features(self, p):
        """Exact features of the visible Gaussians, straight from the projection's functions."""
        m = self.camera.world_to_camera
        rows = []
        for v, i in enumerate(self.projected.index):
            mean = self.scene.means[i].astype(np.float64)
            at = m[:3, :3] @ mean + m[:3, 3]
            scale = np.exp(p.scale[i])
            xx, xy, yy = covariance2d(*at, scale, p.rotation[i], m, self.view, RULES["inria"])
            det = xx * yy - xy * xy
            away = mean - self.camera.position
            coefficients = np.concatenate([p.dc[i][None], p.sh[i]])
            rgb = sh_colour(coefficients, *(away / np.linalg.norm(away)))
            opacity = 1.0 / (1.0 + math.exp(-p.opacity[i]))
            mean2d = self.projected.mean2d[v].astype(np.float64)
            rows.append([*mean2d, yy / det, -xy / det, xx / det, opacity, *rgb])
        return np.array(rows)

    def raster(self, p):
        return rasterise(
            self.features(p), self.lists, self.camera.width, self.camera.height, INRIA_RULE,
            BACKGROUND, np.float64,
        )  # fmt: skip

    def loss(self, p):
        return float(np.sum(self.weights * self.raster(p).image))

    def gradient(self):
        features = self.features(self.parameters)
        by_feature = rasterise_backward(
            self.raster(self.parameters), self.weights, features, self.lists,
            self.projected.tile_rect, INRIA_RULE, BACKGROUND,
        )  # fmt: skip
        return parameter_gradients(
            self.scene.means, self.parameters, self.camera, "inria", self.projected.index,
            features, by_feature,
        )  # fmt: skip

    def moved(self, kind, place, by):
        arrays = {name: array.copy() for name, array in self.parameters.items()}
        arrays[kind][place] += by
        return Parameters(**arrays)


@pytest.fixture(scope="module")
def small(make_scene, make_camera):
    # dense enough that pixels saturate, far enough that opacities reach the clamp at 0.99
    scene = make_scene(60, degree=3, seed=2, spread=0.5, log_scale=-1.6)
    scene.opacities[:6] = 0.999
    scene.sh[10:14, 0] = -3.0  # black: the colour's clamp
    return Small(scene, make_camera(37, 29))


@pytest.mark.parametrize("kind", ["opacity", "scale", "rotation", "dc", "sh"])
def test_gradients_are_the_limits_of_central_differences(small, kind):
    gradient = dict(small.gradient().items())[kind]
    random = np.random.default_rng(11)
    places = [tuple(random.integers(n) for n in gradient.shape) for _ in range(40)]
    step = 1e-6
    found = []
    for place in places:
        up, down = (
            small.loss(small.moved(kind, place, step)),
            small.loss(small.moved(kind, place, -step)),
        )
        found.append((up - down) / (2 * step))
    ours = np.array([gradient[place] for place in places])
    assert np.abs(ours).max() > 1e-2
    # a threshold on alpha that a step crosses makes a jump: none does here
    np.testing.assert_allclose(ours, found, rtol=2e-5, atol=2e-5 * np.abs(ours).max())


def test_gradients_do_not_depend_on_threads(make_scene, make_camera):
    scene, camera = make_scene(2000, degree=1, log_scale=-2.5), make_camera(100, 80)
    projected = project(scene, camera)
    features, lists = gaussian_features(projected), lists_of(projected, camera)
    upstream = np.random.default_rng(0).normal(size=(80, 100, 3)).astype(np.float32)
    found = []
    before = numba.get_num_threads()
    try:
        for threads in (1, numba.config.NUMBA_NUM_THREADS):
            numba.set_num_threads(threads)
            raster = rasterise(features, lists, 100, 80, INRIA_RULE)
            by_feature = rasterise_backward(
                raster, upstream, features, lists, projected.tile_rect, INRIA_RULE
            )
            found.append(
                parameter_gradients(
                    scene.means,
                    parameters_of(scene),
                    camera,
                    "inria",
                    projected.index,
                    features,
                    by_feature,
                )
            )
    finally:
        numba.set_num_threads(before)
    for (_, one), (_, many) in zip(found[0].items(), found[1].items(), strict=True):
        assert np.array_equal(one, many)


def test_activation_undoes_the_parameters(make_scene):
    scene = make_scene(500, degree=2)
    again = activate(parameters_of(scene), scene)
    for name in ("means", "scales", "quats", "opacities", "sh"):
        np.testing.assert_allclose(getattr(again, name), getattr(scene, name), rtol=3e-6, atol=2e-7)
