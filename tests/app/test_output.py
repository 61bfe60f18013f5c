"""A result's folder appears whole or not at all, and replaces only earlier results."""

import errno
import json
from pathlib import Path

import pytest

from archsim.base.errors import OutputError
from archsim.output import check_destination, default_folder, to_json, write_folder


def fill(number: int) -> "Filler":
    return Filler(number)


class Filler:
    def __init__(self, number: int) -> None:
        self.number = number

    def __call__(self, folder: Path) -> None:
        (folder / "images").mkdir()
        (folder / "images" / "a.png").write_bytes(b"png")
        data = {"schema": "archsim-result-1", "number": self.number}
        (folder / "result.json").write_text(to_json(data))


def number_in(folder: Path) -> int:
    return int(json.loads((folder / "result.json").read_text())["number"])


def test_a_new_folder_appears_with_its_parents(tmp_path: Path) -> None:
    out = tmp_path / "runs" / "first"
    write_folder(out, fill(1))
    assert number_in(out) == 1
    assert list(out.parent.iterdir()) == [out]


def test_an_empty_folder_and_an_earlier_result_are_replaced(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    write_folder(out, fill(1))
    (out / "report.html").write_text("old")
    write_folder(out, fill(2))
    assert number_in(out) == 2
    assert not (out / "report.html").exists()
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize(
    ("name", "content"),
    [("thesis.tex", "x"), ("result.json", "{}"), ("result.json", '{"schema": "other"}'),
     ("result.json", "not json")],
)  # fmt: skip
def test_somebody_elses_files_are_never_touched(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(OutputError, match="no earlier result"):
        write_folder(tmp_path, fill(1))
    assert [p.name for p in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == content


@pytest.mark.parametrize("below", ["", "deeper/still"])
def test_a_file_in_the_way_is_named(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="is no folder") as caught:
        check_destination(tmp_path / "file" / below)
    assert caught.value.place == str(tmp_path / "file")


def test_files_of_others_beside_an_earlier_result_stay(tmp_path: Path) -> None:
    out = tmp_path / "out"

    def listed(folder: Path) -> None:
        fill(1)(folder)
        (folder / "manifest.json").write_text(
            to_json({"files": ["result.json", "manifest.json", "images/a.png", "../secret"]})
        )

    write_folder(out, listed)
    (tmp_path / "secret").write_text("not ours")
    (out / "notes.txt").write_text("mine")
    (out / "images" / "mine.png").write_text("mine")
    write_folder(out, fill(2))
    assert number_in(out) == 2
    assert (out / "notes.txt").read_text() == "mine"
    assert (out / "images" / "mine.png").read_text() == "mine"
    assert not (out / "manifest.json").exists()  # the earlier result's
    assert (tmp_path / "secret").exists()
    assert {p.name for p in out.iterdir()} == {"images", "notes.txt", "result.json"}


def test_a_file_of_others_is_not_overwritten(tmp_path: Path) -> None:
    out = tmp_path / "out"

    def without_images(folder: Path) -> None:
        (folder / "result.json").write_text(to_json({"schema": "archsim-result-1", "number": 1}))
        (folder / "manifest.json").write_text(to_json({"files": ["result.json", "manifest.json"]}))

    write_folder(out, without_images)
    (out / "images").mkdir()
    (out / "images" / "a.png").write_text("mine")
    with pytest.raises(OutputError, match=r"a\.png: is in the way"):
        write_folder(out, fill(2))
    assert number_in(out) == 1
    assert (out / "images" / "a.png").read_text() == "mine"


def test_the_current_folder_stays_the_same_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a mount point must, which cannot be renamed."""
    monkeypatch.chdir(tmp_path)
    inode = tmp_path.stat().st_ino
    for number in (1, 2):
        write_folder(Path(), fill(number))
        assert number_in(tmp_path) == number
    assert tmp_path.stat().st_ino == inode
    assert Path.cwd() == tmp_path
    assert {p.name for p in tmp_path.iterdir()} == {"images", "result.json"}


@pytest.mark.parametrize(
    "failure", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()]
)
def test_a_failure_leaves_the_earlier_result_and_nothing_else(
    tmp_path: Path, failure: BaseException
) -> None:
    out = tmp_path / "out"
    write_folder(out, fill(1))

    def fail(folder: Path) -> None:
        fill(2)(folder)
        raise failure

    expected = OutputError if isinstance(failure, OSError) else KeyboardInterrupt
    with pytest.raises(expected) as caught:
        write_folder(out, fail)
    if isinstance(failure, OSError):
        assert "No space left on device" in str(caught.value)
        assert "remedy" in str(caught.value)
    assert number_in(out) == 1
    assert list(tmp_path.iterdir()) == [out]


def test_a_failed_swap_puts_the_earlier_result_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    write_folder(out, fill(1))
    rename = Path.rename
    calls = []

    def second_fails(self: Path, target: Path) -> Path:
        calls.append(target)
        if len(calls) == 2:
            raise OSError(errno.EIO, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", second_fails)
    with pytest.raises(OutputError, match="Input/output error"):
        write_folder(out, fill(2))
    assert number_in(out) == 1


@pytest.mark.parametrize(
    ("assignments", "name"),
    [
        ([], "mine"),
        (["workload.lod=2"], "mine"),
        (["workload.scene=scenes/biker.compressed.ply"], "mine-biker"),
        (["workload.scene=playbot/lod-meta.json"], "mine-playbot"),
        (["workload.scene=builtin:object"], "mine-object"),
        (["workload.scene=a.ply", "workload.scene=b c.ply"], "mine-b_c"),
    ],
)
def test_each_scene_has_a_folder_of_its_own(assignments: list[str], name: str) -> None:
    assert default_folder("runs/mine.yaml", assignments) == Path("archsim-out") / name


def test_compositions_have_folders_apart() -> None:
    folders = {default_folder("a", [f"workload.scene={{compose: [{i}]}}"]) for i in range(2)}
    assert len(folders) == 2


def test_numbers_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError):
        to_json({"speedup": float("nan")})
