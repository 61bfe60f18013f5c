"""Whole sweeps, small: what comes out, what goes on, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

import archsim
from archsim.base.errors import ConfigError, OutputError
from archsim.explore.fleets import here
from archsim.sweep_api import sweep

STUDY: dict[str, Any] = {
    "base": {
        "workload": {"kind": "gs3d", "scene": "builtin:object", "gaussians": 2000,
                     "resolution": [96, 64]},
        "systems": {
            "orin": {"machine": "orin-nx-16gb", "method": {"kind": "tile-raster"}},
            "sgs": {"machine": "streaminggs", "method": {"kind": "streaminggs", "group": [32, 32]}},
        },
        "baseline": "orin",
    },
    "space": {
        "cfu": {"path": "systems.sgs.set.units.cfu.count.value", "values": [4, 16]},
        "voxel": {"path": "systems.sgs.method.voxel_size", "values": ["extent/4", "extent/8"]},
        "table": {"path": "systems.sgs.set.buffers.voxel_table.capacity_bytes.value",
                  "values": [2048, 16384]},
        "pixel": {"path": "systems.sgs.set.buffers.pixel.capacity_bytes.value",
                  "values": [4096, 65536]},
    },
    "objectives": {"sgs.time_s": "minimize", "sgs.area_mm2": "minimize"},
    "constraints": {"sgs.psnr_db": {"at_least": 10}},
}  # fmt: skip


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _own_cache(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARCHSIM_CACHE", str(cache))


def run(study: dict[str, Any] = STUDY, **options: Any) -> archsim.Study:
    return sweep(study, **{"fleet": here(), **options})


def test_a_sweep_gives_a_table_a_report_and_runs(tmp_path: Path) -> None:
    out = tmp_path / "out"
    study = run(out=out)
    assert len(study.outcomes) == 16
    assert {f.name for f in out.iterdir()} == {
        "points.parquet", "times.parquet", "report.html", "study.json", "best",
    }  # fmt: skip
    table = pd.read_parquet(out / "points.parquet")
    pd.testing.assert_frame_equal(table, study.to_pandas())
    # one group's pixels take 8 bytes each: 8192
    lacking = table[table["param.pixel"] == 4096]
    assert set(lacking["status"]) == {"infeasible"}
    assert set(lacking["demand"] - lacking["bound"]) == set(lacking["gap"]) == {4096}
    assert set(lacking["unit"]) == {"bytes"}
    assert lacking["levers"].iloc[0] == "use smaller groups | a buffer of at least 8192 bytes"
    measured = table[table["status"] == "measured"]
    assert len(measured) == 8
    assert measured["orin.time_s"].nunique() == 1
    speedups = measured["orin.time_s"] / measured["sgs.time_s"]
    assert speedups.tolist() == pytest.approx(measured["sgs.speedup"].tolist())
    assert table["front"].sum() == len(study.front) > 0
    report = (out / "report.html").read_text()
    for part in (
        "Pareto front",
        "What matters",
        "Around the middle",
        "buffers.pixel",
        "archsim run",
    ):
        assert part in report


def test_a_best_point_runs_and_gives_the_same_numbers(tmp_path: Path) -> None:
    out = tmp_path / "out"
    study = run(out=out)
    best = min(study.front, key=lambda o: o.columns["sgs.time_s"])
    result = archsim.run(out / "best" / "lowest-sgs.time_s.yaml")
    sgs = result.systems["sgs"]
    for name in ("time_s", "energy_j", "dram_bytes", "area_mm2", "psnr_db", "speedup"):
        assert sgs[name] == pytest.approx(best.columns[f"sgs.{name}"], rel=1e-12)
    text = (out / "best" / "middle.yaml").read_text()
    assert yaml.safe_load(text) == study.configuration(study.middle)  # type: ignore[arg-type]


def test_going_on_gives_the_same_bytes_from_the_store(tmp_path: Path) -> None:
    out, store = tmp_path / "out", tmp_path / "store"
    first = run(out=out, store=store)
    table = (out / "points.parquet").read_bytes()
    assert not any("from the store" in note for note in first.notes)
    again = run(out=out, store=store, resume=True)
    assert "16 of 16 points from the store" in again.notes
    assert (out / "points.parquet").read_bytes() == table
    # another study of the same systems finds them, too
    one = {**STUDY, "space": {"cfu": STUDY["space"]["cfu"]}}
    one["base"] = {**STUDY["base"]}
    other = run(one, store=store, out=tmp_path / "other")
    assert not any("from the store" in n for n in other.notes)  # other buffers: nothing shared
    assert "2 of 2 points from the store" in run(one, store=store, out=tmp_path / "third").notes


def test_counts_that_need_more_detail_are_there_when_asked_for() -> None:
    few = {**STUDY, "space": {"cfu": STUDY["space"]["cfu"], "voxel": STUDY["space"]["voxel"]}}
    less, more = run(few), run({**few, "show": ["sgs.counts.misordered_pair_fraction"]})
    for without, with_it in zip(less.outcomes, more.outcomes, strict=True):
        apart = with_it.columns.keys() - without.columns.keys()
        assert apart == {f"sgs.counts.{name}_pair_fraction" for name in ("misordered", "uncovered")}
        assert all(with_it.columns[name] == value for name, value in without.columns.items())


def test_folders_of_others_are_left_alone(tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(out=out)
    with pytest.raises(ConfigError, match="holds a sweep already\n  remedy: go on with it by"):
        run(out=out)
    with pytest.raises(ConfigError, match="holds a sweep of another study"):
        run({**STUDY, "seed": 4}, out=out, resume=True)
    head = json.loads((out / "study.json").read_text())
    (out / "study.json").write_text(json.dumps({**head, "models_sha256": "f" * 64}))
    with pytest.raises(ConfigError, match="was computed by other models"):
        run(out=out, resume=True)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").touch()
    with pytest.raises(OutputError, match=r"no earlier sweep, such as thesis\.tex"):
        run(out=tmp_path / "mine")
    with pytest.raises(OutputError, match="is no folder"):
        run(out=tmp_path / "mine" / "thesis.tex")


def test_an_objective_without_a_number_is_said_when_it_shows(tmp_path: Path) -> None:
    objectives = {"orin.area_mm2": "minimize", "sgs.time_s": "minimize"}
    with pytest.raises(ConfigError, match=r"objectives: no result has a column 'orin\.area_mm2'"):
        run({**STUDY, "objectives": objectives}, out=tmp_path / "out")
    # nothing is lost: with another objective the points are there
    found = run(out=tmp_path / "other")
    assert any("from the store" in note for note in found.notes)


def test_a_study_without_a_valid_point_says_so(tmp_path: Path) -> None:
    study = run({**STUDY, "constraints": {"sgs.psnr_db": {"at_least": 90}}}, out=tmp_path / "out")
    assert study.front == []
    assert study.middle is None
    assert "No point keeps every constraint" in (tmp_path / "out" / "report.html").read_text()
    assert list((tmp_path / "out" / "best").iterdir()) == []


def test_a_column_may_bound_another(tmp_path: Path) -> None:
    study = run({**STUDY, "constraints": {"sgs.time_s": {"at_most": "orin.time_s", "slack": 0.1}}})
    for outcome in study.outcomes:
        if outcome.status == "measured":
            kept = outcome.columns["sgs.time_s"] <= 1.1 * outcome.columns["orin.time_s"]
            assert outcome.valid == kept
