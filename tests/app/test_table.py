"""The comparison in the terminal fits it, and numbers read well."""

from typing import Any

import pytest
from rich.console import Console

from archsim.sim.result import SystemResult
from archsim.summary import summarize
from archsim.table import comparison
from archsim.words import digits, percent, quantity, range_text, ratio, scale_of, size


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (1, "1.00"), (0.0123, "0.0123"), (12.34, "12.3"), (123.4, "123"), (999.4, "999"),
     (999.6, "1,000"), (12345, "12,345"), (1e-5, "1.0e-05"), (-2.5, "-2.50")],
)  # fmt: skip
def test_three_significant_digits(value: float, text: str) -> None:
    assert digits(value) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(0.0123, "s", "12.3 ms"), (1.21e9, "B", "1.21 GB"), (999.6e-6, "s", "1.00 ms"),
     (0, "J", "0 J"), (3e-7, "J", "300 nJ"), (2e-12, "s", "0.00200 ns"), (5, "W", "5.00 W")],
)  # fmt: skip
def test_quantities_carry_a_prefix(value: float, unit: str, text: str) -> None:
    assert quantity(value, unit) == text


def test_ranges_share_one_unit_and_points_have_none() -> None:
    assert range_text([0.0009, 0.0021], "J") == "0.900\u20132.10 mJ"
    assert range_text([2, 30.25], "\u00d7") == "2.00\u201330.2"
    assert range_text([1.0, 1.0], "J") == ""
    assert range_text([0.0, 1e-12], "J") == "0\u20130.00100 nJ"


def test_ratios_shares_sizes_and_scales() -> None:
    assert (ratio(25), ratio(0.442), ratio(1234.5)) == ("25.0\u00d7", "0.442\u00d7", "1,234\u00d7")
    assert (percent(0.43), percent(0.004), percent(0)) == ("43%", "0.4%", "0%")
    assert (size(950), size(1.2e6)) == ("950", "1.20 M")
    assert scale_of(0.02, "s") == (pytest.approx(1e3), "ms")
    assert scale_of(1e-10, "s") == (1e9, "ns")


@pytest.fixture
def summary(results: list[SystemResult]) -> dict[str, Any]:
    return summarize(
        results, baseline="orin-nx", seed=0, workload={}, scene={"name": "room", "gaussians": 9}
    )


def printed(summary: dict[str, Any], width: int) -> str:
    console = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    with console.file:
        console.print(comparison(summary))
    return console.export_text()


@pytest.mark.parametrize("width", [80, 100])
def test_everything_fits_the_width_uncut(summary: dict[str, Any], width: int) -> None:
    text = printed(summary, width)
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width
    assert "…" not in text
    for part in ("orin-nx-16gb", "MAXN", "baseline", "25.0\u00d7", "28.3\u201397.9", "34.20 dB",
                 "SSIM 0.9700", "order 36 dB", "without idle", "36.8\u00d7", "DRAM peak",
                 "51.2 GB/s", "lpddr4-3200", "idle power included", "no host", "vru 60% busy",
                 "gaussians/read 67%", "3.40 mm\u00b2", "3 constants are assumed"):  # fmt: skip
        assert part in " ".join(text.split()) or part in text, part


@pytest.mark.parametrize("width", [80, 100])
def test_many_systems_have_a_row_each(summary: dict[str, Any], width: int) -> None:
    one = summary["systems"]["streaminggs"]
    summary["systems"] |= {f"half-of-unit-{number}": one for number in range(20)}
    lines = printed(summary, width).splitlines()
    assert max(len(line.rstrip()) for line in lines) <= width
    headline = [line for line in lines if "half-of-unit-" in line and "dB" in line]
    assert len(headline) == 20
    for part in ("ms", "25.0\u00d7", "34.2 dB", " 3.40 "):
        assert all(part in line for line in headline), part
    summary["min_psnr_db"] = 30.0
    for system in summary["systems"].values():
        system["meets_min_psnr"] = False
    assert "34.2 dB" in printed(summary, width)


def test_rails_of_a_gpu_stand_with_their_ranges(summary: dict[str, Any]) -> None:
    text = printed(summary, 200)
    assert "VDD_CPU_GPU_CV 8.00 W (4.00\u201312.0 W), VDD_SOC 2.00 W" in text


def test_no_mode_row_without_gpus(summary: dict[str, Any]) -> None:
    summary["systems"]["orin-nx"]["mode"] = None
    assert "power mode" not in printed(summary, 100)
