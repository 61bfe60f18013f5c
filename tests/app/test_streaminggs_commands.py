"""archsim streaminggs and scene info --prune, as a user types them."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from archsim.cli import main


def command(*arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    before, sys.argv = sys.argv, ["archsim", *arguments]
    try:
        main()
        status = 0
    except SystemExit as done:
        status = int(done.code or 0)
    finally:
        sys.argv = before
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("ARCHSIM_CACHE", str(tmp_path / "cache"))
    workload = {"scene": "builtin:object", "gaussians": 2000, "resolution": [80, 64]}
    method = {"kind": "streaminggs", "group": [32, 32], "codebooks": {"sh": 64}}
    systems = {"s": {"machine": "streaminggs", "method": method}}
    file = tmp_path / "small.yaml"
    file.write_text(yaml.safe_dump({"workload": workload, "systems": systems, "baseline": "s"}))
    return str(file)


def test_orders_names_the_best_and_the_illegal(
    config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = command("streaminggs", "orders", config, capsys=capsys)
    assert status == 0
    rows = {line.split()[0]: line for line in out.splitlines() if " dB" in line}
    assert {"dag", "dag-depth", "l1", "l2", "linf", "centre", "xyz", "depth"} <= set(rows)
    assert sum(line.endswith("best") for line in map(str.rstrip, rows.values())) == 1
    assert "best" not in rows["depth"]


def test_filters_shows_shares_and_doubt(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = command(
        "streaminggs", "filters", config, "--fractions", "2,8", "--groups", "16x16", capsys=capsys
    )
    assert status == 0
    (row,) = [line for line in out.splitlines() if line.startswith("16x16")]
    assert row.count("%") == 2
    assert "*" in row
    assert "extent/8" in out
    for option, wrong, text in (
        ("--fractions", "2,x", "are no positive numbers"),
        ("--groups", "16", "are no sizes"),
        ("--groups", "20x20", "not made of 16x16 tiles"),
    ):
        status, _, errors = command("streaminggs", "filters", config, option, wrong, capsys=capsys)
        assert status != 0
        assert text in errors


def test_a_configuration_without_streaminggs_is_refused(
    config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = yaml.safe_load(Path(config).read_text())
    other["systems"] = {"s": {"machine": "gscore", "method": {"kind": "gscore"}}}
    file = tmp_path / "other.yaml"
    file.write_text(yaml.safe_dump(other))
    status, _, errors = command("streaminggs", "orders", str(file), capsys=capsys)
    assert status != 0
    assert "no system with method streaminggs" in errors


def test_operations_stand_beside_the_published(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = command("streaminggs", "operations", capsys=capsys)
    assert status == 0
    totals = [line.split() for line in out.splitlines() if " total " in line]
    assert [(t[0], t[-1]) for t in totals] == [("coarse", "55"), ("fine", "427")]


def test_scene_info_says_what_pruning_costs(
    config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    random = np.random.default_rng(0)
    record = np.zeros(300, [("m", "<f4", 3), ("s", "<f4", 3), ("c", "u1", 4), ("q", "u1", 4)])
    record["m"], record["s"] = random.normal(size=(300, 3)), 0.1
    record["c"], record["q"] = random.integers(0, 256, (300, 4)), (255, 128, 128, 128)
    file = Path(config).with_name("small.splat")
    file.write_bytes(record.tobytes())
    asked = ("scene", "info", str(file), "--prune", "lightgaussian:0.2", "--json")
    status, out, _ = command(*asked, capsys=capsys)
    assert status == 0
    facts = json.loads(out)
    assert (facts["gaussians"], facts["source"]["pruned_from_gaussians"]) == (60, 300)
    assert 5 < facts["source"]["pruned_psnr_db"] < 60
    status, _, errors = command(
        "scene", "info", "builtin:object", "--prune", "best:0.5", capsys=capsys
    )
    assert status != 0
    assert "mini-splatting" in errors
