"""``archsim validate``: tables, exit status, JSON, and what it says of a wrong input."""

import json
import shutil

import pytest

from archsim.base.errors import ConfigError, OutputError
from archsim.sim.validation.checks import Check
from archsim.sim.validation.row import Tolerance, compare
from archsim.validate import data_folder, validate


def check(ours, part="sram", tolerance=None):
    def rows(inputs):
        yield compare("sram", "one memory", "leakage", reference=10.0, ours=ours, unit="mW",
                      source="a data sheet", tolerance=tolerance or Tolerance.within(0.1),
                      note="at 4 KiB")  # fmt: skip

    return [Check("sram", "memories", rows)]


@pytest.fixture
def checks(monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("ARCHSIM_DATA", "")

    def use(chosen):
        monkeypatch.setattr("archsim.validate.checks_of", lambda parts: chosen)

    return use


def test_a_pass_exits_0_and_shows_everything(checks, capsys):
    checks(check(10.5))
    assert validate("sram", data=None, json=None) == 0
    shown = capsys.readouterr().out
    for words in ("one memory", "at 4 KiB", "leakage", "10 mW [1]", "10.5 mW", "+5.00 %",
                  "±10 %", "pass", "[1] a data sheet", "1 pass, 0 miss, 0 skip"):  # fmt: skip
        assert words in shown


def test_an_unexplained_miss_exits_1_and_is_named(checks, capsys):
    checks(check(12.0))
    assert validate("sram", data=None, json=None) == 1
    shown = capsys.readouterr().out
    assert "+20.00 %" in shown
    assert "no known deviation explains:\n  sram, one memory: leakage" in shown


def test_a_known_miss_exits_0_with_its_id(checks, capsys, monkeypatch):
    from archsim.sim.validation.deviations import Deviation

    known = Deviation(id="leak-1", part="sram", cases=["one*"], quantity="leakage",
                      errors=(0.19, 0.21), cause="known")  # fmt: skip
    monkeypatch.setattr("archsim.validate.deviations", lambda: (known,))
    checks(check(12.0))
    assert validate("sram", data=None, json=None) == 0
    shown = capsys.readouterr().out
    assert "known deviation: leak-1" in shown
    assert "0 pass, 1 miss, 0 skip" in shown
    assert "1 of the misses are known: see DEVIATIONS.md\n    1 leak-1" in shown
    checks(check(12.2))  # it grew
    assert validate("sram", data=None, json=None) == 1


@pytest.mark.parametrize(
    ("tolerance", "ours", "error", "allowed"),
    [
        (Tolerance.exact(), 10.0, "0", "exact"),
        (Tolerance.absolute(0.5), 10.25, "+0.25", "±0.5"),
        (Tolerance.below(0.06), 9.7, "-3.00 %", "-6 to 0 %"),
    ],
)
def test_errors_and_tolerances_are_shown_in_their_kind(
    checks, capsys, tolerance, ours, error, allowed
):
    checks(check(ours, tolerance=tolerance))
    validate("sram", data=None, json=None)
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "leakage" in line]
    assert line.split("mW")[-1].split() == [*error.split(), *allowed.split(), "pass"]


def test_rows_are_written_as_json(checks, tmp_path):
    checks(check(12.0))
    file = tmp_path / "rows.json"
    assert validate("sram", data=None, json=file) == 1
    written = json.loads(file.read_text())
    (row,) = written["rows"]
    assert written["schema"] == "archsim-validation-1"
    assert (row["claim"], row["verdict"], row["source"]) == (
        "one memory: leakage", "miss", "a data sheet",
    )  # fmt: skip
    assert row["error"] == pytest.approx(0.2)
    with pytest.raises(OutputError, match="choose another file with --json"):
        validate("sram", data=None, json=tmp_path / "missing" / "rows.json")


def test_without_data_a_part_that_needs_it_is_skipped_and_says_what_is_missing(monkeypatch, capsys):
    monkeypatch.setenv("ARCHSIM_DATA", "")
    monkeypatch.setenv("COLUMNS", "160")
    assert validate("sram", data=None, json=None) == 0
    shown = capsys.readouterr().out
    assert "needs hardware/cacti_sram.json" in shown
    assert "0 pass, 0 miss, 2 skip" in shown


def test_a_tampered_reference_is_a_miss(data, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    (tmp_path / "hardware").mkdir()
    file = tmp_path / "hardware" / "cacti_sram.json"
    shutil.copyfile(data / "hardware" / "cacti_sram.json", file)
    assert validate("sram", data=tmp_path, json=None) == 0
    sweep = json.loads(file.read_text())
    place = next(i for i, row in enumerate(sweep["rows"]) if row[:4] == [32, "itrs-hp", 65536, 256])
    sweep["rows"][place][4] *= 1.5
    file.write_text(json.dumps(sweep))
    capsys.readouterr()
    assert validate("sram", data=tmp_path, json=None) == 1
    assert "sram, shipped table, itrs-hp 32 nm, worst of 10: read energy" in capsys.readouterr().out


def test_an_unknown_part_and_a_missing_folder_are_refused(tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match=r"no part 'ram'.*\n.*dram, energy, sram"):
        validate("ram", data=None, json=None)
    with pytest.raises(ConfigError, match=r"--data .*nowhere: there is no such folder"):
        validate(None, data=tmp_path / "nowhere", json=None)
    monkeypatch.setenv("ARCHSIM_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(ConfigError, match=r"ARCHSIM_DATA .*nowhere: there is no such folder"):
        validate("sram", data=None, json=None)
    monkeypatch.setenv("ARCHSIM_DATA", str(tmp_path))
    assert data_folder(None) == tmp_path
    assert data_folder(tmp_path / "..") == tmp_path / ".."
    monkeypatch.setenv("ARCHSIM_DATA", "")
    assert data_folder(None) is None


def test_the_command_gives_its_status(monkeypatch):
    import sys

    from archsim import cli

    for status in (0, 1):
        monkeypatch.setattr("archsim.validate.validate", lambda *a, status=status, **k: status)
        monkeypatch.setattr(sys, "argv", ["archsim", "validate", "sram"])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        assert caught.value.code == status
