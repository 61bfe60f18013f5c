"""The whole slice in hardware against the golden model, on tiles of a built-in scene."""

import numpy as np
import pytest

pytest.importorskip("amaranth")
from archsim.rtl.blocks.slice import Slice
from archsim.rtl.golden import golden_tiles
from archsim.rtl.memory_timing import MemoryTiming
from archsim.rtl.parameters import Parameters
from archsim.rtl.scene_image import build_image, frame_constants
from archsim.rtl.simulate import run_tiles
from archsim.rtl.tools.library import build_library
from archsim.traces.gs3d.workload import Gs3dWorkload, load_cameras, load_scene

pytestmark = pytest.mark.rtl
#: Small tables, short lists (so that some are cut) and no harmonics: built in a minute.
P = Parameters(machine="test", size="test", slices=1, coarse_filters=2, coarse_interval=4,
               fine_interval=8, lanes=16, list_entries=64, tile_voxels=16, cells=512, voxels=512,
               coarse_fifo=4, fine_fifo=4, feature_fifo=4, sh_degree=0, scale_entries=64,
               rotation_entries=64, base_entries=64, harmonics_entries=2)  # fmt: skip


def test_tiles_equal_the_golden_model() -> None:
    workload = Gs3dWorkload.model_validate(
        {"scene": "builtin:object", "gaussians": 4000, "sh_degree": 0, "resolution": [96, 64]}
    )
    scene = load_scene(workload, seed=0)
    camera = load_cameras(workload, scene)[0]
    image = build_image(scene, "extent/6", P)
    golden = golden_tiles(image, camera, range(24), P)
    assert golden.visits.stored.max() > P.list_entries  # some lists are cut
    constants = frame_constants(camera, image.grid)
    library = build_library(Slice(P))
    slow = MemoryTiming(coarse_latency=40, fine_latency=np.array([20, 60, 5] * 5000),
                        bytes_per_cycle=4)  # fmt: skip
    cycles = []
    for memory, stall in ((MemoryTiming(), 0), (slow, 20)):
        run = run_tiles(library, image, golden, constants, P, memory=memory, stall_percent=stall)
        np.testing.assert_array_equal(run.pixels, golden.pixels)
        cycles.append(run.cycles)
        assert run.counters["cut"] > 0
        # an early stop may only save work
        assert run.counters["loaded"] <= golden.visits.loaded.sum()
        assert run.counters["stored"] <= golden.visits.stored.sum()
    assert cycles[1] > cycles[0]
