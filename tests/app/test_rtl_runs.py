"""Choosing tiles, and the comparison's tables and report, without building hardware."""

import json
import re

import numpy as np
import pytest

from archsim.base.errors import ConfigError
from archsim.progress import Silent
from archsim.rtl_report import render_comparison
from archsim.rtl_runs import choose_tiles, prepare
from archsim.rtl_tables import comparison_tables
from archsim.traces.gs3d.camera import Camera

CAMERA = Camera(100, 40, 90.0, 90.0, 50.0, 20.0, np.eye(4))  # 7 x 3 tiles


def test_tiles_are_chosen_by_text() -> None:
    assert choose_tiles("all", CAMERA) == list(range(21))
    assert choose_tiles("3-5, 1,4", CAMERA) == [1, 3, 4, 5]
    drawn = choose_tiles("random:8", CAMERA)
    assert len(set(drawn)) == 8
    assert drawn == choose_tiles("random:8", CAMERA)
    assert drawn != choose_tiles("random:8:seed=1", CAMERA)
    assert choose_tiles("random:99", CAMERA) == list(range(21))


@pytest.mark.parametrize(
    ("text", "message"),
    [("some", "'some' is not understood"), ("3,21", "the frame has tiles 0 to 20")],
)
def test_wrong_tiles_are_named(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as raised:
        choose_tiles(text, CAMERA)
    assert "0 to 20" in str(raised.value.remedy)


def test_a_configuration_without_streaminggs_is_named() -> None:
    with pytest.raises(ConfigError, match="unknown size 'tiny'"):
        prepare("streaminggs", [], "tiny", "all", Silent())


SMALL = ["workload.scene=builtin:object", "workload.gaussians=2000", "workload.resolution=[64,48]"]


def test_a_scene_is_loaded_with_the_harmonics_that_the_size_computes() -> None:
    assert prepare("streaminggs", SMALL, "rtl-small", "0-1", Silent()).scene["sh_degree"] == 2
    less = prepare("streaminggs", [*SMALL, "workload.sh_degree=1"], "rtl-small", "0", Silent())
    assert less.scene["sh_degree"] == 1
    with pytest.raises(ConfigError, match="degree 3, size rtl-small has 2"):
        prepare("streaminggs", [*SMALL, "workload.sh_degree=3"], "rtl-small", "0", Silent())


def test_report_and_tables_show_the_error() -> None:
    row = {
        "size": "rtl-small", "memory": "ideal", "equal": 2, "psnr_db": 50.0,
        "tiles": [{"rtl": 1000, "model": 1010}, {"rtl": 90, "model": 90}],
        "total_rtl": 1090, "total_model": 1100, "total_error": 0.0092, "tiles_within": 2,
        "tile_error_median": 0.005, "tile_error_p95": 0.01, "tile_error_worst": 0.1,
        "stages": [{"stage": "coarse", "rtl": 800, "model": 808, "error": 0.01}],
        "causes": {s: [("render starved", 700), ("fine starved", 600)] for s in ("rtl", "model")},
        "top_causes_agree": True,
    }  # fmt: skip
    data = {
        "machine": "streaminggs", "size": "rtl-small", "configuration": "c", "camera": "orbit-0",
        "scene": {"name": "biker", "gaussians": 250_000, "sh_degree": 2},
        "resolution": [100, 40], "voxel_size": "extent/16", "tiles": [0, 1], "comparisons": [row],
    }  # fmt: skip
    page = render_comparison(data)
    assert "+0.92%" in page
    assert "biker, 250,000 Gaussians, harmonics of degree 2" in page
    assert "2 of 2" in page
    figure = json.loads(re.search(r'application/json">(.*?)</script>', page, re.S)[1])
    assert figure["data"][-1]["x"] == [1000, 90]
    assert [table.row_count for table in comparison_tables([row])] == [1, 1]
