"""What the comparison makes of counters and of the model's causes, on numbers made by hand."""

from typing import Any

import numpy as np

from archsim.rtl.comparison import compare_runs
from archsim.rtl.parameters import Parameters
from archsim.rtl.simulate import TileRun
from archsim.rtl.timing import ModelRun

P = Parameters(machine="test", size="test", slices=1, coarse_filters=2, coarse_interval=10,
               fine_interval=8, lanes=8)  # fmt: skip
CAUSES = {
    "coarse": {"busy": 790, "blocked": 150, "starved": 60},
    "fine": {"busy": 400, "blocked": 110, "starved": 490},
    "render": {"busy": 100, "starved": 900},
    "drain": {"busy": 50},
}


def compared(finish: list[int], said: list[int], **counters: int) -> dict[str, Any]:
    given = {"coarse_moved": 160, "survivor_stalled": 150, "fine_moved": 50,
             "feature_stalled": 100, "busy_cycles": 110,
             "drain_cycles": 50, **counters}  # fmt: skip
    none: Any = None
    hardware = TileRun(none, np.array(finish), finish[-1], given, none)
    return compare_runs(hardware, ModelRun(np.array(said), CAUSES), P)


def test_a_stage_works_waits_for_room_or_for_work() -> None:
    found = compared([400, 1000], [450, 980])
    assert [(row["stage"], row["rtl"], row["model"]) for row in found["stages"]] == [
        ("coarse", 800, 790), ("fine", 400, 400), ("render", 160, 150),
    ]  # fmt: skip
    assert dict(found["causes"]["rtl"]) == {
        "coarse blocked": 150, "coarse starved": 50, "fine blocked": 100, "fine starved": 500,
        "render starved": 840,
    }  # fmt: skip
    assert found["causes"]["model"][0] == ("render starved", 850)
    assert found["top_causes_agree"]


def test_filters_that_work_beside_one_that_is_held_up_are_not_blocked() -> None:
    causes = dict(compared([1000], [1000], survivor_stalled=700)["causes"]["rtl"])
    assert (causes["coarse blocked"], causes["coarse starved"]) == (200, 0)


def test_other_largest_waits_do_not_agree() -> None:
    found = compared([1000], [1000], fine_moved=120, feature_stalled=0)
    assert [name for name, _ in found["causes"]["rtl"][:3]] == [
        "render starved", "coarse blocked", "coarse starved",
    ]  # fmt: skip
    assert not found["top_causes_agree"]


def test_a_tile_is_within_a_tenth_or_a_hundred_cycles() -> None:
    rtl, model = np.array([500, 500, 3000, 3000]), np.array([600, 399, 3300, 3301])
    found = compared(np.cumsum(rtl).tolist(), np.cumsum(model).tolist())
    assert found["tiles_within"] == 2
    assert found["total_error"] == model.sum() / rtl.sum() - 1
    assert found["tile_error_worst"] == 1.01
