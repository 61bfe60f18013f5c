"""What a sweep shows: the bar with the time left, the front so far, numbers with units."""

import io
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from archsim.explore.driver import Progress
from archsim.explore.problem import Outcome
from archsim.sweep_charts import axis_title, hover_text
from archsim.sweep_display import Display, column_text, front_table, value_text

POINT = Outcome(
    0, {"cfu": 8, "group": [64, 32]}, "search", "measured",
    {"sgs.time_s": 0.00385, "sgs.bottleneck": "dram", "sgs.share.dram.busy": 0.73}, (0.00385,),
)  # fmt: skip


def test_a_terminal_shows_bar_front_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("archsim.sweep_display.time.monotonic", lambda: clock[0])
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=100)
    with Display(console) as display:
        display.show(Progress("search", 0, 300, [], []))
        clock[0] += 10
        display.show(Progress("search", 100, 300, [POINT], [POINT]))
    text = stream.getvalue()
    assert "100/300" in text
    assert "0:20 left" in text
    assert "front so far" in text
    assert "64×32" in text  # noqa: RUF001


def test_a_pipe_gets_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("archsim.sweep_display.time.monotonic", lambda: clock[0])
    stream = io.StringIO()
    with Display(Console(file=stream, width=100)) as display:
        for done in range(0, 300, 10):
            clock[0] += 1
            display.show(Progress("search", done, 300, [POINT], []))
    lines = stream.getvalue().splitlines()
    assert len(lines) == 2  # one at once, one each 15 s
    assert lines[1] == "search: 150 of 300 points, 1 on the front, 0:15 left"


@pytest.mark.parametrize(
    ("column", "value", "text"),
    [("s.time_s", 0.00385, "3.85 ms"), ("s.energy_j", 0.0145, "14.5 mJ"),
     ("s.area_mm2", 3.4, "3.40 mm²"), ("s.psnr_db", 36.385, "36.38 dB"),
     ("s.psnr_db", None, "exact"), ("s.area_mm2", None, "–"), ("s.speedup", 2.5, "2.50"),  # noqa: RUF001
     ("s.dram_bytes_by_stream.fine/read", 1.2e6, "1.20 MB"),
     ("s.dram_peak_bytes_per_s", 25.6e9, "25.6 GB/s"), ("s.energy_delay_js", 1e-6, "1.00 µJ·s")],
)  # fmt: skip
def test_results_are_shown_with_their_units(column: str, value: float | None, text: str) -> None:
    assert column_text(column, value) == text


def test_values_and_axes_are_words() -> None:
    assert [value_text(v) for v in (None, 8, 0.25, [64, 64], "lpddr4", 2.0)] == [
        "–", "8", "0.25", "64×64", "lpddr4", "2",  # noqa: RUF001
    ]  # fmt: skip
    assert axis_title("s.time_s", [0.002, 0.01]) == (1e3, "s.time, ms")
    assert axis_title("s.area_mm2", [3.0]) == (1.0, "s.area, mm²")
    assert hover_text(POINT, ["sgs.time_s"]) == (
        "cfu 8, group 64×32<br><b>sgs.time_s 3.85 ms</b><br>sgs bound by dram, 73% busy"  # noqa: RUF001
    )


@pytest.mark.parametrize(("count", "headed"), [(3, True), (16, False)])
def test_many_parameters_are_words_of_one_column(count: int, headed: bool) -> None:
    """At 80 columns sixteen narrow ones would be read downwards, letter by letter."""
    names = [f"parameter_{i}" for i in range(count)]
    study: Any = SimpleNamespace(
        goals=SimpleNamespace(objectives=["sgs.time_s"]),
        config=SimpleNamespace(show=[]),
        space=SimpleNamespace(axes=dict.fromkeys(names)),
    )
    front = [
        Outcome(0, dict.fromkeys(names, 16 + k), "search", "measured",
                {"sgs.time_s": 0.001 * k, "sgs.bottleneck": "dram"}, (0.001 * k,))
        for k in (1, 2)
    ]  # fmt: skip
    console = Console(file=io.StringIO(), width=80)
    console.print(front_table(study, front))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert ("parameters" in text) != headed
    assert ("parameter_2 17" in " ".join(text.split())) != headed
