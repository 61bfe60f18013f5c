"""Finished runs side by side: one table, ratios to one baseline, what differs."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archsim.api import Result
from archsim.base.errors import ConfigError, InputError
from archsim.cli import main
from archsim.compare import compare_runs
from archsim.sim.result import SystemResult
from archsim.summary import summarize
from archsim.table import comparison

Save = Callable[..., Path]


@pytest.fixture
def saved(results: list[SystemResult]) -> Save:
    def save(folder: Path, names: list[str], **workload: Any) -> Path:
        return _save([r for r in results if r.name in names], folder, names, **workload)

    return save


def _save(results: list[SystemResult], folder: Path, names: list[str], **workload: Any) -> Path:
    image = np.full((48, 64, 3), 90, np.uint8)
    scene = {"name": "garden", "gaussians": 90_000, "resolution": [64, 48]}
    data = summarize(results, baseline=names[0], seed=0,
                     workload={"scene": "garden.ply", **workload}, scene=scene)  # fmt: skip
    configuration = {"workload": {"scene": "garden.ply", **workload},
                     "systems": {name: {"machine": name} for name in names}}  # fmt: skip
    manifest = {"configuration": configuration, "started": "now",
                "versions": {"archsim": "1", "archsim_sources_sha256": "a"}}  # fmt: skip
    images = {f"{name}-orbit-0": image for name in names} | {"reference-orbit-0": image}
    return Result(data, manifest, images).save(folder)


@pytest.fixture
def runs(tmp_path: Path, saved: Save) -> list[Path]:
    return [saved(tmp_path / "one", ["orin-nx", "gscore"]),
            saved(tmp_path / "two", ["orin-nx", "streaminggs"])]  # fmt: skip


def test_ratios_are_to_one_baseline_with_both_sides_ranges(runs: list[Path]) -> None:
    found = compare_runs(runs)
    systems = found.data["systems"]
    assert list(systems) == ["one/orin-nx", "one/gscore", "two/orin-nx", "two/streaminggs"]
    assert systems["two/streaminggs"]["speedup"] == pytest.approx(25)
    assert systems["two/orin-nx"]["speedup"] == 1
    other = compare_runs(runs, "one/gscore").data["systems"]
    assert other["two/streaminggs"]["speedup"] == pytest.approx(5)
    assert other["one/orin-nx"]["speedup"] == pytest.approx(0.2)
    gscore, sgs = systems["one/gscore"], systems["two/streaminggs"]
    low, high = other["two/streaminggs"]["interval"]["energy_saving"]
    assert low == pytest.approx(gscore["interval"]["energy_j"][0] / sgs["interval"]["energy_j"][1])
    assert high == pytest.approx(gscore["interval"]["energy_j"][1] / sgs["interval"]["energy_j"][0])
    assert other["two/streaminggs"]["interval"]["speedup"] is None
    assert found.warnings == []
    assert found.differences == {
        "systems.gscore.machine": ["gscore", None],
        "systems.streaminggs.machine": [None, "streaminggs"],
    }
    comparison(found.data)  # can be drawn


def test_other_workloads_are_said(tmp_path: Path, saved: Save) -> None:
    runs = [saved(tmp_path / "a", ["orin-nx"]), saved(tmp_path / "b", ["orin-nx"], lod=2)]
    found = compare_runs(runs)
    assert found.warnings == ["not the same workload: lod differs"]
    assert found.differences == {"workload.lod": [None, 2]}


def test_folders_of_one_name_are_told_apart(tmp_path: Path, saved: Save) -> None:
    runs = [saved(tmp_path / "x" / "run", ["orin-nx"]), saved(tmp_path / "y" / "run", ["gscore"])]
    assert list(compare_runs(runs).data["systems"]) == ["x.run/orin-nx", "y.run/gscore"]


def test_what_cannot_be_compared_is_said(runs: list[Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no system 'one/gscor' in these runs"):
        compare_runs(runs, "one/gscor")
    with pytest.raises(InputError, match=r"is no finished run: result\.json: No such file"):
        compare_runs([runs[0], tmp_path])
    data = json.loads((runs[1] / "result.json").read_text())
    (runs[1] / "result.json").write_text(json.dumps({**data, "schema": "archsim-result-0"}))
    with pytest.raises(InputError, match="is a result of another format"):
        compare_runs(runs)


def test_the_command_prints_a_table_and_writes_a_report(
    runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    out = tmp_path / "compare.html"
    monkeypatch.setattr(sys, "argv", ["archsim", "compare", *map(str, runs), "--out", str(out)])
    with pytest.raises(SystemExit) as done:
        main()
    assert done.value.code == 0
    text = capsys.readouterr().out
    assert "25.0" in text
    assert "what differs" in text
    page = out.read_text()
    assert "two/streaminggs" in page
    assert "systems.gscore.machine" in page
    monkeypatch.setattr(sys, "argv", ["archsim", "compare", str(runs[0])])
    with pytest.raises(SystemExit) as done:
        main()
    assert done.value.code == 2
    assert "one run has nothing to be compared with" in capsys.readouterr().err
