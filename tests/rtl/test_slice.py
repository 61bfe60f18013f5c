"""Tiles through a slice as ``archsim rtl sim`` runs them; its bench is in test_blocks_library."""

import numpy as np
import pytest

pytest.importorskip("amaranth")
from archsim.rtl.blocks.slice import Slice
from archsim.rtl.golden import golden_tiles
from archsim.rtl.memory_timing import MemoryTiming
from archsim.rtl.scene_image import frame_constants
from archsim.rtl.simulate import run_tiles
from archsim.rtl.tools.library import build_library
from archsim.rtl.verify.top import TOP_PARAMETERS as P
from archsim.rtl.verify.top import top_scene, with_side

pytestmark = pytest.mark.rtl


def test_tiles_equal_the_golden_model() -> None:
    image, camera = top_scene()
    camera = with_side(camera, 96)
    golden = golden_tiles(image, camera, range(36), P)
    assert golden.visits.stored.max() > P.list_entries  # some lists are cut
    constants = frame_constants(camera, image.grid)
    library = build_library(Slice(P), made_from=repr(P))
    slow = MemoryTiming(coarse_latency=40, fine_latency=np.array([20, 60, 5] * 5000),
                        bytes_per_cycle=4)  # fmt: skip
    cycles = []
    for memory, stall in ((MemoryTiming(), 0), (slow, 20)):
        run = run_tiles(library, image, golden, constants, P, memory=memory, stall_percent=stall)
        np.testing.assert_array_equal(run.pixels, golden.pixels)
        assert run.tile_cycles.sum() == run.cycles == run.finish[-1]
        cycles.append(run.cycles)
        assert run.counters["cut"] > 0
        # an early stop may only save work
        assert run.counters["loaded"] <= golden.visits.loaded.sum()
        assert run.counters["stored"] <= golden.visits.stored.sum()
    assert cycles[1] > cycles[0]
