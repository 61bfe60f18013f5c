"""The parts: what they read, what they refuse, and that a wrong figure does not pass."""

import json
import struct

import numpy as np
import pytest
from safetensors.numpy import save_file

from archsim.base.errors import ConfigError, InputError
from archsim.sim.validation import dram_exact, energy, voxels
from archsim.sim.validation.checks import run_checks
from archsim.sim.validation.dram_bounds import highest_share
from archsim.sim.validation.figures import figures
from archsim.sim.validation.inputs import Inputs
from archsim.sim.validation.parts import PARTS, checks_of
from archsim.sim.validation.renderer import read_safetensors


def test_every_part_has_checks_of_its_own():
    for part in PARTS:
        checks = checks_of([part])
        assert checks
        assert {check.part for check in checks} == {part}
    titles = [(check.part, check.title) for check in checks_of(PARTS)]
    assert len(set(titles)) == len(titles)
    with pytest.raises(ConfigError, match=r"no part 'cpu'.*\n.*use one of: dram, energy"):
        checks_of(["cpu"])


@pytest.mark.parametrize(("part", "least"), [("dram", 100), ("energy", 30), ("executors", 12)])
def test_what_needs_no_data_runs_without(part, least):
    rows = list(run_checks(checks_of([part]), Inputs(), []))
    compared = [row for row in rows if row.verdict != "skip"]
    assert len(compared) >= least
    assert all(row.source and row.error is not None for row in compared)
    assert all("ARCHSIM_DATA" in row.note for row in rows if row.verdict == "skip")


@pytest.mark.parametrize(
    ("module", "part"), [(energy, "energy"), (voxels, "streaminggs")], ids=["energy", "streaminggs"]
)
def test_a_tampered_figure_is_a_miss(module, part, data, monkeypatch):
    known = figures()
    first = known.of(part)[0]
    wrong = first.model_copy(update={"value": first.value * 1.2})
    changed = [wrong if figure is first else figure for figure in known.figures]
    tampered = known.model_copy(update={"figures": changed})
    monkeypatch.setattr(module, "figures", lambda: tampered)
    rows = run_checks(module.CHECKS[:1], Inputs(data), [])
    verdicts = {row.claim: row.verdict for row in rows}
    assert verdicts[f"{first.case}: {first.quantity}"] == "miss"


def test_one_cycle_off_in_one_case_of_ramulator_is_a_miss(data, tmp_path):
    file = json.loads((data / "hardware" / "dram_reference.json").read_text())
    name = "ramulator2_DDR4_3200AA"
    results = file["configurations"][name]["results"]
    kept = {case: figures for case, figures in results.items() if case.startswith("micro/")}
    kept["micro/m4_row_conflict"]["read_return_cycles"][1] += 1
    file["configurations"] = {name: file["configurations"][name] | {"results": kept}}
    (tmp_path / "hardware").mkdir()
    (tmp_path / "hardware" / "dram_reference.json").write_text(json.dumps(file))
    first = next(run_checks(dram_exact.CHECKS, Inputs(tmp_path), []))
    assert first.case == f"cycle model, {name} micro"
    assert (first.verdict, first.reference, first.ours) == ("miss", 13, 12)
    assert first.note == "not m4_row_conflict"


def test_bounds_by_hand():
    from archsim.arch.dram import load_device

    # DDR4-3200: 4 clocks per burst, 560 of every 12,480 clocks gone; 80,000 clocks hold 6
    # refreshes, the 170,000 of random bursts (8.5 each) hold 14
    device = load_device("ddr4-3200")
    assert highest_share(device, "stream_r") == pytest.approx(80_000 / (80_000 + 6 * 560))
    assert highest_share(device, "random_r") == pytest.approx(80_000 / (170_000 + 14 * 560))


def test_safetensors_are_read_as_the_format_s_own_library_writes_them(tmp_path):
    random = np.random.default_rng(0)
    tensors = {
        "a": random.random((3, 4), np.float32),
        "empty": np.zeros((0, 2), np.float32),
        "b": random.random(7, np.float32),
    }
    save_file(tensors, tmp_path / "t.safetensors", metadata={"made": "here"})
    got = read_safetensors(tmp_path / "t.safetensors")
    assert set(got) == set(tensors)
    for name, tensor in tensors.items():
        assert got[name].shape == tensor.shape
        assert np.array_equal(got[name], tensor)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00\x00",
        struct.pack("<Q", 5) + b"{oops",
        struct.pack("<Q", 10**6) + b"{}",
        struct.pack("<Q", 64)
        + b'{"a":{"dtype":"F32","shape":[9],"data_offsets":[0,36]}}'.ljust(64),
        struct.pack("<Q", 64) + b'{"a":{"dtype":"F16","shape":[0],"data_offsets":[0,0]}}'.ljust(64),
        struct.pack("<Q", 16) + b'{"a":{"shape":0}}'[:16],
        struct.pack("<Q", 2) + b"[]",
    ],
)
def test_a_broken_safetensors_file_is_refused(content, tmp_path):
    file = tmp_path / "broken.safetensors"
    file.write_bytes(content)
    with pytest.raises(InputError, match=r"broken\.safetensors: this is no safetensors file"):
        read_safetensors(file)
