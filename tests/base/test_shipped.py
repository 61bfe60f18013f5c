"""Shipped YAML files by name, and files of a user's by path."""

from pathlib import Path

import pytest

from archsim.base.errors import ConfigError
from archsim.base.shipped import find_yaml, list_shipped, read_shipped

MACHINES = "archsim.configs.machines"


def test_shipped_files_are_listed_and_read_by_name() -> None:
    names = list_shipped(MACHINES)
    assert names == sorted(names)
    assert "gscore" in names
    data, places = read_shipped(MACHINES, "gscore")
    assert data["name"] == "gscore"
    assert places.of(("name",)).startswith("machines/gscore.yaml:")


def test_a_file_comes_before_a_shipped_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gscore.yaml").write_text("name: mine\n")
    monkeypatch.chdir(tmp_path)
    assert find_yaml("gscore.yaml", MACHINES, "machine")[:2] == ("gscore", {"name": "mine"})
    name, data, places, folder = find_yaml("gscore", MACHINES, "machine")
    assert (name, data["name"], folder) == ("gscore", "gscore", None)
    assert Path(places.source).is_file()


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("gscor", "no file and no shipped machine 'gscor'"),
        ("none/gscore.yaml", "none/gscore.yaml: no such file"),
        (".", ".: is a folder"),
    ],
)
def test_what_is_not_there_is_said(source: str, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        find_yaml(source, MACHINES, "machine")
    assert expected in str(caught.value)
    assert "give a YAML file or a shipped machine" in str(caught.value.remedy)
