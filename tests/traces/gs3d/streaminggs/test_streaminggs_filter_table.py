"""The filter table: rows equal to recorded frames, and where a share lies between them."""

import math

import pandas as pd
import pytest

from archsim.traces.gs3d.reference import render_reference
from archsim.traces.gs3d.streaminggs.filter_table import filter_table, fraction_where
from archsim.traces.gs3d.streaminggs.parameters import StreamingGsParameters
from archsim.traces.gs3d.streaminggs.record import record_streaminggs


def test_rows_equal_recorded_frames(make_scene, make_camera):
    scene, camera = make_scene(600, seed=7, log_scale=-3), make_camera(96, 64)
    told = []
    table = filter_table(
        scene, camera, [2, 6], [(16, 16), (32, 32)], progress=lambda *step: told.append(step)
    )
    assert told[-1] == (4, 4)
    assert list(zip(table["group"], table["fraction"])) == [
        ("16x16", 2.0), ("16x16", 6.0), ("32x32", 2.0), ("32x32", 6.0)
    ]  # fmt: skip
    trace = record_streaminggs(
        scene, camera, render_reference(scene, camera),
        StreamingGsParameters("extent/6", (16, 16), vq="none"),
    )  # fmt: skip
    row, counts = table.iloc[1], trace.meta["counts"]
    for name in ("voxels_occupied", "loaded", "coarse_pass", "fine_pass", "filtered_fraction"):
        assert row[name] == counts[name]
    assert row["coarse_filtered_fraction"] == 1 - counts["coarse_pass_fraction"]
    assert not row["evidence"]
    # smaller groups and larger voxels load more that is not needed
    assert table["filtered_fraction"].iloc[0] > table["filtered_fraction"].iloc[1]
    assert table["filtered_fraction"].iloc[0] > table["filtered_fraction"].iloc[2]


def test_the_place_of_a_share_is_found_between_rows():
    table = pd.DataFrame(
        {
            "group": ["a"] * 3 + ["b"] * 2 + ["c"] * 2,
            "fraction": [32.0, 8.0, 16.0, 8.0, 16.0, 4.0, 8.0],
            "filtered_fraction": [0.3, 0.9, 0.7, 0.5, 0.4, 0.76, 0.6],
        }
    )
    found = fraction_where(table, 0.8)
    assert found["a"] == pytest.approx(8 * math.sqrt(2))
    assert math.isnan(found["b"])
    assert fraction_where(table, 0.76)["c"] == 4.0
