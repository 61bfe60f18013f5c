"""The reference renderer against published images, an independent renderer and measured counts."""

import json
import math
from dataclasses import replace

import numba
import numpy as np
import pytest
from safetensors.numpy import load_file

from archsim.base.errors import InputError, ResourceError
from archsim.traces.gs3d.camera import Camera
from archsim.traces.gs3d.formats import load_scene_file
from archsim.traces.gs3d.reference import render_reference
from archsim.traces.gs3d.scene import Scene


def f32(array):
    return np.ascontiguousarray(array, np.float32)


@pytest.mark.parametrize("case", ["tiny", "basic"])
def test_equals_images_of_gsplat_on_cuda(case, data):
    stored = load_file(data / f"gs3d/brush/{case}_case.safetensors")
    quats = stored["quats"].astype(np.float64)
    scene = Scene(
        stored["means"], f32(np.exp(stored["scales"].astype(np.float64))),
        f32(quats / np.linalg.norm(quats, axis=1, keepdims=True)),
        f32(1 / (1 + np.exp(-stored["opacities"].astype(np.float64)))), stored["coeffs"], case,
    )  # fmt: skip
    pose = np.eye(4)
    pose[:3, 3] = [-0.123, -0.456, 8.0]
    height, width = stored["out_img"].shape[:2]
    camera = Camera(width, height, width / 2, width / 2, width / 2, height / 2, pose)
    got = render_reference(scene, camera, variant="gsplat")
    assert np.abs(got.image - stored["out_img"][:, :, :3]).max() <= 1e-5
    assert np.abs(1 - got.transmittance - stored["out_img"][:, :, 3]).max() <= 1e-5
    assert got.image.max() > 0.5


@pytest.mark.parametrize("variant", ["inria", "gsplat"])
@pytest.mark.parametrize(
    ("degree", "width", "height", "log_scale"),
    [(0, 48, 32, -2.0), (1, 50, 37, -1.5), (2, 33, 17, -1.2), (3, 16, 49, -1.5), (3, 5, 3, -1.0)],
)
def test_equals_an_independent_renderer(
    variant, degree, width, height, log_scale, make_scene, make_camera, oracle
):
    scene = make_scene(120, degree, seed=width, log_scale=log_scale)
    scene = replace(scene, opacities=np.sqrt(scene.opacities))  # dense enough to end pixels
    camera = make_camera(
        width, height, focal=40.0, centre=(width * 0.45, height * 0.6), angle=0.3, distance=3.0
    )
    got = render_reference(scene, camera, variant=variant)
    image, left, counts = oracle.render(scene, camera, variant)
    assert np.abs(got.image - image).max() <= 1e-5
    assert np.abs(got.transmittance - left).max() <= 1e-5
    assert counts["alpha_passed"].sum() > counts["blends"].sum() > 0  # pixels did end
    for name, column in vars(got.counts).items():
        assert column.tolist() == counts[name].tolist(), name
        assert column.dtype == np.int64
    assert (got.tiles_x, got.tiles_y) == (math.ceil(width / 16), math.ceil(height / 16))


def test_a_wall_of_opaque_gaussians_ends_after_the_entries_it_takes(make_camera):
    # alpha is 0.5 everywhere: after 13 entries T is 2^-13 = 1.2e-4, and the 14th would take it
    # below 1e-4
    count, entries = 20, 14
    scene = Scene(
        f32(np.stack([np.zeros(count), np.zeros(count), 5 + np.arange(count)], axis=1)),
        np.full((count, 3), 1e4, np.float32), f32(np.tile([1, 0, 0, 0], (count, 1))),
        np.full(count, 0.5, np.float32), np.zeros((count, 1, 3), np.float32), "wall",
    )  # fmt: skip
    got = render_reference(scene, make_camera(20, 16, distance=0.0))
    assert got.counts.pairs.tolist() == [count, count]
    assert got.counts.consumed.tolist() == [entries, entries]
    assert got.counts.alpha_tests.tolist() == [256 * entries, 64 * entries]
    assert got.counts.blends.tolist() == [256 * (entries - 1), 64 * (entries - 1)]
    assert got.counts.saturated.tolist() == [256, 64]
    adds = [1] * (entries - 1) + [0] * (count - entries + 1)  # the last one only ends pixels
    assert got.pair_blended.tolist() == adds * 2
    assert got.counts.warp_iterations.tolist() == [8 * entries, 8 * entries]
    assert got.counts.warp_blend_iterations.tolist() == [8 * (entries - 1), 8 * (entries - 1)]
    np.testing.assert_allclose(got.transmittance, 0.5**13, rtol=1e-4)
    np.testing.assert_allclose(got.image, 0.5 * (1 - 0.5**13), rtol=1e-5)


def test_background_shows_through_what_is_left(make_scene, make_camera):
    scene, camera = make_scene(50, log_scale=-1.5), make_camera(40, 24)
    black = render_reference(scene, camera)
    sky = render_reference(scene, camera, background=(0.2, 0.4, 1.0))
    expected = black.image + black.transmittance[:, :, None] * np.float32([0.2, 0.4, 1.0])
    np.testing.assert_allclose(sky.image, expected, rtol=1e-6)
    assert (black.image[black.transmittance == 1] == 0).all()


def test_result_does_not_depend_on_threads(make_scene, make_camera):
    scene, camera = make_scene(4000, 1, log_scale=-2.5), make_camera(200, 120)
    before = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        single = render_reference(scene, camera)
    finally:
        numba.set_num_threads(before)
    many = render_reference(scene, camera)
    assert np.array_equal(single.image, many.image)
    assert np.array_equal(single.pair_visible, many.pair_visible)
    for name, column in vars(single.counts).items():
        assert np.array_equal(column, getattr(many.counts, name)), name


def test_a_camera_that_sees_nothing_is_an_error_with_its_name(make_scene, make_camera):
    camera = make_camera(64, 64, distance=-50.0, name="orbit-007")
    with pytest.raises(InputError) as caught:
        render_reference(make_scene(10), camera)
    assert caught.value.render() == (
        "camera orbit-007: none of the 10 Gaussians of random is visible\n"
        "  remedy: move or turn the camera so that it sees the scene "
        "(x right, y down, z forward)"
    )


def test_lists_that_do_not_fit_the_memory_are_refused(make_scene, make_camera, monkeypatch):
    scene, camera = make_scene(100, log_scale=3.0), make_camera(64, 64, name="inside")
    pairs = len(render_reference(scene, camera).pair_visible)
    limit = "archsim.traces.gs3d.reference.default_memory_limit_bytes"
    monkeypatch.setattr(limit, lambda: 5 * pairs)
    render_reference(scene, camera)
    monkeypatch.setattr(limit, lambda: 5 * pairs - 1)
    with pytest.raises(ResourceError, match=f"make {pairs} Gaussian-tile pairs") as caught:
        render_reference(scene, camera)
    assert caught.value.place == "camera inside"
    assert "move the camera away" in caught.value.render()


def test_progress_rises_to_one(make_scene, make_camera):
    shares = []
    render_reference(
        make_scene(20_000, log_scale=-2.0), make_camera(300, 200), progress=shares.append
    )
    assert len(shares) > 3
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def reference_camera(means, angle_deg, width=800):
    """The orbit camera that workload_reference.json defines."""
    low, high = np.percentile(means.astype(np.float64), [1, 99], axis=0)
    centre, extent, tangent = (low + high) / 2, high - low, math.tan(math.radians(25))
    distance = 1.15 * extent.max() / 2 / tangent + extent[2] / 2
    angle = math.radians(angle_deg)
    eye = centre + distance * np.array([math.sin(angle), -0.15, -math.cos(angle)])
    forward = (centre - eye) / np.linalg.norm(centre - eye)
    right = np.cross([0.0, 1.0, 0.0], forward)
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, :3] = right, np.cross(forward, right), forward
    pose[:3, 3] = -pose[:3, :3] @ eye
    focal = width / 2 / tangent
    return Camera(width, width, focal, focal, width / 2, width / 2, pose, f"orbit-{angle_deg}")


@pytest.mark.parametrize(
    "name", ["biker.compressed.ply", "playcanvas-logo", "playbot/0_0", "playbot/2_0"]
)
def test_counts_of_real_scenes(name, data):
    measured = json.loads((data / "gs3d/workload_reference.json").read_text())["rows"]
    scene = load_scene_file(data / "gs3d/playcanvas" / name)
    rows = [row for row in measured if row["scene"] == name]
    assert len(rows) == 2
    for row in rows:
        got = render_reference(scene, reference_camera(scene.means, row["orbit_angle_deg"]))
        total, pixels = got.counts.totals(), got.transmittance.size
        assert len(scene) == row["gaussians"]
        assert len(got.projected) == pytest.approx(row["visible"], rel=1e-4)
        assert total["pairs"] == pytest.approx(row["pairs"], rel=1e-4)
        lists = got.counts.pairs[got.counts.pairs > 0]
        figures = {
            # value, half a unit of the last place that the file gives
            "list_p50": (np.percentile(lists, 50), 0.5),
            "list_p90": (np.percentile(lists, 90), 0.5),
            "list_p99": (np.percentile(lists, 99), 0.5),
            "list_max": (lists.max(), 0.5),
            "alpha_tests_per_pixel": (total["alpha_tests"] / pixels, 0.05),
            "alpha_ge_1_255_fraction": (total["alpha_passed"] / total["alpha_tests"], 0.0005),
            "blends_per_pixel": (total["blends"] / pixels, 0.005),
            "saturated_pixel_fraction": (total["saturated"] / pixels, 0.0005),
        }
        for figure, (value, half_unit) in figures.items():
            assert abs(value - row[figure]) <= 0.01 * row[figure] + half_unit, figure
