"""The tile raster's trace: the work of each kernel, and that it adds up."""

import numpy as np
import pytest

from archsim.traces.gs3d.images import to_uint8
from archsim.traces.gs3d.reference import render_reference
from archsim.traces.gs3d.tile_raster import record_tile_raster
from archsim.traces.trace import Trace


@pytest.fixture(scope="module")
def recorded(make_scene, make_camera):
    scene, camera = make_scene(1000, 2, spread=2.0, log_scale=-1.5), make_camera(70, 50)
    reference = render_reference(scene, camera)
    return scene, camera, reference, record_tile_raster(scene, camera, reference)


def test_sizes_and_totals(recorded):
    _, _, reference, trace = recorded
    meta, columns = trace.meta, trace.columns
    assert trace.kind == "gs3d/tile-raster"
    assert (meta["gaussians"], meta["width"], meta["height"]) == (1000, 70, 50)
    assert (meta["tile"], meta["tiles_x"], meta["tiles_y"]) == (16, 5, 4)
    assert (meta["sh_degree"], meta["parameters_per_gaussian"]) == (2, 38)
    assert 0 < meta["visible"] < meta["in_front"] < meta["gaussians"]
    assert meta["visible"] == len(columns["visible.index"]) == len(reference.projected)
    assert meta["pairs"] == len(columns["pair.gaussian"]) == columns["tile.start"][-1]
    assert meta["counts"]["pixels"] == 70 * 50
    assert meta["counts"]["tiles"] == 20
    for name in (
        "pairs", "consumed", "fetched", "alpha_tests", "alpha_passed", "blends", "saturated",
        "warp_iterations", "warp_blend_iterations",
    ):  # fmt: skip
        column = columns[f"tile.{name}"]
        assert column.shape == (20,)
        assert column.sum() == meta["counts"][name]
    assert meta["quality"] == {"exact": True, "psnr_db": None, "ssim": 1.0, "errors": {}}
    assert np.array_equal(columns["image"], to_uint8(reference.image))


def test_blocks_of_256_threads(recorded):
    scene, camera, _, trace = recorded
    depth = scene.means @ camera.world_to_camera[2, :3] + camera.world_to_camera[2, 3]
    edges = np.arange(0, 1024, 256)
    in_front = [(depth[e : e + 256] > 0.2).sum() for e in edges]
    assert trace.columns["block.in_front"].tolist() == in_front
    visible = np.histogram(trace.columns["visible.index"], [*edges, 1024])[0]
    assert trace.columns["block.visible"].tolist() == visible.tolist()
    owner = trace.columns["visible.index"][trace.columns["pair.gaussian"]]
    pairs = np.histogram(owner, [*edges, 1024])[0]
    assert trace.columns["block.pairs"].tolist() == pairs.tolist()


def test_order_of_the_work_in_a_tile(recorded):
    columns = recorded[3].columns
    assert (columns["tile.consumed"] <= columns["tile.fetched"]).all()
    assert (columns["tile.fetched"] <= columns["tile.pairs"]).all()
    whole = columns["tile.fetched"] % 256 == 0
    assert (whole | (columns["tile.fetched"] == columns["tile.pairs"])).all()
    assert (columns["tile.fetched"] - columns["tile.consumed"] < 256).all()
    assert (columns["tile.blends"] <= columns["tile.alpha_passed"]).all()
    assert (columns["tile.alpha_passed"] <= columns["tile.alpha_tests"]).all()
    assert (columns["tile.alpha_tests"] <= 32 * columns["tile.warp_iterations"]).all()
    assert (columns["tile.blends"] <= 32 * columns["tile.warp_blend_iterations"]).all()
    assert (columns["tile.warp_iterations"] <= 8 * columns["tile.consumed"]).all()
    assert np.array_equal(np.diff(columns["tile.start"]), columns["tile.pairs"])


def test_colours_are_read_for_entries_that_blend(recorded):
    columns = recorded[3].columns
    blended = np.add.reduceat(
        np.append(columns["pair.blended"], 0).astype(np.int64), columns["tile.start"][:-1]
    ) * (columns["tile.pairs"] > 0)
    assert 0 < blended.sum() < columns["tile.consumed"].sum()
    assert (blended <= columns["tile.consumed"]).all()
    assert (blended <= columns["tile.warp_blend_iterations"]).all()
    assert (columns["tile.warp_blend_iterations"] <= 8 * blended).all()
    assert recorded[3].meta["counts"]["colour_reads"] == blended.sum()


@pytest.mark.parametrize(
    ("width", "height", "key_bits", "passes"),
    # 1 tile needs one bit, 255 eight, 256 nine; 8160 tiles of 1080p thirteen: 45 bits, 6 passes
    [(16, 16, 33, 5), (17 * 16, 15 * 16, 40, 5), (256, 256, 41, 6), (1920, 1080, 45, 6)],
)
def test_sort_key(width, height, key_bits, passes, make_scene, make_camera):
    scene, camera = make_scene(10), make_camera(width, height)
    meta = record_tile_raster(scene, camera, render_reference(scene, camera)).meta
    assert (meta["key_bits"], meta["sort_passes"]) == (key_bits, passes)


def test_survives_its_file(recorded, tmp_path):
    trace = recorded[3]
    trace.save(tmp_path / "trace.npz")
    loaded = Trace.load(tmp_path / "trace.npz")
    assert loaded.meta == trace.meta
    assert loaded.columns.keys() == trace.columns.keys()
    for name, column in trace.columns.items():
        assert np.array_equal(column, loaded.columns[name])
        assert column.dtype == loaded.columns[name].dtype
