"""``archsim dram``: what the commands print and write, and how they refuse."""

import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from archsim.api import run
from archsim.arch.dram import device_clocks, list_devices, load_device
from archsim.cli import main
from archsim.sim.dram.mapping import MAPPINGS

CONFIG: dict[str, Any] = {
    "workload": {
        "kind": "gs3d",
        "scene": "builtin:object",
        "gaussians": 2000,
        "resolution": [100, 75],
    },
    "systems": {
        "orin-nx": {"machine": "orin-nx-16gb", "mode": "15W", "method": {"kind": "tile-raster"}},
        "streaminggs": {"machine": "streaminggs", "method": {"kind": "streaminggs"}},
    },
    "baseline": "orin-nx",
}
HEADER = "arrival_cycle,line,write\n"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small run, its traces in a cache of its own."""
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARCHSIM_CACHE", str(folder / "cache"))
        run(CONFIG, out=folder / "run")
    return folder


@pytest.fixture
def dram(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("COLUMNS", "160")

    def command(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["archsim", "dram", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            main()
        text = capsys.readouterr()
        return int(stopped.value.code or 0), text.out, text.err

    return command


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    file = tmp_path / "trace.csv"
    file.write_text(HEADER + "0,0,0\n0,4,0\n300,8,1\n")
    return file


def test_devices_are_listed_with_their_peak(dram):
    status, out, _ = dram("devices")
    assert status == 0
    for name in list_devices():
        row = next(line for line in out.splitlines() if line.startswith(f"{name} "))
        assert f"{load_device(name).bandwidth_gb_s():#.3g}".rstrip(".") in row
    assert "sources" in out


def test_a_trace_is_served_cycle_by_cycle(dram, trace, tmp_path):
    t = device_clocks(load_device("ddr4-3200")).timings
    status, out, _ = dram("run", "ddr4-3200", trace, "--no-refresh", "--out", tmp_path / "o.csv")
    assert status == 0
    first = t["nRCD"] + t["nCL"] + t["nBL"]
    table = pd.read_csv(tmp_path / "o.csv")
    assert table["arrival_cycle"].tolist() == [0, 0, 300]
    assert table["line"].tolist() == [0, 4, 8]
    assert table["write"].tolist() == [0, 0, 1]
    assert table["accept_cycle"].tolist() == [0, 1, 300]
    assert table["return_cycle"].tolist() == [first, first + t["nCCDL"], 300]
    for words in (
        "reads, writes  2, 1",
        "activates      1",
        "row hits       2, 67%",
        "GB/s",
        "pJ/b",
    ):
        assert " ".join(words.split()) in " ".join(out.split())
    assert not list(tmp_path.glob(".o.csv*"))


def test_parquet_holds_what_csv_holds(dram, trace, tmp_path):
    for name in ("o.csv", "o.parquet"):
        dram("run", "lpddr5-6400", trace, "--out", tmp_path / name)
    pd.testing.assert_frame_equal(
        pd.read_csv(tmp_path / "o.csv"), pd.read_parquet(tmp_path / "o.parquet"), check_dtype=False
    )


def test_refresh_mapping_and_fidelity_make_a_difference(dram, tmp_path):
    file = tmp_path / "stream.csv"
    file.write_text(HEADER + "".join(f"0,{i},0\n" for i in range(5000)))

    def time(*options: str) -> str:
        _, out, _ = dram("run", "ddr4-3200", file, *options)
        return next(line for line in out.splitlines() if line.startswith("time"))

    results = [time(), time("--no-refresh"), time("--mapping", MAPPINGS[0]),
               time("--fidelity", "row")]  # fmt: skip
    assert len(set(results)) == 4
    assert time() == results[0]


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("arrival_cycle,write\n0,0\n", ":1", "has no column line"),
        (HEADER, "", "has no requests"),
        ("", "", "is no CSV file"),
        (HEADER + "0,1,0\n1,x,0\n", ":3", "line: found 'x', expected a whole number"),
        (HEADER + "0,1,0\n1,2.5,0\n", ":3", "line: found '2.5', expected a whole number"),
        (HEADER + "0,1,0\n1,,0\n", ":3", "line: found '', expected a whole number"),
        (HEADER + "0,1,0\n\n1,1,0\n", ":3", "found '', expected a whole number"),
        (HEADER + "0,99999999999999999999,0\n", ":2", "line: found '9999"),
        (HEADER + "0,1,0\n-1,1,0\n", ":3", "arrival_cycle is negative: -1"),
        (HEADER + "0,-7,0\n", ":2", "line is negative: -7"),
        (HEADER + "5,1,0\n4,1,0\n", ":3", "arrival_cycle 4 comes after 5"),
        (HEADER + f"0,1,0\n0,{2**27},0\n", ":3", f"line {2**27} is beyond the channel's {2**27}"),
        (HEADER + "0,1,2\n", ":2", "write is 2"),
    ],
)
def test_a_bad_trace_is_one_error_with_its_line(dram, tmp_path, text, place, words):
    file = tmp_path / "bad.csv"
    file.write_text(text)
    status, out, err = dram("run", "ddr4-3200", file, "--out", tmp_path / "o.csv")
    assert status == 3
    assert f"{file}{place}: " in err
    assert words in err
    assert "remedy: " in err
    assert out == ""
    assert not (tmp_path / "o.csv").exists()


def test_the_last_line_of_the_device_is_within_it(dram, tmp_path):
    file = tmp_path / "last.csv"
    file.write_text(HEADER + f"0,{2**27 - 1},0\n")
    assert dram("run", "ddr4-3200", file)[0] == 0


def test_columns_come_in_any_order_with_others_beside_them(dram, trace, tmp_path):
    file = tmp_path / "other.csv"
    file.write_text("who,write,line,arrival_cycle\na,0,0,0\nb,0,4,0\nc,1,8,300\n")
    dram("run", "ddr4-3200", trace, "--out", tmp_path / "1.csv")
    dram("run", "ddr4-3200", file, "--out", tmp_path / "2.csv")
    assert (tmp_path / "1.csv").read_text() == (tmp_path / "2.csv").read_text()


def test_wrong_names_and_places_are_refused(dram, trace, tmp_path):
    for arguments, status, words in (
        (("ddr3", trace), 2, "there is no DRAM device 'ddr3'"),
        (("ddr4-3200", trace, "--mapping", "best"), 2, "there is no DRAM mapping 'best'"),
        (("ddr4-3200", tmp_path / "none.csv"), 3, "cannot be read: No such file"),
        (("ddr4-3200", tmp_path), 3, "cannot be read"),
        (("ddr4-3200", trace, "--out", "o.txt"), 5, "ends in '.txt'"),
        (("ddr4-3200", trace, "--out", trace), 5, "is the trace itself"),
        (("ddr4-3200", trace, "--out", trace / "o.csv"), 5, "cannot be written"),
    ):
        found, out, err = dram("run", *arguments)
        assert (found, out) == (status, "")
        assert words in err
        assert err.count("error:") == 1
    assert trace.read_text().startswith(HEADER)


def test_a_curve_is_a_table_and_a_page_that_needs_nothing_else(dram, tmp_path):
    file = tmp_path / "folder" / "curve.html"
    status, out, _ = dram("curve", "ddr4-3200", "--requests", "200", "--out", file)
    assert status == 0
    assert "sequential reads" in out
    page = file.read_text("utf-8")
    assert "Plotly.react" in page
    ours = page[: page.index("<script>/")]  # without Plotly itself
    assert not any(reference in ours for reference in ("http", "src=", "href=", "@import"))
    start = page.index('application/json">') + len('application/json">')
    figure = json.loads(page[start : page.index("</script>", start)])
    assert [t["name"] for t in figure["data"]] == [
        "sequential reads", "sequential copy", "random reads", "random, a third writes",
    ]  # fmt: skip
    assert all(len(t["x"]) == len(t["y"]) == 13 for t in figure["data"])


def test_a_run_is_replayed_from_its_cached_traces(dram, finished, monkeypatch):
    monkeypatch.setenv("ARCHSIM_CACHE", str(finished / "cache"))
    status, out, _ = dram("replay", finished / "run")
    assert status == 0
    for words in ("orin-nx orbit-0", "streaminggs orbit-0", "memory in service", "100%"):
        assert words in out
    assert "recorded again" not in out
    status, out, _ = dram(
        "replay", finished / "run", "--system", "streaminggs", "--max-requests", 800
    )
    assert "orin-nx" not in out
    assert "800 bursts" in out
    assert "in 8 parts" in out


def test_a_replay_says_when_traces_had_to_be_recorded_again(dram, finished, tmp_path, monkeypatch):
    monkeypatch.setenv("ARCHSIM_CACHE", str(tmp_path / "empty"))
    status, out, _ = dram("replay", finished / "run", "--system", "streaminggs")
    assert status == 0
    assert "2 traces were not in the cache and were recorded again" in out


def test_what_is_no_run_is_not_replayed(dram, finished, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "manifest.json").write_text("{}")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "manifest.json").write_text("{")
    for folder, status, words in (
        (tmp_path / "none", 3, "cannot be read"),
        (tmp_path / "other", 3, "is not the manifest of a run"),
        (tmp_path / "broken", 3, "is no JSON"),
    ):
        found, out, err = dram("replay", folder)
        assert (found, out) == (status, "")
        assert words in err
    found, _, err = dram("replay", finished / "run", "--system", "streamings")
    assert found == 2
    assert "the run has no system 'streamings'" in err
    assert "streaminggs" in err
