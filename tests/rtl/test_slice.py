"""Tiles through a slice as ``archsim rtl sim`` runs them; its bench is in test_blocks_library."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("amaranth")
from archsim.rtl.blocks.machine import make_machine
from archsim.rtl.golden import GoldenTiles, golden_tiles
from archsim.rtl.memory_timing import MemoryTiming
from archsim.rtl.scene_image import SceneImage, frame_constants
from archsim.rtl.simulate import run_tiles
from archsim.rtl.tools.library import build_library
from archsim.rtl.verify.top import TOP_PARAMETERS as P
from archsim.rtl.verify.top import top_scene, with_side

pytestmark = pytest.mark.rtl


@pytest.fixture(scope="module")
def frame() -> tuple[SceneImage, GoldenTiles, dict[str, int]]:
    image, camera = top_scene()
    camera = with_side(camera, 96)
    golden = golden_tiles(image, camera, range(36), P)
    return image, golden, frame_constants(camera, image.grid)


def test_tiles_equal_the_golden_model(frame: Any) -> None:
    image, golden, constants = frame
    assert golden.visits.stored.max() > P.list_entries  # some lists are cut
    library = build_library(make_machine(P), made_from=repr(P))
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


@pytest.mark.rtl_full
def test_slices_side_by_side_share_the_tiles(frame: Any) -> None:
    image, golden, constants = frame
    two = replace(P, slices=2)
    run = run_tiles(
        build_library(make_machine(two), made_from=repr(two)), image, golden, constants, two
    )
    np.testing.assert_array_equal(run.pixels, golden.pixels)
    # every slice is busy with tiles of its own: the first end together, not one after another
    assert run.finish[:2].max() < run.finish.max() / 4
