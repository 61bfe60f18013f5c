"""Study files: whatever is wrong in one is said with its place before anything is computed."""

from pathlib import Path
from typing import Any

import pytest

from archsim.base.errors import ConfigError
from archsim.study_file import load_study, study_schema

GOOD = """\
base:
  workload: {kind: gs3d, scene: builtin:object, gaussians: 2000, resolution: [96, 64]}
  systems:
    orin: {machine: orin-nx-16gb, method: {kind: tile-raster}}
    sgs: {machine: streaminggs, method: {kind: streaminggs}}
  baseline: orin
space:
  cfu: {path: systems.sgs.set.units.cfu.count.value, values: [4, 16]}
  group: {path: systems.sgs.method.group, values: [[32, 32], [64, 64]]}
  voxel: {path: systems.sgs.method.voxel_size, values: [extent/8, extent/16]}
  dram:
    options:
      lpddr3: {systems.sgs.set.memory.device: lpddr3-1600}
      lpddr4: {systems.sgs.set.memory.device: lpddr4-3200, systems.sgs.set.memory.channels.value: 8}
objectives: {sgs.time_s: minimize, sgs.energy_j: minimize}
constraints: {sgs.psnr_db: {at_least: 25}}
"""


def error_of(tmp_path: Path, text: str, *assignments: str) -> str:
    file = tmp_path / "study.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_study(file, assignments=assignments)
    return caught.value.render().replace(f"{tmp_path}/", "")


def test_a_study_names_its_parts(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(GOOD)
    study = load_study(file, assignments=["budget.points=7"], seed=5)
    assert (study.name, study.config.seed, study.config.budget.points) == ("mine", 5, 7)
    assert study.space.size == 16
    point = {"cfu": 4, "group": [32, 32], "voxel": "extent/8", "dram": "lpddr4"}
    data = study.problem.data(study.space.settings(point))
    assert data["systems"]["sgs"] == {
        "machine": "streaminggs",
        "method": {"kind": "streaminggs", "group": [32, 32], "voxel_size": "extent/8"},
        "set": {"units.cfu.count.value": 4, "memory.device": "lpddr4-3200",
                "memory.channels.value": 8},
    }  # fmt: skip


def test_a_constraint_is_changed_by_the_name_of_its_column(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(GOOD)
    study = load_study(file, assignments=["constraints.sgs.psnr_db.at_least=31"])
    assert study.config.constraints["sgs.psnr_db"].at_least == 31


def test_jobs_are_shared_by_points_with_the_same_system(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(GOOD)
    study = load_study(file)

    def keys(cfu: int, voxel: str) -> dict[str, str]:
        point: dict[str, Any] = {"cfu": cfu, "group": [32, 32], "voxel": voxel, "dram": "lpddr3"}
        jobs = study.problem.jobs(study.space.settings(point))
        return {name: job.key for name, job in jobs.items()}

    one, two, three = keys(4, "extent/8"), keys(16, "extent/8"), keys(16, "extent/16")
    assert one["orin"] == two["orin"] == three["orin"]
    assert len({one["sgs"], two["sgs"], three["sgs"]}) == 3
    again = load_study(file, assignments=["seed=9"])  # the search's, not the scene's
    point = {"cfu": 4, "group": [32, 32], "voxel": "extent/8", "dram": "lpddr3"}
    assert again.problem.jobs(again.space.settings(point))["sgs"].key == one["sgs"]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("space:\n", "spaces:\n", "study.yaml:7: spaces: unknown key (did you mean 'space'?)"),
        ("units.cfu.count", "units.cfo.count",
         "study.yaml:8: space.cfu: 4 cannot be set: units has no 'cfo'\n"
         "  remedy: did you mean 'cfu'?"),
        ("sgs.method.group", "sgs.method.grup", "has no 'grup'\n  remedy: did you mean 'group'?"),
        ("values: [4, 16]", "values: [4, 0]", "study.yaml:8: space.cfu: 0 cannot be set: "),
        ("values: [4, 16]", "values: []", "study.yaml:8: space.cfu.values: "),
        ("values: [4, 16]", "range: [16, 4]", "range [16.0, 4.0] is empty"),
        ("extent/16]", "extent/sixteen]", "study.yaml:10: space.voxel: 'extent/sixteen' cannot"),
        ("lpddr4-3200", "lpddr4-9999", "study.yaml:11: space.dram: 'lpddr4' cannot be set: "),
        ("sgs.method.group, ", "sgs.set.units.cfu.count.value, ",
         "study.yaml:9: space.group: sets systems.sgs.set.units.cfu.count.value, as cfu does"),
        ("values: [4, 16]", "range: [4, 16]",
         "study.yaml:8: space.cfu: a grid needs values that can be counted\n"
         "  remedy: give a step (range)"),
        ("sgs.time_s: min", "sgs.times: min",
         "study.yaml:15: objectives: no result has a column 'times'\n"
         "  remedy: did you mean 'time_s'?"),
        ("{sgs.time_s", "{ssg.time_s",
         "study.yaml:15: objectives: 'ssg.time_s' begins with no system of the base\n"
         "  remedy: write SYSTEM.COLUMN; did you mean 'sgs'?"),
        ("minimize}", "least}", "found 'least', expected one of minimize, maximize"),
        ("at_least: 25", "at_most: orin.psnr", "study.yaml:16: constraints: no result has a column "
                                               "'psnr'"),
        ("at_least: 25", "at_least: 25, at_most: 20", "exclude everything"),
        ("machine: streaminggs,", "machine: streamings,", "unknown machine 'streamings'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place(
    tmp_path: Path, old: str, new: str, expected: str
) -> None:
    assert old in GOOD
    assert expected in error_of(tmp_path, GOOD.replace(old, new, 1))


def test_an_empty_space_is_said(tmp_path: Path) -> None:
    start = GOOD.index("space:")
    text = GOOD[:start] + "space: {}\n" + GOOD[GOOD.index("objectives:") :]
    assert error_of(tmp_path, text) == (
        "study.yaml:7: space: is empty\n  remedy: give at least one parameter"
    )


def test_other_mistakes_are_said(tmp_path: Path) -> None:
    assert "base: no file and no shipped configuration 'streamings'" in error_of(
        tmp_path, "base: streamings\n" + GOOD[GOOD.index("space:") :]
    )
    assert "needs budget.points or budget.time_s to end" in error_of(
        tmp_path, GOOD + "search: {kind: random}\n"
    )
    assert "unknown kind 'nsga', expected one of grid" in error_of(
        tmp_path, GOOD + "search: {kind: nsga}\n"
    )
    assert "screen.set: " in error_of(
        tmp_path, GOOD + "screen: {set: {systems.sgs.method.max_task: 2000}}\n"
    )
    with pytest.raises(ConfigError, match="no file and no shipped study 'streamings'"):
        load_study("streamings")


def test_the_schema_describes_every_key() -> None:
    schema = study_schema()
    described = {**schema["properties"], **schema["$defs"]["Parameter"]["properties"]}
    assert all("description" in entry for entry in described.values())
