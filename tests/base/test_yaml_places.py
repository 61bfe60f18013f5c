"""Places, wrong keys and values, --set: one clear error each, naming file, line and remedy."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, model_validator

from archsim.base.errors import ConfigError
from archsim.base.yaml_places import apply_set, load_yaml, parse_yaml, validate


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Raster(Part):
    kind: Literal["tile-raster"]
    tile: int = Field(default=16, gt=0, description="pixels on a side")


class Streaming(Part):
    kind: Literal["streaminggs"]
    clock_mhz: float = Field(default=1000.0, description="core clock")
    buffer: dict[str, float] = {}


class Composition(Part):
    parts: list[str]


class System(Part):
    machine: str = Field(description="name or file")
    mode: Literal["MAXN", "15W"] | None = None
    method: Annotated[Raster | Streaming, Field(discriminator="kind")]


class Run(Part):
    systems: dict[str, System]
    scene: str | Composition = "room"
    size: tuple[int, int] = (640, 360)
    seed: int = 0

    @model_validator(mode="after")
    def _has_systems(self) -> "Run":
        if not self.systems:
            raise ValueError("needs at least one system")
        return self


GOOD = "systems:\n  orin:\n    machine: orin-nx\n    method: {kind: tile-raster}\n"


def check(text: str, *assignments: str) -> Any:
    data, places = parse_yaml(text, "run.yaml")
    return validate(Run, apply_set(Run, data, places, assignments), places)


def error_of(text: str, *assignments: str) -> str:
    with pytest.raises(ConfigError) as caught:
        check(text, *assignments)
    return str(caught.value)


def test_good_configuration_is_returned_as_the_model() -> None:
    run = check(GOOD + "size: [320, 180]\n")
    assert run.systems["orin"].method == Raster(kind="tile-raster")
    assert run.size == (320, 180)


def test_unknown_key_names_line_path_and_nearest_key() -> None:
    text = error_of(GOOD + "seeed: 1\n")
    assert text == "run.yaml:5: seeed: unknown key\n  remedy: did you mean 'seed'?"


def test_unknown_key_with_nothing_near_lists_the_valid_keys() -> None:
    assert "valid: systems, scene, size, seed" in error_of(GOOD + "zzz: 1\n")


def test_unknown_key_with_another_unit_names_the_unit_of_the_nearest_key() -> None:
    text = error_of(
        "systems:\n  s:\n    machine: m\n    method: {kind: streaminggs, clock_ghz: 1}\n"
    )
    assert "systems.s.method.clock_ghz: unknown key" in text
    assert "did you mean 'clock_mhz'? (in MHz)" in text


def test_wrong_unit_in_a_value_says_which_is_expected() -> None:
    text = error_of(
        "systems:\n  s:\n    machine: m\n    method: {kind: streaminggs, clock_mhz: 1 GHz}\n"
    )
    assert text == (
        "run.yaml:4: systems.s.method.clock_mhz: found '1 GHz', expected a number "
        "(core clock, in MHz)"
    )


def test_missing_key_says_what_it_is() -> None:
    text = error_of("systems:\n  s:\n    method: {kind: tile-raster}\n")
    assert text.startswith("run.yaml:2: systems.s.machine: missing (name or file)")


def test_out_of_range_value() -> None:
    text = error_of(GOOD.replace("tile-raster", "tile-raster, tile: 0"))
    assert "run.yaml:4: systems.orin.method.tile: found 0, expected greater than 0" in text


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        (
            "{kind: tile-rastr}",
            "unknown kind 'tile-rastr', expected one of tile-raster, streaminggs",
        ),
        ("{tile: 8}", "missing key 'kind'"),
        ("raster", "found 'raster', expected a mapping"),
    ],
)
def test_a_union_speaks_about_the_chosen_kind(method: str, expected: str) -> None:
    text = error_of(f"systems:\n  s:\n    machine: m\n    method: {method}\n")
    assert f"run.yaml:4: systems.s.method: {expected}" in text
    assert "2 problems" not in text


def test_literal_names_the_nearest_value() -> None:
    text = error_of(GOOD + "  b: {machine: m, mode: 15w, method: {kind: tile-raster}}\n")
    assert "found '15w', expected one of MAXN, 15W" in text
    assert "did you mean '15W'?" in text


def test_a_union_without_a_kind_speaks_about_the_member_that_has_the_shape() -> None:
    text = error_of(GOOD + "scene: {prts: [a]}\n")
    assert "scene.prts: unknown key (did you mean 'parts'?)" in text
    assert "text" not in text


def test_a_union_that_nothing_fits_names_all_its_members() -> None:
    assert "scene: found 3, expected text or a mapping" in error_of(GOOD + "scene: 3\n")


def test_all_problems_come_at_once_each_with_its_line() -> None:
    text = error_of("systems:\n  s:\n    method: {kind: tile-raster, til: 3}\nseed: x\nscne: y\n")
    assert "4 problems" in text
    assert re.search(r"run\.yaml:3: systems\.s\.method\.til: unknown key", text)
    assert re.search(r"run\.yaml:4: seed: found 'x', expected a whole number", text)
    assert re.search(r"run\.yaml:5: scne: unknown key", text)


def test_validators_own_words_are_kept() -> None:
    assert error_of("systems: {}\n") == "run.yaml:1: needs at least one system"


def test_duplicate_key_names_both_lines() -> None:
    text = error_of(GOOD + "seed: 1\nseed: 2\n")
    assert "run.yaml:6: seed: given twice, first in line 5" in text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: [1\nb: 2\n", "run.yaml:2: not valid YAML"),
        ("a: 1\n---\nb: 2\n", "not valid YAML"),
        ("", "run.yaml: is empty"),
        ("a: !python/object:os.system x\n", "unknown YAML tag"),
        ("a: &x {b: *x}\n", "refers to itself"),
        ("? [1]\n: 2\n", "a key must be text"),
    ],
)
def test_broken_yaml_is_one_error(text: str, expected: str) -> None:
    assert expected in error_of(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"), ("on", "on"), ("true", True), ("False", False), ("16:9", "16:9"),
        ("1e9", 1e9), ("1.5", 1.5), (".5", 0.5), ("-3", -3), ("010", 10), ("0x1F", 31),
        ("null", None), ("~", None), ("", None), ("2026-01-01", "2026-01-01"), ("15W", "15W"),
        ("'1'", "1"), (".inf", float("inf")),
    ],
)  # fmt: skip
def test_scalars_are_those_of_yaml_1_2(text: str, value: object) -> None:
    assert parse_yaml(f"a: {text}\n", "x")[0] == {"a": value}


def test_keys_are_always_text() -> None:
    assert parse_yaml("{15: a, no: b}", "x")[0] == {"15": "a", "no": "b"}


def test_places_of_lists_and_nested_keys() -> None:
    _, places = parse_yaml("a:\n  - b: 1\n    c: 2\n  - d\n", "f.yaml")
    assert places.of(("a", 0, "c")) == "f.yaml:3"
    assert places.of(("a", 1)) == "f.yaml:4"
    assert places.of(("a", 1, "unknown")) == "f.yaml:4"


def test_missing_file_and_binary_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load_yaml(tmp_path / "none.yaml")
    binary = tmp_path / "scene.ply"
    binary.write_bytes(b"ply\n\xff\xfe")
    with pytest.raises(ConfigError, match="not a text file"):
        load_yaml(binary)


def test_set_replaces_and_adds() -> None:
    run = check(GOOD + "size: [640, 360]\n", "systems.orin.method.tile=8", "size.1=100", "seed=7")
    assert (run.systems["orin"].method.tile, run.size, run.seed) == (8, (640, 100), 7)


def test_set_can_change_the_kind_and_add_a_system() -> None:
    run = check(GOOD, "systems.new={machine: m, method: {kind: streaminggs}}",
                "systems.orin.method={kind: streaminggs}")  # fmt: skip
    assert {s.method.kind for s in run.systems.values()} == {"streaminggs"}


def test_set_reaches_into_a_name_with_dots() -> None:
    text = GOOD.replace("orin:", "orin.15W:")
    run = check(text, "systems.orin.15W.method.tile=8", "systems.orin.15W.machine=other")
    system = run.systems["orin.15W"]
    assert (system.machine, system.method) == ("other", Raster(kind="tile-raster", tile=8))
    assert "systems has no 'orin'" in error_of(text, "systems.orin.mode=15W")


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [
        ("seed", "--set seed: expected path.to.key=value"),
        ("sed=1", "--set sed=1: there is no 'sed'\n  remedy: did you mean 'seed'?"),
        ("systems.orinn.mode=15W", "systems has no 'orinn'\n  remedy: did you mean 'orin'?"),
        ("systems.orin.method.til=1", "systems.orin.method has no 'til'"),
        ("systems.orin.method.tile=big", "found 'big', expected a whole number (pixels on a side)"),
        ("size.7=1", "size is a list of 2, it has no '7'"),
        ("systems.orin.method={}", "systems.orin.method: missing key 'kind'"),
        ("seed=[1", "not valid YAML"),
        ("scene.parts=[a]", "cannot set 'parts' inside the value 'room'"),
    ],
)
def test_bad_set_names_the_argument(assignment: str, expected: str) -> None:
    text = error_of(GOOD + "size: [640, 360]\nscene: room\n", assignment)
    assert text.startswith(f"--set {assignment}")
    assert expected in text
