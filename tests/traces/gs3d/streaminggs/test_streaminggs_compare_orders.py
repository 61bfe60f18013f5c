"""The table of ordering rules: consistent with recorded frames, and its best."""

from dataclasses import replace

import pandas as pd
import pytest

from archsim.traces.gs3d.reference import render_reference
from archsim.traces.gs3d.streaminggs.compare_orders import best_order, compare_orders
from archsim.traces.gs3d.streaminggs.order import ORDER_RULES
from archsim.traces.gs3d.streaminggs.parameters import StreamingGsParameters
from archsim.traces.gs3d.streaminggs.record import record_streaminggs


def test_rows_equal_recorded_frames_best_first(make_scene, make_camera):
    scene, camera = make_scene(400, seed=7, log_scale=-1.5), make_camera(64, 48)
    reference = render_reference(scene, camera)
    parameters = StreamingGsParameters(voxel_size="extent/6", group=(32, 32), vq="none")
    told = []
    table = compare_orders(
        scene, camera, reference, parameters, progress=lambda *step: told.append(step)
    )
    assert told[-1] == (len(ORDER_RULES), len(ORDER_RULES))
    assert set(table["rule"]) == set(ORDER_RULES)
    assert table["order_psnr_db"].is_monotonic_decreasing
    assert table.set_index("rule")["legal"].drop("depth").all()
    assert table["order_psnr_db"].nunique() > 5
    for rule in ("dag", "zyx"):
        row = table.set_index("rule").loc[rule]
        meta = record_streaminggs(scene, camera, reference, replace(parameters, order=rule)).meta
        assert row["psnr_db"] == meta["quality"]["psnr_db"]
        assert row["order_psnr_db"] == meta["quality"]["errors"]["order"]["psnr_db"]
        assert row["misordered_pixel"] == meta["counts"]["misordered_pixel_fraction"]
    best = best_order(table)
    assert table.loc[table["legal"], "rule"].iloc[0] == best


@pytest.mark.parametrize(("legal", "best"), [(True, "l1"), (False, "depth")])
def test_the_best_of_several_frames_has_the_highest_mean(legal, best):
    frames = pd.DataFrame(
        {
            "rule": ["l1", "l2", "depth"] * 2,
            "legal": [True, True, True, True, True, False],
            "order_psnr_db": [40.0, 44.0, 60.0, 39.0, 34.0, 50.0],
        }
    )
    assert best_order(frames, legal=legal) == best
