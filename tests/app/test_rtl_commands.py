"""``archsim rtl`` generate, lint, verify, wave and synth: what they write, and how they refuse."""

import hashlib
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from archsim.cli import main

pytest.importorskip("amaranth", reason="needs pip install 'archsim[rtl]'")
from vcd.reader import TokenKind, tokenize

from archsim.rtl.verify.bench import Stimulus

pytestmark = pytest.mark.rtl


def cli(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["archsim", "rtl", *words])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


def test_generate_writes_verilog_and_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli(monkeypatch, "generate", "streaminggs", "--out", str(tmp_path)) == 0
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    text = (tmp_path / manifest["verilog"]).read_text()
    assert hashlib.sha256(text.encode()).hexdigest() == manifest["sha256"]
    assert f"module {manifest['module']}(" in text
    assert manifest["parameters"]["lanes"] == 8
    assert manifest["streams"]["pixels"]["direction"] == "out"
    assert str(tmp_path) not in text  # no paths of this machine
    assert "archsim/rtl" not in text
    assert "lines, sha256" in capsys.readouterr().out


def test_verilog_is_the_same_text_each_time() -> None:
    from archsim.rtl.blocks.sorter import BitonicSorter
    from archsim.rtl.tools.verilog import generate_verilog

    texts = [
        generate_verilog(BitonicSorter(key_bits=4, value_bits=4, entries=64)) for _ in range(2)
    ]
    assert texts[0] == texts[1]


def test_lint_tells_what_is_wrong_and_passes_what_is_not(tmp_path: Path) -> None:
    from archsim.rtl.blocks.fifo import StreamFifo
    from archsim.rtl.tools.compile import lint
    from archsim.rtl.tools.verilog import generate_verilog

    clean = tmp_path / "clean.v"
    clean.write_text(generate_verilog(StreamFifo(shape=8, depth=4)))
    assert lint(clean, "top") == ""
    loop = tmp_path / "loop.v"
    loop.write_text("module top(input a, output b);\nwire c = a ^ b;\nassign b = c;\nendmodule\n")
    assert "UNOPTFLAT" in lint(loop, "top")


def test_wave_of_a_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "fifo.vcd"
    words = ("--block", "fifo-4", "--out", str(file), "--from", "100", "--cycles", "50")
    assert cli(monkeypatch, "wave", *words) == 0
    with file.open("rb") as stream:
        tokens = list(tokenize(stream))
    marks = [one.time_change for one in tokens if one.kind is TokenKind.CHANGE_TIME]
    assert (min(marks), max(marks)) == (1000, 1495)
    names = [one.var.reference for one in tokens if one.kind is TokenKind.VAR]
    assert "i__payload" in names
    assert not [name for name in names if name.startswith(("$", "_"))]  # no temporaries


def test_verify_shows_what_a_bench_covered(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli(monkeypatch, "verify", "--block", "fifo-4", "--beats", "500") == 0
    shown = capsys.readouterr().out
    assert "5 of 5" in shown
    assert "100.0%" in shown


def test_verify_tells_what_a_bench_left_out_and_what_is_wrong(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from archsim.rtl.verify import table

    (bench,) = (one for one in table.BENCHES if one.name == "fifo-4")
    lacks = replace(bench, bins={"a blue moon": lambda seen: False}, cannot_toggle={"i.valid": ""})
    monkeypatch.setattr(table, "BENCHES", (lacks,))
    assert cli(monkeypatch, "verify", "--beats", "500") == 1
    shown = capsys.readouterr().out
    assert "fifo-4: never happened: a blue moon" in shown
    assert "fifo-4: toggled, though listed as fixed: i.valid" in shown

    def odd(rng: np.random.Generator, n: int) -> Stimulus:
        given = bench.random(rng, n)
        return replace(given, leaves={"o": {**given.inputs["i"], "a": np.zeros(n, np.int64)}})

    monkeypatch.setattr(table, "BENCHES", (replace(bench, random=odd),))
    assert cli(monkeypatch, "verify", "--beats", "500") == 7
    assert "fifo-4: o.a: beat 0 of 2000 is" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("verify", "--block", "fifo-5"), 2, "unknown block 'fifo-5'"),
        (("generate", "--size", "huge"), 2, "unknown size 'huge'"),
        (("wave", "--block", "fifo-9", "--out", "w.vcd"), 2, "unknown block 'fifo-9'"),
        (("wave", "--block", "fifo-4", "--out", "w.txt"), 2, "written as fst or vcd, not 'txt'"),
        (("synth", "--block", "nothing"), 2, "unknown block 'nothing'"),
        (("synth", "--target", "cells", "--liberty", "none.lib"), 2, "no such Liberty file"),
    ],
)
def test_wrong_words_are_told(
    words: tuple[str, ...], status: int, message: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert cli(monkeypatch, *words) == status
    assert message in capsys.readouterr().err


def test_areas_scale_only_between_nodes_that_a_method_covers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    library = tmp_path / "cells.lib"
    library.write_text("library(cells) { }\n")
    common = ("synth", "--target", "cells", "--liberty", str(library), "--node-nm", "32")
    assert cli(monkeypatch, *common) == 2
    assert "node is not known" in capsys.readouterr().err
    assert cli(monkeypatch, *common, "--library-nm", "180") == 2
    assert "no scaling method covers 180 nm" in capsys.readouterr().err
