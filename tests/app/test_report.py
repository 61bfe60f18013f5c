"""The report is one file that needs nothing else, and shows every part of the result."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archsim.charts import ratio_chart
from archsim.report import render_report
from archsim.sim.result import SystemResult
from archsim.summary import summarize
from archsim.words import ssim

MANIFEST = {"versions": {"archsim": "0.1.0"}, "started": "2026-01-01T00:00:00+00:00", "seed": 0}


@pytest.fixture
def images(results: list[SystemResult]) -> dict[str, np.ndarray]:
    found = {f"{r.name}-{camera}": image for r in results for camera, image in r.images.items()}
    for name in ("error", "order-error"):
        found[f"streaminggs-orbit-0-{name}"] = found["streaminggs-orbit-0"]
    return found | {"reference-orbit-0": results[0].images["orbit-0"]}


@pytest.fixture
def summary(results: list[SystemResult]) -> dict[str, Any]:
    return summarize(
        results,
        baseline="orin-nx",
        seed=0,
        workload={"kind": "gs3d", "resolution": [64, 48]},
        scene={"name": "<room> & co", "gaussians": 90_000, "sh_degree": 3},
    )


@pytest.fixture
def html(summary: dict[str, Any], images: dict[str, np.ndarray]) -> str:
    return render_report(summary, MANIFEST, images)


def without_plotly(html: str) -> str:
    """The page's own part: its scripts of more than a megabyte are Plotly."""
    return re.sub(
        r"<script>.*?</script>", lambda m: "" if len(m[0]) > 1e6 else m[0], html, flags=re.S
    )


def test_the_file_needs_nothing_from_outside(html: str) -> None:
    page = without_plotly(html)
    assert not re.search(r"""(src|href)\s*=\s*["'](?!data:)""", page)
    assert "http" not in page.replace("http-equiv", "")
    assert 4e6 < len(html) < 8e6


def test_names_are_escaped(html: str) -> None:
    page = without_plotly(html)
    assert "&lt;room&gt; &amp; co" in page
    assert "<room>" not in page


def test_every_number_of_the_headline_is_there(html: str) -> None:
    page = without_plotly(html)
    for text in ("25.0\u00d7", "52.6\u00d7", "28.1\u00d7", "4.00 ms", "19.0 mJ", "43.0 MB",
                 "36.8\u00d7", "51.2 GB/s<small>lpddr4-3200", "no host",
                 "3.40 mm\u00b2", "34.20 dB", "MAXN", "90,000 Gaussians", "64\u00d748",
                 ):  # fmt: skip
        assert text in page, text


def test_assumptions_notes_and_fidelity_are_shown(html: str) -> None:
    page = without_plotly(html)
    for text in ("3 assumed constants", "0.75 [0.5, 0.95]: guess", "a note about this system",
                 "streaminggs: order</th>", "36.00 dB",
                 "row: within 5 % of the cycle model"):  # fmt: skip
        assert text in page, text


def test_images_reference_once_then_frame_difference_and_causes(html: str) -> None:
    titles = re.findall(r"<figcaption><b>(.*?)</b>", html)
    assert titles == [
        "reference",
        "streaminggs",
        "streaminggs: error",
        "streaminggs: order alone",
    ]
    assert without_plotly(html).count("data:image/webp;base64,") == 4


def test_captions_carry_each_views_own_quality(two_views: list[SystemResult]) -> None:
    results = two_views
    images = {f"{r.name}-{c}": image for r in results for c, image in r.images.items()}
    images |= {f"reference-{c}": image for c, image in results[0].images.items()}
    for name in ("error", "order-error"):
        images |= {f"streaminggs-{c}-{name}": images[f"streaminggs-{c}"] for c in "ab"}
    summary = summarize(results, baseline="orin-nx", seed=0, workload={}, scene={"name": "two"})
    page = without_plotly(render_report(summary, MANIFEST, images))
    captions = [c.strip() for c in re.findall(r"</b>(.*?)</figcaption>", page)]
    assert captions[1] == "PSNR 34.20 dB, SSIM 0.9700"
    assert captions[5] == "PSNR 35.20 dB, SSIM 0.9800"
    assert captions[2:4] == ["all causes, 34.20 dB", "voxels out of order, 36.00 dB"]
    assert captions[6:8] == ["all causes, 35.20 dB", "voxels out of order, 37.00 dB"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.98341, "0.9834"), (0.999987, "0.99999"), (0.99996, "0.99996"), (1.0, "1"), (0.5, "0.5000")],
)
def test_an_ssim_near_one_shows_that_it_is_not_one(value: float, shown: str) -> None:
    assert ssim(value) == shown


def test_no_difference_is_called_the_same(summary: dict[str, Any]) -> None:
    summary["systems"]["gscore"]["dram_saving"] = 1.0004
    page = without_plotly(render_report(summary, MANIFEST, {}))
    assert "<dt>same DRAM traffic</dt>" in page


def test_a_result_without_images_still_has_a_report(summary: dict[str, Any]) -> None:
    assert "<figcaption>" not in render_report(summary, MANIFEST, {})


def test_a_slower_system_is_called_slower(summary: dict[str, Any]) -> None:
    summary["baseline"] = "streaminggs"
    summary["systems"]["orin-nx"]["speedup"] = 0.04
    summary["systems"]["orin-nx"]["interval"]["speedup"] = [0.02, 0.05]
    page = without_plotly(render_report(summary, MANIFEST, {}))
    assert re.search(r"slower</dt><dd>25.0\u00d7<small>20.0\u201350.0", page)


def test_chart_data_cannot_end_its_script(
    summary: dict[str, Any], images: dict[str, np.ndarray], tmp_path: Path
) -> None:
    system = summary["systems"]["gscore"]
    system["dram_bytes_by_stream"] = {"</script><b>": 5}
    page = without_plotly(render_report(summary, MANIFEST, images))
    charts = re.findall(r'<script type="application/json">(.*?)</script>', page, flags=re.S)
    assert len(charts) == 3 + 2 * 3 + 2 + 2 * 2  # accelerators: fullness, too
    assert all("<" not in chart for chart in charts)


def test_whiskers_only_where_there_is_an_interval(summary: dict[str, Any]) -> None:
    assert "error_x" not in ratio_chart(summary, "speedup", "speedup")["data"][0]
    saving = ratio_chart(summary, "energy_saving", "energy saving")["data"][0]
    assert saving["error_x"]["array"][0] is None
    assert saving["error_x"]["array"][2] > 0


def test_rails_are_shown_with_their_ranges(html: str) -> None:
    assert "By supply rail" in html
    row = "<th>orin-nx: VDD_CPU_GPU_CV</th><td>8.00 W<small>4.00\u201312.0 W</small></td>"
    assert row in html
    assert "<td>800 mJ</td>" in html


def test_bounds_by_hand_and_fullness_are_shown(html: str) -> None:
    page = without_plotly(html)
    assert "90,000 Gaussians \u00d7 10 cycles / 16" in page
    assert "43,000,000 bytes at the pins&#39; peak" in page
    assert "pixel: 8,192 of 16,384 bytes on average, 12,288 at most" in page
    # a GPU's rooms are windows of its kernels, no buffers to size
    assert page.count("how full buffers and queues were") == 2
