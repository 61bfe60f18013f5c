"""Whole runs, small: what comes out, what repeats, and what goes wrong the right way."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import archsim
from archsim.base.errors import ConfigError, InputError, OutputError, ResourceError
from archsim.cli import main
from archsim.counted import MEANING
from archsim.scene_info import _words

CONFIG: dict[str, Any] = {
    "workload": {
        "kind": "gs3d",
        "scene": "builtin:object",
        "gaussians": 2000,
        "resolution": [100, 75],  # no multiple of 16
    },
    "systems": {
        "orin-nx": {"machine": "orin-nx-16gb", "mode": "MAXN", "method": {"kind": "tile-raster"}},
        "gscore": {"machine": "gscore", "method": {"kind": "gscore"}},
        "streaminggs": {"machine": "streaminggs", "method": {"kind": "streaminggs"}},
    },
    "baseline": "orin-nx",
}
#: The command line in a process of its own.
COMMAND = [sys.executable, "-c", "from archsim.cli import main; main()"]


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _own_cache(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARCHSIM_CACHE", str(cache))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "small.yaml"
    file.write_text(json.dumps(CONFIG))
    return file


def command(*arguments: object, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Return status, output and errors of the command line, run in this process."""
    before = sys.argv
    sys.argv = ["archsim", *map(str, arguments)]
    try:
        main()
        status = 0
    except SystemExit as done:
        status = int(done.code or 0)
    finally:
        sys.argv = before
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_a_run_gives_a_folder_a_table_and_a_report(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    status, text, _ = command("run", config, "--out", out, capsys=capsys)
    assert status == 0
    files = {str(f.relative_to(out)) for f in out.rglob("*") if f.is_file()}
    tables = {"systems", "frames", "stages", "energy", "dram", "units", "buffers", "bounds"}
    assert {"result.json", "manifest.json", "report.html"} <= files
    assert {f"tables/{name}.parquet" for name in tables} <= files
    assert {f"images/{s}-orbit-0.png" for s in (*CONFIG["systems"], "reference")} <= files
    result = json.loads((out / "result.json").read_text())
    assert list(result["systems"]) == list(CONFIG["systems"])
    for system in result["systems"].values():
        assert system["time_s"] > 0
        assert sum(system["energy_by_component_j"].values()) == pytest.approx(system["energy_j"])
        assert sum(system["dram_bytes_by_stream"].values()) == system["dram_bytes"]
        assert system["assumed"]
        assert system["fidelity"]
    counted = {name for system in result["systems"].values() for name in system["counts"]}
    assert counted == set(MEANING)  # each is explained, and nothing else
    assert MEANING["subtile_work"] in (out / "report.html").read_text()
    assert result["systems"]["orin-nx"]["exact"] is True
    for system in result["systems"].values():  # one frame: its quality is the mean
        for key in ("exact", "psnr_db", "ssim"):
            assert system["frames"][0][key] == system[key]
    image = np.asarray(Image.open(out / "images" / "streaminggs-orbit-0.png"))
    assert image.shape == (75, 100, 3)
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["configuration"]["baseline"] == "orin-nx"
    assert manifest["command"][:2] == ["archsim", "run"]
    assert set(manifest["versions"]) >= {"archsim", "python", "numpy", "numba"}
    assert "speedup" in text
    assert "MAXN" in text
    assert str(out / "report.html") in text


def test_the_same_run_again_is_byte_equal_and_uses_the_cache(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, again = tmp_path / "first", tmp_path / "again"
    assert command("run", config, "--out", first, capsys=capsys)[0] == 0
    status, text, _ = command("run", config, "--out", again, capsys=capsys)
    assert status == 0
    assert "3 of 3 traces from the cache" in text
    assert (first / "result.json").read_bytes() == (again / "result.json").read_bytes()
    for file in (*first.glob("tables/*"), *first.glob("images/*")):
        assert file.read_bytes() == (again / file.relative_to(first)).read_bytes(), file


def splat(path: Path, positions: np.ndarray) -> Path:
    """Write Gaussians as a .splat: position, scales, colour and opacity, rotation."""
    record = np.zeros(len(positions), "<3f4, <3f4, 4u1, 4u1")
    record["f0"], record["f1"] = positions, 0.05
    record["f2"], record["f3"] = 200, (255, 128, 128, 128)
    path.write_bytes(record.tobytes())
    return path


def test_a_scene_that_spoils_the_result_is_seen(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    positions = np.random.default_rng(0).uniform(0, 1, (2000, 3))
    positions[5] = 1e30
    scene = f"workload.scene={splat(tmp_path / 'far.splat', positions)}"
    small = ["--set", "workload.gaussians=", "--set", "workload.resolution=[32,24]"]
    one = json.dumps({"orin-nx": CONFIG["systems"]["orin-nx"]})
    status, text, _ = command(
        "run", config, "--out", tmp_path / "out", "--set", scene, *small, "--set",
        f"systems={one}", capsys=capsys,
    )  # fmt: skip
    assert status == 0
    assert "warning: 1 of 2,000 Gaussians lie more than" in text
    assert "1 of 2,000 Gaussians lie" in (tmp_path / "out" / "report.html").read_text()
    scene = f"workload.scene={splat(tmp_path / 'one.splat', positions[:1])}"
    status, _, error = command("run", config, "--set", scene, *small, capsys=capsys)
    assert status == 2
    assert "workload.cameras.orbit: the scene has no extent" in error


def test_results_from_the_cache_equal_those_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached = archsim.run(CONFIG)
    monkeypatch.setenv("ARCHSIM_CACHE", str(tmp_path / "fresh"))
    fresh = archsim.run(CONFIG)
    assert fresh.manifest["traces"] == {"recorded": 3, "from_cache": 0}
    assert json.dumps(fresh.data) == json.dumps(cached.data)


def test_another_seed_is_another_scene_and_other_pixels_another_trace() -> None:
    plain = archsim.run(CONFIG)
    assert archsim.run(CONFIG, seed=1).data["systems"] != plain.data["systems"]
    smaller = archsim.run(CONFIG, set={"workload.resolution": [64, 48]})
    assert smaller.images["orin-nx-orbit-0"].shape == (48, 64, 3)


def test_python_results_are_tables_and_reports(tmp_path: Path) -> None:
    result = archsim.run(CONFIG, set=["systems.orin-nx.mode=15W"])
    assert list(result.systems) == list(CONFIG["systems"])
    frame = result.to_pandas()
    assert list(frame["system"]) == list(CONFIG["systems"])
    assert frame.set_index("system").loc["orin-nx", "speedup"] == 1.0
    assert set(result.to_pandas("dram")["direction"]) == {"read", "write"}
    with pytest.raises(ValueError, match="no table 'nothing': there are systems"):
        result.to_pandas("nothing")
    assert result.report(tmp_path / "r.html").stat().st_size > 4e6
    assert result.folder is None


def test_several_cameras_give_means() -> None:
    twice = archsim.run(CONFIG, set={"workload.cameras": {"orbit": {"views": 2}}})
    for system in twice.systems.values():
        times = [frame["time_s"] for frame in system["frames"]]
        assert len(times) == 2
        assert system["time_s"] == pytest.approx(sum(times) / 2)


def test_a_damaged_trace_is_recorded_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARCHSIM_CACHE", str(tmp_path))
    first = archsim.run(CONFIG)
    for entry in (tmp_path / "traces").iterdir():
        entry.write_bytes(entry.read_bytes()[:-100])
    again = archsim.run(CONFIG)
    assert any("damaged" in note for note in again.notes)
    assert json.dumps(again.data) == json.dumps(first.data)


@pytest.mark.parametrize(
    ("changes", "kind", "expected"),
    [
        ({"workload.scene": "nowhere.ply", "workload.gaussians": None}, InputError, "nowhere.ply"),
        ({"memory_limit": "1 MB", "workload.gaussians": 9000}, ResourceError, "loading needs"),
        ({"workload.cameras": {"path": {"keyframes": [
            {"position": [0, 0, -99], "look_at": [0, 0, -200]}]}}}, InputError, "visible"),
        ({"workload.scene": "builtin:objekt"}, ConfigError, "objekt"),
        ({"workload.resolution": [0, 5]}, ConfigError, "at least 1 pixel"),
    ],
    ids=["no-file", "too-large", "sees-nothing", "no-builtin", "no-pixels"],
)  # fmt: skip
def test_wrong_input_is_one_error_with_a_remedy(
    changes: dict[str, Any], kind: type[Exception], expected: str
) -> None:
    with pytest.raises(kind, match=expected):
        archsim.run(CONFIG, set=changes)


def test_a_scene_without_gaussians_is_named(tmp_path: Path) -> None:
    names = ["x", "y", "z", "f_dc_0", "f_dc_1", "f_dc_2", "opacity", "scale_0", "scale_1",
             "scale_2", "rot_0", "rot_1", "rot_2", "rot_3"]  # fmt: skip
    header = ["ply", "format binary_little_endian 1.0", "element vertex 0",
              *(f"property float {name}" for name in names), "end_header", ""]  # fmt: skip
    (tmp_path / "empty.ply").write_text("\n".join(header))
    changes = {"workload.scene": str(tmp_path / "empty.ply"), "workload.gaussians": None}
    with pytest.raises(InputError, match=r"empty\.ply.*Gaussian"):
        archsim.run(CONFIG, set=changes)


def test_a_place_that_cannot_be_written_is_told_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr("archsim.api.run_systems", lambda *a, **k: pytest.fail("worked first"))
    with pytest.raises(OutputError, match="remedy: choose a"):
        archsim.run(CONFIG, out=tmp_path / "file" / "out")
    with pytest.raises(OutputError, match="no earlier result"):
        archsim.run(CONFIG, out=tmp_path)


@pytest.mark.parametrize(
    ("arguments", "status", "expected"),
    [
        (["run", "CONFIG", "--set", "systems.orin-nx.mod=15W"], 2, "did you mean 'mode'"),
        (["run", "nothing.yaml"], 2, "nothing.yaml: no such file"),
        (["run", "CONFIG", "--set", "workload.scene=no.ply", "--set", "workload.gaussians="], 3,
         "no.ply"),
        (["run", "CONFIG", "--set", "memory_limit=1 kB", "--set", "workload.gaussians=9100"], 4,
         "--set 'memory_limit=6 GB'"),
        (["run", "CONFIG", "--out", "CONFIG"], 5, "is no folder"),
        (["run"], 2, "CONFIG"),
        (["run", "CONFIG", "--speed", "1"], 2, "--speed"),
        (["machines", "orin"], 2, "unknown machine 'orin'"),
        (["scene", "info", "builtin:objekt"], 2, "objekt"),
        (["scene", "info", "builtin:object", "--lod", "-1"], 2, "lod: found -1"),
    ],
)  # fmt: skip
def test_errors_go_to_stderr_with_their_status(
    arguments: list[str], status: int, expected: str, config: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    arguments = [str(config) if a == "CONFIG" else a for a in arguments]
    found, out, errors = command(*arguments, capsys=capsys)
    assert found == status
    assert expected in errors
    assert "Traceback" not in errors
    assert out == ""


def test_scene_info_shows_words_and_short_hashes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene = splat(tmp_path / "a.splat", np.random.default_rng(0).uniform(0, 1, (50, 3)))
    status, text, _ = command("scene", "info", scene, capsys=capsys)
    (whole,) = json.loads(command("scene", "info", scene, "--json", capsys=capsys)[1])["source"][
        "content"
    ]
    assert status == 0
    assert f"  {whole[:12]} " in text
    assert whole[:13] not in text
    assert "[" not in text
    assert _words("antialiased", False) == "no"


def test_machines_scene_schema_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    status, text, _ = command("machines", capsys=capsys)
    assert status == 0
    assert "streaminggs" in text
    status, text, _ = command("machines", "orin-nx-16gb", capsys=capsys)
    assert status == 0
    assert "assumed" in text
    rows = [line for line in text.splitlines() if "nvpmodel configuration files" in line]
    assert all("LineageOS/android_device_nvidia_concord" in line for line in rows)  # unbroken
    assert any(line.startswith("machine.modes.MAXN.memory_mt_s  ") for line in rows)
    status, text, _ = command("scene", "info", "builtin:object", "--json", capsys=capsys)
    assert status == 0
    assert json.loads(text)["gaussians"] == 100_000
    assert command("scene", "info", "builtin:object", capsys=capsys)[0] == 0
    status, text, _ = command("schema", "machine", capsys=capsys)
    assert status == 0
    assert "json-schema" in json.loads(text)["$schema"]
    assert command("--version", capsys=capsys)[1] == f"archsim {archsim.__version__}\n"


def test_help_is_quick() -> None:
    quickest = 9.0
    for _ in range(3):  # seconds of the processor, which other work on the machine does not change
        before = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
        done = subprocess.run([*COMMAND, "--help"], capture_output=True, check=True)
        after = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
        quickest = min(quickest, after - before)
    assert b"machines" in done.stdout
    heavy = "import sys, archsim.cli; print(*(m for m in ('numba', 'pandas', 'plotly', 'pyarrow', "
    heavy += "'pydantic') if m in sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", heavy], capture_output=True, check=True)
    assert loaded.stdout.split() == []
    assert quickest < 0.5


def test_an_interrupt_leaves_no_result_but_keeps_traces(config: Path, tmp_path: Path) -> None:
    out, cache = tmp_path / "runs" / "out", tmp_path / "cache"
    environment = {**os.environ, "ARCHSIM_CACHE": str(cache)}
    views = ["--set", "workload.cameras={orbit: {views: 3000}}"]

    def finished() -> int:  # without those that are being written
        return sum(not f.name.startswith(".") for f in cache.glob("traces/*.npz"))

    with subprocess.Popen(
        [*COMMAND, "run", str(config), "--out", str(out), *views],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        give_up = time.monotonic() + 120
        while finished() < 5 and time.monotonic() < give_up:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in errors
    assert "Traceback" not in errors
    assert not out.exists()
    assert list(out.parent.iterdir()) == []
    assert finished() >= 5
