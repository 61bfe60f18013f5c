"""Run configurations: what is wrong is said with its line, what is right is looked up."""

import json
from pathlib import Path
from typing import Any

import pytest

from archsim.arch.load import load_machine
from archsim.base.errors import ConfigError
from archsim.base.yaml_places import load_yaml
from archsim.config import list_runs, load_run, run_schema

GOOD = """\
workload:
  kind: gs3d
  scene: builtin:object
systems:
  orin-nx: {machine: orin-nx-16gb, mode: MAXN, method: {kind: tile-raster}}
  ours:
    machine: streaminggs
    method: {kind: streaminggs}
baseline: orin-nx
"""


def error_of(tmp_path: Path, text: str, *assignments: str, **options: Any) -> str:
    file = tmp_path / "run.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_run(file, assignments=assignments, **options)
    return str(caught.value).replace(f"{file}", "run.yaml")


def test_a_good_configuration_is_looked_up(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(GOOD)
    run = load_run(file, assignments=["systems.orin-nx.mode=15W"], seed=5)
    assert (run.name, run.config.seed, run.config.baseline) == ("mine", 5, "orin-nx")
    assert [(p.name, p.machine.name, p.mode, p.method.kind) for p in run.systems] == [
        ("orin-nx", "orin-nx-16gb", "15W", "tile-raster"),
        ("ours", "streaminggs", None, "streaminggs"),
    ]


def test_a_mapping_is_a_configuration_too(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(GOOD)
    data, _ = load_yaml(tmp_path / "run.yaml")
    assert load_run(data).config.workload.scene == "builtin:object"
    with pytest.raises(ConfigError, match=r"configuration: sed: unknown key"):
        load_run({**data, "sed": 1})


def test_a_gpu_without_a_mode_runs_in_the_one_it_ships_in(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(GOOD.replace(", mode: MAXN", ""))
    assert load_run(file).systems[0].mode == "15W"


def test_a_scene_beside_the_configuration_is_found(tmp_path: Path) -> None:
    (tmp_path / "my.ply").write_bytes(b"ply")
    file = tmp_path / "run.yaml"
    file.write_text(GOOD.replace("builtin:object", "my.ply"))
    assert load_run(file).config.workload.scene == str(tmp_path / "my.ply")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("baseline: orin-nx", "baseline: orin",
         "run.yaml:9: baseline: there is no system 'orin'\n  remedy: did you mean 'orin-nx'?"),
        ("machine: streaminggs", "machine: streamings",
         "run.yaml:7: systems.ours.machine: unknown machine 'streamings'\n"
         "  remedy: did you mean 'streaminggs'?"),
        ("machine: streaminggs", "machine: mine.yaml", "mine.yaml: cannot read: No such file"),
        ("mode: MAXN", "mode: maxn",
         "run.yaml:5: systems.orin-nx.mode: orin-nx-16gb has no power mode 'maxn'\n"
         "  remedy: did you mean 'MAXN'?"),
        ("machine: streaminggs", "machine: streaminggs\n    mode: MAXN",
         "run.yaml:8: systems.ours.mode: streaminggs has no power modes"),
        ("machine: streaminggs", "machine: orin-nx-16gb",
         "run.yaml:8: systems.ours.method: streaminggs runs on an accelerator, but orin-nx-16gb "
         "is a GPU"),
        ("kind: streaminggs}", "kind: streaminggs, voxelsize: 1}",
         "run.yaml:8: systems.ours.method.voxelsize: unknown key\n"
         "  remedy: did you mean 'voxel_size'?"),
        ("kind: streaminggs}", "kind: streamings}",
         "run.yaml:8: systems.ours.method: unknown kind 'streamings', expected one of"),
        ("  kind: gs3d", "  kind: llm", "run.yaml:2: workload.kind: found 'llm', expected"),
        ("scene: builtin:object", "scene: builtin:object\n  resolution: [0, 20]",
         "resolution [0, 20]"),
        ("scene: builtin:object", "scen: builtin:object", "workload.scen: unknown key"),
        ("baseline:", "memory_limit: 8 apples\nbaseline:",
         "run.yaml:9: memory_limit: '8 apples' has the wrong unit"),
        ("baseline:", "memory_limit: 0\nbaseline:", "memory_limit: found 0, expected greater than"),
        ("  ours:", "  our system:", "is no system name: use letters"),
        ("baseline: orin-nx", "baseline: orin-nx\nbaseline: ours",
         "run.yaml:10: baseline: given twice, first in line 9"),
        ("kind: tile-raster", "kind: tile-raster, sort: quick",
         "run.yaml:5: systems.orin-nx.method.sort: found 'quick', expected one of"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_place_and_remedy(
    tmp_path: Path, old: str, new: str, expected: str
) -> None:
    assert old in GOOD
    assert expected in error_of(tmp_path, GOOD.replace(old, new))


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [
        ("systems.orin.mode=15W", "systems has no 'orin'\n  remedy: did you mean 'orin-nx'?"),
        ("systems.orin-nx.mode=60W", "--set systems.orin-nx.mode=60W: systems.orin-nx.mode: "
                                     "orin-nx-16gb has no power mode '60W'"),
        ("systems.ours.machine=orin-nx-16gb", "streaminggs runs on an accelerator, but"),
        ("systems.orin-nx.machine=streaminggs", "systems.orin-nx.mode: streaminggs has no power"),
        ("systems.ours.method.kind=tile-raster", "systems.ours.method: tile-raster runs on a GPU"),
        ("workload.resolution=[0,5]", "workload: resolution [0, 5]: both must be"),
        ("workload.cameras.orbit.view=2", "workload.cameras.orbit has no 'view'"),
        ("sytems={}", "there is no 'sytems'\n  remedy: did you mean 'systems'?"),
    ],
)  # fmt: skip
def test_bad_assignments_name_the_argument(tmp_path: Path, assignment: str, expected: str) -> None:
    text = error_of(tmp_path, GOOD, assignment)
    assert text.startswith(f"--set {assignment}")
    assert expected in text


def test_a_set_camera_source_replaces_the_files(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(GOOD.replace("object", "object\n  cameras: {orbit: {views: 3}, pick: [0]}"))

    def cameras(*assignments: str) -> dict[str, Any]:
        config = load_run(file, assignments=assignments).config
        return config.workload.cameras.model_dump(exclude_none=True)

    assert cameras("workload.cameras.file=cameras.json") == {"file": "cameras.json", "pick": [0]}
    assert set(cameras("workload.cameras.builtin.views=2")) == {"builtin", "pick"}
    assert cameras("workload.cameras.orbit.views=2")["orbit"]["views"] == 2
    text = error_of(tmp_path, GOOD, "workload.cameras.file=a.json", "workload.cameras.builtin={}")
    assert "found file and builtin" in text


def test_a_system_may_change_its_machine(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    changed = "    set: {memory.device: lpddr4-3200, memory.channels.value: 8}\n    method:"
    file.write_text(GOOD.replace("    method:", changed))
    machine = load_run(file).systems[1].machine
    channels = machine.memory.channels
    assert (machine.memory.device, channels.value, channels.low, channels.high) == (
        "lpddr4-3200", 8, 8, 8,
    )  # fmt: skip
    assert channels.source.startswith("set by this run; the machine's file says 4: ")
    # a choice is known exactly, also beyond what the file's own value may range over
    file.write_text(
        GOOD.replace("    method:", "    set: {units.vru.count.value: 1000}\n    method:")
    )
    renders = load_run(file).systems[1].machine.units["vru"].count
    assert (renders.value, renders.low, renders.high, renders.assumed) == (1000, 1000, 1000, False)
    assert "Changed by this run: memory.device = lpddr4-3200." in machine.notes
    assert load_machine("streaminggs").memory.device == "lpddr3-1600"


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("memory.devise: x", "memory has no 'devise'\n  remedy: did you mean 'device'?"),
        ("memory.device: lpddr4", "memory.device: unknown DRAM device 'lpddr4'"),
        ("memory.channels.value: many", "memory.channels.value: found 'many'"),
        ("memory.channels.value: 2.5", "memory.channels"),
        ("units.vru.count.value: 0", "units.vru.count"),
        ("memory.channels.low: 2", "only the value can be changed alone\n  remedy: set "
                                   "memory.channels to a whole {value: ..., range: ..., "),
        ("memory.channels: 8", "memory.channels"),
    ],
)  # fmt: skip
def test_changes_of_a_machine_are_checked(tmp_path: Path, entry: str, expected: str) -> None:
    text = GOOD.replace("    method: {kind: s", f"    set:\n      {entry}\n    method: {{kind: s")
    message = error_of(tmp_path, text)
    assert message.startswith("run.yaml:9: systems.ours.set: ")
    assert expected in message


def test_a_negative_seed_names_the_option(tmp_path: Path) -> None:
    assert "--seed -1: seed: found -1" in error_of(tmp_path, GOOD, seed=-1)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("streaminggz", "no shipped configuration 'streaminggz'"),
        ("none/run.yaml", "none/run.yaml: no such file"),
        (".", "is a folder"),
    ],
)
def test_a_configuration_that_is_not_there(source: str, expected: str) -> None:
    with pytest.raises(ConfigError, match="shipped configuration") as caught:
        load_run(source)
    assert expected in str(caught.value)


@pytest.mark.parametrize("name", list_runs())
def test_shipped_configurations_are_right(name: str) -> None:
    run = load_run(name)
    assert run.name == name
    assert run.config.baseline in {plan.name for plan in run.systems}


def test_the_place_of_a_shipped_configuration_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archsim.config.load_machine", _unknown)
    with pytest.raises(ConfigError) as caught:
        load_run("streaminggs")
    assert Path(str(caught.value.place).rpartition(":")[0]).is_file()


def _unknown(name: str, **_: Any) -> None:
    raise ConfigError(f"unknown machine {name!r}")


def test_every_key_of_the_schema_is_described() -> None:
    for what in ("run", "machine"):
        schema = run_schema(what)
        json.dumps(schema)
        assert schema["$schema"].startswith("https://json-schema.org/")
    run = run_schema("run")
    parts = {"RunConfig": run, **run["$defs"]}
    missing = [
        f"{part}.{key}"
        for part, schema in parts.items()
        for key, entry in schema.get("properties", {}).items()
        if "description" not in entry and "const" not in entry
    ]
    assert not missing
