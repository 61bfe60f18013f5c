"""INRIA's rasteriser as kernels: bytes against the published formula, counts, and limits."""

import numpy as np
import pytest

from archsim.arch.load import load_machine
from archsim.base.errors import ConfigError
from archsim.sim.gpu.device import Device
from archsim.sim.gs3d.tile_raster import METHOD, TileRasterConfig
from archsim.sim.gs3d.tile_raster_costs import (
    BRANCHING_SHARE,
    COSTS,
    TEST_CHAIN_CYCLES,
    assumed_costs,
)
from archsim.sim.gs3d.tile_raster_kernels import tile_raster_kernels
from archsim.traces.trace import Trace

TILE = 256  # pixels


def trace(gaussians=4096, share=1.0, width=64, height=48, seed=0, degree=3, consumed=1.0):
    """Draw a trace: each visible Gaussian touches one to four tiles."""
    rng = np.random.default_rng(seed)
    index = np.flatnonzero(rng.random(gaussians) < share).astype(np.int32)
    tiles = -(-width // 16) * -(-height // 16)
    touched = rng.integers(1, 5, index.size)
    visible = np.repeat(np.arange(index.size), touched)
    order = np.argsort(rng.integers(0, tiles, visible.size) + 0.0, kind="stable")
    tile_of = np.sort(rng.integers(0, tiles, visible.size))
    start = np.searchsorted(tile_of, np.arange(tiles + 1))
    pairs = np.diff(start)
    used = np.ceil(pairs * consumed).astype(np.int64)
    block = np.bincount(index // 256, minlength=-(-gaussians // 256))
    return Trace(
        "gs3d/tile-raster",
        {"gaussians": gaussians, "visible": index.size, "pairs": visible.size, "width": width,
         "height": height, "sh_degree": degree, "key_bits": 32 + tiles.bit_length()},
        {
            "block.in_front": block, "visible.index": index,
            "pair.gaussian": visible[order].astype(np.int32), "tile.start": start,
            "pair.blended": np.ones(visible.size, np.uint8),
            "tile.pairs": pairs, "tile.consumed": used,
            "tile.fetched": np.minimum(pairs, -(-used // 256) * 256),
            "tile.alpha_tests": used * TILE, "tile.blends": used * 20,
            "tile.warp_iterations": used * 8, "tile.warp_blend_iterations": used * 3,
        },
    )  # fmt: skip


def moved(kernels):
    """Bytes by stream, reads and writes apart."""
    found = {}
    for kernel in kernels:
        for streams, way in ((kernel.reads, "read"), (kernel.writes, "write")):
            for stream in streams:
                key = f"{stream.name}/{way}"
                found[key] = found.get(key, 0) + int(stream.runs.size.sum())
    return found


@pytest.fixture(scope="module")
def device():
    return Device.of(load_machine("orin-nx-16gb"), "MAXN")


def test_bytes_equal_the_published_formula_when_all_are_visible(device):
    recorded = trace()
    P, D, pixels = 4096, recorded.meta["pairs"], 64 * 48
    got = moved(tile_raster_kernels(recorded, device, "onesweep"))
    assert got.pop("preprocess.means/read") == 12 * P
    assert got.pop("preprocess.shape/read") == (12 + 16 + 4) * P
    assert got.pop("preprocess.harmonics/read") == 192 * P
    assert got.pop("preprocess.radius_tiles/write") == 8 * P
    # depth, clamped, centre, conic with opacity, colour; the covariance apart
    assert got.pop("preprocess.features/write") == (4 + 3 + 8 + 16 + 12) * P
    assert got.pop("preprocess.covariance/write") == 24 * P
    assert got.pop("scan.tiles/read") == got.pop("scan.offsets/write") == 4 * P
    assert got.pop("duplicate.radius/read") == 4 * P
    assert got.pop("duplicate.features/read") == (4 + 8 + 4) * P
    assert got.pop("duplicate.pairs/write") == 12 * D
    assert got.pop("sort.histogram/read") == 8 * D
    passes = -(-recorded.meta["key_bits"] // 8)
    assert got.pop("sort.pairs/read") == got.pop("sort.pairs/write") == passes * 12 * D
    assert got.pop("ranges.keys/read") == 8 * D
    assert got.pop("ranges.tiles/write") == 8 * 12
    assert got.pop("render.pixels/write") == 20 * pixels
    # the L2 holds all features here: each sector once, and the sorted list
    features = (8 + 16 + 12) * P
    assert features + 4 * D <= got.pop("render.gathers/read") <= features + 4 * D + 32 * 13
    assert not got


def test_no_colour_is_read_for_what_does_not_blend(device):
    recorded = trace()
    recorded.columns["pair.blended"][:] = 0
    D = recorded.meta["pairs"]
    render = tile_raster_kernels(recorded, device, "onesweep")[-1]
    features = (8 + 16) * 4096
    assert features + 4 * D <= moved([render])["render.gathers/read"]
    assert moved([render])["render.gathers/read"] <= features + 4 * D + 32 * 13


def test_the_two_sweep_sort_reads_keys_again_in_every_pass(device):
    recorded = trace()
    D = recorded.meta["pairs"]
    got = moved(tile_raster_kernels(recorded, device, "two-sweep"))
    passes = -(-recorded.meta["key_bits"] // 7)
    assert got["sort.histogram/read"] == passes * 8 * D
    assert got["sort.pairs/read"] == got["sort.pairs/write"] == passes * 12 * D


def test_sparse_visibility_moves_whole_sectors_but_no_more(device):
    recorded = trace(share=0.05)
    V = recorded.meta["visible"]
    got = moved(tile_raster_kernels(recorded, device, "onesweep"))
    assert got["preprocess.means/read"] == 12 * 4096
    assert got["preprocess.harmonics/read"] == 192 * V  # six whole sectors each
    assert (4 + 3 + 8 + 16 + 12) * V < got["preprocess.features/write"] <= 5 * 64 * V


def test_harmonics_follow_the_degree(device):
    for degree, size in ((0, 12), (1, 48), (2, 108)):
        got = moved(tile_raster_kernels(trace(degree=degree), device, "onesweep"))
        assert got["preprocess.harmonics/read"] == size * 4096


def test_early_termination_saves_gathers_and_work(device):
    whole = tile_raster_kernels(trace(16384), device, "onesweep")[-1]
    half = tile_raster_kernels(trace(16384, consumed=0.4), device, "onesweep")[-1]
    assert half.totals.l2_bytes < whole.totals.l2_bytes
    assert int(half.duration_ps.sum()) < int(whole.duration_ps.sum())


def test_the_render_kernel_counts_warps_for_time_and_lanes_for_energy(device):
    recorded = trace()
    kernel = tile_raster_kernels(recorded, device, "onesweep")[-1]
    column, cost = recorded.columns, {name: c.instructions.value for name, c in COSTS.items()}
    batches = -(-column["tile.fetched"] // 256)
    expected = (
        8 * cost["render/pixel"] + 8 * batches * cost["render/fetch"]
        + column["tile.warp_iterations"] * cost["render/test"]
        + column["tile.warp_blend_iterations"] * cost["render/blend"]
    )  # fmt: skip
    # 12 tiles on 8 multiprocessors: none is done before its own tiles' slots were issued
    cycles = expected / (4 * 0.94 * BRANCHING_SHARE.value)
    longest = kernel.duration_ps.reshape(-1, 8).sum(axis=0).max() * 0.918e-3
    assert cycles.max() <= longest <= cycles.sum()
    assert kernel.totals.sfu == int(column["tile.alpha_tests"].sum())


def test_a_lone_tile_lasts_as_long_as_its_entries_one_after_the_other(device):
    recorded = trace(gaussians=2000, width=16, height=16)
    kernel = tile_raster_kernels(recorded, device, "onesweep")[-1]
    chain = recorded.columns["tile.consumed"][0] * TEST_CHAIN_CYCLES.value
    assert kernel.duration_ps.sum() * 0.918e-3 >= chain


@pytest.mark.parametrize("sort", ["onesweep", "two-sweep"])
@pytest.mark.parametrize("size", [(64, 48), (70, 41)])
def test_builds_at_any_resolution_and_sort(device, sort, size):
    recorded = trace(1000, 0.5, *size)
    program = METHOD.program(recorded, load_machine("orin-nx-16gb"), "15W",
                             TileRasterConfig(sort=sort))  # fmt: skip
    assert program.tasks < 15_000
    written = moved(tile_raster_kernels(recorded, device, sort))["render.pixels/write"]
    assert written == 20 * size[0] * size[1]


def test_an_accelerator_is_refused():
    from archsim.arch.load import list_machines
    from archsim.arch.machine import Accelerator

    accelerators = [m for m in map(load_machine, list_machines()) if isinstance(m, Accelerator)]
    if not accelerators:
        pytest.skip("no accelerator machine is shipped")
    with pytest.raises(ConfigError, match="is an accelerator"):
        METHOD.program(trace(), accelerators[0], None, TileRasterConfig())


def test_every_estimate_is_marked_and_listed():
    assert all(cost.instructions.assumed for cost in COSTS.values())
    assert len(assumed_costs()) == len(COSTS) + 4
    assert METHOD.assumed()["tile_raster.render/test.instructions"].startswith("29 [24, 36]")


def test_a_rendered_frame_runs_from_scene_to_seconds():
    from archsim.sim.kernel import execute
    from archsim.sim.simulate import row_dram
    from archsim.traces.gs3d.camera import Camera
    from archsim.traces.gs3d.reference import render_reference
    from archsim.traces.gs3d.scene import Scene

    rng = np.random.default_rng(5)
    count = 500
    quats = rng.normal(size=(count, 4))
    scene = Scene(
        means=rng.uniform([-1, -1, 3], [1, 1, 6], (count, 3)).astype(np.float32),
        scales=rng.uniform(0.01, 0.2, (count, 3)).astype(np.float32),
        quats=(quats / np.linalg.norm(quats, axis=1, keepdims=True)).astype(np.float32),
        opacities=rng.uniform(0.1, 1, count).astype(np.float32),
        sh=rng.normal(size=(count, 4, 3)).astype(np.float32), name="random",
    )  # fmt: skip
    camera = Camera(80, 48, 60.0, 60.0, 40.0, 24.0, np.eye(4))
    config = TileRasterConfig()
    recorded = METHOD.record(scene, camera, render_reference(scene, camera), config)
    gpu = load_machine("orin-nx-16gb")
    times = {}
    for mode in ("MAXN", "15W"):
        program = METHOD.program(recorded, gpu, mode, config)
        schedule = execute(program, row_dram(gpu, mode))
        # whole bursts: at least the runs' own bytes
        assert int(schedule.dram_bytes.sum()) >= int(program.runs.size.sum())
        times[mode] = schedule.makespan_ps
    assert times["MAXN"] < times["15W"]
