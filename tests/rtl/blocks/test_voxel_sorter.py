"""The voxel sorting unit against its model, and its order against what rays demand."""

import numpy as np
import pytest

pytest.importorskip("amaranth")
from archsim.rtl.blocks.voxel_sorter import VoxelSorter
from archsim.rtl.tools.library import build_library

pytestmark = pytest.mark.rtl
CELLS, VOXELS, ROWS = 512, 64, 16


def rays(rng: np.random.Generator, tiles: int) -> dict:
    """Monotone walks through an 8x8x8 grid: no order has a circle."""
    columns: dict[str, list[int]] = {"cell": [], "first": [], "miss": [], "last": []}
    for tile in range(tiles):
        count = int(rng.integers(1, 9))
        for _ in range(count):
            place = rng.integers(0, 3, 3)
            length = int(rng.integers(1, 12)) if tile % 5 else 1
            steps = 0
            while steps < length and place.max() < 8:
                columns["cell"].append(int(place @ [64, 8, 1]))
                columns["first"].append(int(steps == 0))
                columns["miss"].append(int(tile % 5 == 0 or rng.random() < 0.02))
                columns["last"].append(0)
                place[rng.integers(0, 3)] += 1
                steps += 1
        columns["last"][-1] = 1
    return {name: np.array(column, np.int64) for name, column in columns.items()}


def tables(rng: np.random.Generator) -> dict:
    voxel = np.zeros(CELLS, np.int64)
    chosen = rng.choice(CELLS, VOXELS, replace=False)
    voxel[chosen] = np.arange(VOXELS)
    occupied = np.zeros(CELLS, np.int64)
    occupied[chosen] = 1
    return {"cell": np.arange(CELLS), "voxel": voxel, "occupied": occupied}


def test_order_equals_the_model_at_any_stall() -> None:
    rng = np.random.default_rng(1)
    load, samples = tables(rng), rays(rng, 300)
    unit = VoxelSorter(cells=CELLS, voxels=VOXELS, rows=ROWS)
    expected = unit.model(load, samples)["o"]
    library = build_library(VoxelSorter(cells=CELLS, voxels=VOXELS, rows=ROWS))
    # the table is loaded before the samples: they are held back by a stall-free queue of misses
    wait = {"cell": 0, "first": 1, "miss": 1, "last": 1}
    head = {name: np.full(CELLS, value, np.int64) for name, value in wait.items()}
    fed = {name: np.concatenate([head[name], column]) for name, column in samples.items()}
    count = CELLS + expected["voxel"].size
    for stall in (0, 30):
        run = library.run({"load": load, "i": fed}, expect={"o": count},
                          stall_percent={"i": stall, "o": stall}, seed=2)  # fmt: skip
        for name, column in expected.items():
            np.testing.assert_array_equal(run.outputs["o"][name][CELLS:], column, err_msg=name)


def test_sizes_are_powers_of_two() -> None:
    with pytest.raises(ValueError, match="rows must be a power of two, not 12"):
        VoxelSorter(cells=8, voxels=8, rows=12)
