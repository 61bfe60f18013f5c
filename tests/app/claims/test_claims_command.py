"""``archsim claims``: tables, JSON, files, exit status, on figures that need no frame."""

import json
import subprocess
import sys

import pytest

IDS = ("codebooks", "macs-coarse", "voxel-size")


def claims(*arguments, folder):
    command = [sys.executable, "-P", "-c", "from archsim.cli import main; main()", "claims"]
    return subprocess.run(
        [*command, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    folder = tmp_path_factory.mktemp("claims")
    rows = [word for name in IDS for word in ("--row", name)]
    return folder, claims("streaminggs", *rows, folder=folder)


def test_every_figure_is_printed_with_source_certainty_and_verdict(ran):
    _, done = ran
    assert done.returncode == 0, done.stderr
    for words in ("codebooks on chip at SH degree 3", "second-hand: hardware: codebook buffer",
                  "250 KB", "fit", "55.0 MAC", "outside", "no-data", "1 outside, 1 no-data, 1 fit",
                  "Operations of the coarse filter"):  # fmt: skip
        assert words in done.stdout, words


def test_files_hold_what_is_printed(ran):
    folder, _ = ran
    out = folder / "archsim-out/claims-streaminggs"
    data = json.loads((out / "claims.json").read_text())
    assert data["schema"] == "archsim-claims-1"
    verdicts = {row["id"]: row["verdict"] for row in data["rows"]}
    assert verdicts == {"codebooks": "fit", "macs-coarse": "outside", "voxel-size": "no-data"}
    assert all(row["source"] and row["certainty"] for row in data["rows"])
    page = (out / "claims.html").read_text()
    assert "codebooks on chip at SH degree 3" in page
    assert "4096" in page.replace(",", "")


def test_json_alone_and_wrong_names(tmp_path):
    done = claims("streaminggs", "--row", "codebooks", "--json", folder=tmp_path)
    assert json.loads(done.stdout)["rows"][0]["ours"] == 250.0
    wrong = claims("streaminggs", "--row", "codebook", folder=tmp_path)
    assert wrong.returncode != 0
    assert "has no claim 'codebook'" in wrong.stderr
    assert "codebooks" in wrong.stderr
