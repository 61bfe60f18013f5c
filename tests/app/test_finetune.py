"""The command: its folder, its errors, and a kill in the middle that changes nothing."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from archsim.base.errors import ConfigError, OutputError
from archsim.config import load_run
from archsim.finetune import Options, run_finetune
from archsim.traces.gs3d.cameras import bounds_of
from archsim.traces.gs3d.finetune.settings import Settings
from archsim.traces.gs3d.reference import render_reference
from archsim.traces.gs3d.streaminggs.codebooks import CodebookSizes
from archsim.traces.gs3d.streaminggs.parameters import StreamingGsParameters
from archsim.traces.gs3d.workload import load_cameras, load_scene

STREAMING = StreamingGsParameters(
    voxel_size="extent/8", group=(32, 32), order="l2", codebooks=CodebookSizes(256, 256, 256, 64)
)
ARGUMENTS = [
    "finetune", "builtin:object", "--gaussians", "2000", "--views", "3", "--resolution", "64x64",
    "--voxel-size", "extent/8", "--group", "32x32", "--order", "l2",
    "--codebooks", "256,256,256,64", "--checkpoint-every", "2",
]  # fmt: skip


def options(folder, **changes):
    given = {
        "scene": "builtin:object", "lod": None, "gaussians": 2000, "out": folder, "views": 3,
        "resolution": (64, 64), "cameras": None, "images": None, "find_order": False,
        "settings": Settings(steps=4, streaming=STREAMING), "checkpoint_every": 2, "resume": False,
    }  # fmt: skip
    return Options(**{**given, **changes})


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finetuned") / "out"
    run_finetune(options(folder))
    return folder


def test_a_result_is_whole(finished):
    metrics = json.loads((finished / "metrics.json").read_text())
    assert {p.name for p in finished.iterdir()} == {
        "metrics.json", "scene.ply", "report.html", "images",
    }  # fmt: skip
    assert len(metrics["views"]) == len(metrics["split"]["held_out"]) == 2
    assert len(metrics["losses"]) == 4
    for when in ("unquantised", "before", "after"):
        assert 20 < metrics["mean"][when]["psnr_db"] < 60
        assert 0 < metrics["mean"][when]["misordered_pixel_fraction"] < 1
    page = (finished / "report.html").read_text()
    assert "boundary-aware fine-tuning" in page
    assert page.count("<figure><img") == 2 * 5
    assert "from memory" in page


def test_a_finished_result_is_not_trained_again_but_may_be_replaced(finished, capsys):
    before = (finished / "metrics.json").read_bytes()
    run_finetune(options(finished, resume=True))
    assert "nothing to resume" in capsys.readouterr().out
    run_finetune(options(finished))
    assert (finished / "metrics.json").read_bytes() == before


def test_a_run_streams_the_tuned_scene_as_it_was_judged(finished):
    """The held-out view's PSNR comes out of a run's method again: nothing is quantised twice."""
    metrics = json.loads((finished / "metrics.json").read_text())
    view = metrics["views"][0]
    assert view["camera"] == "orbit-60"
    method = {"kind": "streaminggs", "voxel_size": "extent/8", "group": [32, 32], "order": "l2",
              "codebooks": {"scale": 256, "rotation": 256, "dc": 256, "sh": 64}}  # fmt: skip

    def planned(**more):
        return load_run(
            {
                "workload": {"kind": "gs3d", "scene": "builtin:object", "gaussians": 2000,
                             "cameras": {"orbit": {"start_deg": 60.0}}, "resolution": [64, 64]},
                "systems": {"s": {"machine": "streaminggs", "method": {**method, **more}}},
                "baseline": "s",
            }
        )  # fmt: skip

    workload = planned().config.workload
    scene = load_scene(workload, seed=0)
    camera = load_cameras(workload, bounds_of(scene))[0]
    reference = render_reference(scene, camera)

    def psnr_db(**more):
        (plan,) = planned(**more).systems
        trace = plan.method.record(scene, camera, reference, plan.config)
        return trace.meta["quality"]["psnr_db"]

    assert psnr_db() == view["before"]["psnr_db"]
    assert psnr_db(finetuned=str(finished / "scene.ply")) == view["after"]["psnr_db"]
    with pytest.raises(ConfigError, match=r"no such file gone\.ply"):
        planned(finetuned="gone.ply")


def test_folders_that_hold_something_else_stay_untouched(tmp_path):
    (tmp_path / "thesis.tex").write_text("work")
    with pytest.raises(OutputError, match=r"no fine-tuning's, such as thesis\.tex"):
        run_finetune(options(tmp_path))
    with pytest.raises(ConfigError, match="nothing to resume"):
        run_finetune(options(tmp_path / "new", resume=True))
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "checkpoint.npz").write_bytes(b"")
    with pytest.raises(OutputError, match="unfinished fine-tuning"):
        run_finetune(options(tmp_path / "begun"))


def test_images_need_cameras(tmp_path):
    with pytest.raises(ConfigError, match="--images: where these images were taken"):
        run_finetune(options(tmp_path / "new", images=tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_killed_and_resumed_gives_the_same_bytes(tmp_path, how):
    command = [sys.executable, "-P", "-c", "from archsim.cli import main; main()", *ARGUMENTS,
               "--steps", "40"]  # fmt: skip
    subprocess.run([*command, "--out", tmp_path / "whole"], check=True, capture_output=True)
    cut = tmp_path / "cut"
    process = subprocess.Popen([*command, "--out", cut], stderr=subprocess.PIPE, text=True)
    while not (cut / "checkpoint.npz").exists():
        time.sleep(0.02)
    time.sleep(0.3)
    process.send_signal(how)
    _, words = process.communicate()
    assert process.returncode == (-9 if how == signal.SIGKILL else 130)
    if how == signal.SIGINT:
        assert "go on with the same command and --resume" in words
    assert not (cut / "metrics.json").exists()
    threads = {**os.environ, "NUMBA_NUM_THREADS": "1"}
    subprocess.run(
        [*command, "--out", cut, "--resume"], check=True, capture_output=True, env=threads
    )
    for name in ("scene.ply", "metrics.json", "report.html"):
        assert (cut / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
