"""result.json and its tables: keys users rely on, parts that add up, bytes that repeat."""

from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from archsim.base.errors import CheckError
from archsim.output import to_json
from archsim.sim.result import SystemResult
from archsim.summary import below_min_psnr, summarize
from archsim.tables import TABLES, table_rows, write_tables

KEYS = {
    "time_s", "fps", "energy_j", "dram_bytes", "area_mm2", "power_w", "psnr_db", "exact", "ssim",
    "speedup", "energy_saving", "dram_saving", "interval", "energy_by_component_j",
    "energy_by_rail_j", "power_by_rail_w", "dram_bytes_by_stream",
    "time_by_cause_s", "fidelity", "mode", "machine", "method", "assumed",
    "notes", "counts", "energy_without_idle_j", "energy_saving_without_idle", "dram_device",
    "dram_peak_bytes_per_s",
}  # fmt: skip


@pytest.fixture
def summary(results: list[SystemResult]) -> dict[str, Any]:
    return summarize(
        results, baseline="orin-nx", seed=3, workload={"kind": "gs3d"}, scene={"gaussians": 9}
    )


def test_keys_that_scripts_rely_on(summary: dict[str, Any]) -> None:
    assert summary["schema"] == "archsim-result-1"
    assert (summary["baseline"], summary["seed"]) == ("orin-nx", 3)
    for system in summary["systems"].values():
        assert set(system) >= KEYS


def test_values_against_hand_computed_ones(summary: dict[str, Any]) -> None:
    system = summary["systems"]["streaminggs"]
    assert system["time_s"] == pytest.approx(0.004)
    assert system["fps"] == pytest.approx(250)
    assert system["energy_j"] == pytest.approx(0.019)
    assert system["power_w"] == pytest.approx(0.019 / 0.004)
    assert system["dram_bytes"] == 43_000_000
    assert system["area_mm2"] == pytest.approx(3.4)
    assert system["speedup"] == pytest.approx(25)
    assert system["energy_saving"] == pytest.approx(1 / 0.019)
    assert system["dram_saving"] == pytest.approx(1210 / 43)
    assert (system["exact"], system["psnr_db"]) == (False, 34.2)


def test_intervals_of_ratios_take_both_extremes(summary: dict[str, Any]) -> None:
    low, high = summary["systems"]["streaminggs"]["interval"]["energy_saving"]
    assert low == pytest.approx((0.3 + 0.18 + 0.2) / (5 + 3 + 4 + 12) * 1e3)
    assert high == pytest.approx((0.8 + 0.22 + 0.4) / (3 + 1.5 + 2 + 8) * 1e3)
    for system in summary["systems"].values():
        for name, bounds in system["interval"].items():
            assert bounds is None or bounds[0] <= system[name] <= bounds[1]


def test_what_no_constant_reaches_has_no_interval(summary: dict[str, Any]) -> None:
    """A zero-width interval would say that a simulated time is known exactly."""
    for system in summary["systems"].values():
        without = {name for name, bounds in system["interval"].items() if bounds is None}
        assert without == {"time_s", "fps", "speedup", "dram_bytes", "dram_saving"}
    row = table_rows(summary)["systems"][2]
    assert (row["speedup_low"], row["time_s_high"]) == (None, None)
    assert row["energy_saving_low"] < row["energy_saving"] < row["energy_saving_high"]


def test_energy_saving_without_the_module_s_idle_power(summary: dict[str, Any]) -> None:
    system = summary["systems"]["streaminggs"]
    assert summary["systems"]["orin-nx"]["energy_without_idle_j"] == pytest.approx(0.7)
    assert system["energy_without_idle_j"] == pytest.approx(system["energy_j"])
    assert system["energy_saving_without_idle"] == pytest.approx(0.7 / 0.019)
    low, high = system["interval"]["energy_saving_without_idle"]
    assert low == pytest.approx((0.3 + 0.18) / (5 + 3 + 4 + 12) * 1e3)
    assert high == pytest.approx((0.8 + 0.22) / (3 + 1.5 + 2 + 8) * 1e3)


def test_baseline_is_one_and_a_gpu_has_no_area(summary: dict[str, Any]) -> None:
    system = summary["systems"]["orin-nx"]
    assert system["speedup"] == system["energy_saving"] == system["dram_saving"] == 1.0
    assert system["interval"]["energy_saving"] == [1.0, 1.0]
    assert system["area_mm2"] is None
    assert "area_mm2" not in system["interval"]
    assert system["psnr_db"] is None
    assert system["exact"] is True


def test_parts_add_up_to_totals(summary: dict[str, Any]) -> None:
    for system in summary["systems"].values():
        energy, streams = system["energy_by_component_j"], system["dram_bytes_by_stream"]
        assert sum(energy.values()) == pytest.approx(system["energy_j"], rel=1e-12)
        assert sum(streams.values()) == system["dram_bytes"]
        for causes in system["time_by_cause_s"].values():
            assert sum(causes.values()) == pytest.approx(system["time_s"], rel=1e-12)


def test_rails_have_power_with_ranges_and_energy(summary: dict[str, Any]) -> None:
    gpu = summary["systems"]["orin-nx"]
    assert gpu["energy_by_rail_j"] == pytest.approx({"VDD_CPU_GPU_CV": 0.8, "VDD_SOC": 0.2})
    assert gpu["power_by_rail_w"]["VDD_CPU_GPU_CV"] == pytest.approx([8, 4, 12])  # in 0.1 s
    assert gpu["frames"][0]["energy_by_rail_interval_j"]["VDD_SOC"] == pytest.approx([0.1, 0.4])
    assert summary["systems"]["streaminggs"]["power_by_rail_w"] == {}
    rails = table_rows(summary)["rails"]
    assert [row["rail"] for row in rails] == ["VDD_CPU_GPU_CV", "VDD_SOC"]
    assert (rails[0]["energy_j_low"], rails[0]["energy_j_high"]) == pytest.approx((0.4, 1.2))


def test_values_are_means_over_frames(results: list[SystemResult]) -> None:
    twice = [SystemResult(**{**r.__dict__, "frames": r.frames * 2}) for r in results]
    once = summarize(results, baseline="orin-nx", seed=0, workload={}, scene={})["systems"]
    both = summarize(twice, baseline="orin-nx", seed=0, workload={}, scene={})["systems"]
    for name, system in once.items():
        for key in ("time_s", "energy_j", "dram_bytes", "energy_saving"):
            assert both[name][key] == pytest.approx(system[key])
        for key in ("dram_bytes_by_stream", "energy_by_component_j"):
            assert both[name][key] == pytest.approx(system[key])
        for key, bounds in system["interval"].items():
            assert both[name]["interval"][key] == pytest.approx(bounds)
        for unit, causes in system["time_by_cause_s"].items():
            assert both[name]["time_by_cause_s"][unit] == pytest.approx(causes)


def test_same_results_give_the_same_bytes(
    summary: dict[str, Any], results: list[SystemResult]
) -> None:
    again = summarize(
        results, baseline="orin-nx", seed=3, workload={"kind": "gs3d"}, scene={"gaussians": 9}
    )
    assert to_json(again) == to_json(summary)


def test_a_frame_of_no_time_is_an_error(results: list[SystemResult]) -> None:
    broken = results[0].__dict__ | {
        "frames": [type(f)(**{**f.__dict__, "time_ps": 0}) for f in results[0].frames]
    }
    with pytest.raises(CheckError, match=r"orin-nx: a frame took 0\.0 s"):
        summarize([SystemResult(**broken)], baseline="orin-nx", seed=0, workload={}, scene={})


def test_tables_hold_every_part(summary: dict[str, Any], tmp_path: Path) -> None:
    write_tables(summary, tmp_path)
    rows = table_rows(summary)
    for name, columns in TABLES.items():
        table = parquet.read_table(tmp_path / f"{name}.parquet")
        assert table.column_names == list(columns)
        assert table.to_pylist() == rows[name]
        assert rows[name]
    dram = parquet.read_table(tmp_path / "dram.parquet").to_pylist()
    total = sum(row["bytes"] for row in dram if row["system"] == "gscore")
    assert total == summary["systems"]["gscore"]["dram_bytes"]
    assert {row["direction"] for row in dram} == {"read", "write"}


def test_frames_carry_their_own_quality(two_views: list[SystemResult]) -> None:
    result = summarize(two_views, baseline="orin-nx", seed=0, workload={}, scene={})
    rows = [r for r in table_rows(result)["frames"] if r["system"] == "streaminggs"]
    assert [row["psnr_db"] for row in rows] == [pytest.approx(34.2), pytest.approx(35.2)]
    assert [row["exact"] for row in rows] == [False, False]


def test_a_least_psnr_is_a_verdict_per_system(two_views: list[SystemResult]) -> None:
    # streaminggs renders 34.2 and 35.2 dB, the others exactly
    def judged(least: float | None) -> dict[str, Any]:
        return summarize(two_views, baseline="orin-nx", seed=0, workload={}, scene={},
                         min_psnr_db=least)  # fmt: skip

    for least, meets in ((34.2, True), (34.3, False), (36.0, False)):
        result = judged(least)
        verdicts = {name: s["meets_min_psnr"] for name, s in result["systems"].items()}
        assert verdicts == {"orin-nx": True, "gscore": True, "streaminggs": meets}
        assert below_min_psnr(result) == ({} if meets else {"streaminggs": 34.2})
    without = judged(None)
    assert without["min_psnr_db"] is None
    assert all(s["meets_min_psnr"] is None for s in without["systems"].values())
    assert below_min_psnr(without) == {}
