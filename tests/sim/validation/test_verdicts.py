"""Verdicts, tolerances and inputs of the validation."""

import json
import math

import pytest

from archsim.base.errors import ConfigError, InputError
from archsim.sim.validation.checks import Check, run_checks, unexplained
from archsim.sim.validation.deviations import Deviation
from archsim.sim.validation.figures import figures, read_figures
from archsim.sim.validation.inputs import Inputs, MissingInputError
from archsim.sim.validation.row import Tolerance, compare


def row(reference, ours, tolerance, case="model, case 1"):
    return compare(
        "dram", case, "clocks", reference=reference, ours=ours, source="test", tolerance=tolerance
    )


@pytest.mark.parametrize(
    ("tolerance", "reference", "ours", "error", "verdict"),
    [
        (Tolerance.within(0.25), 4, 5, 0.25, "pass"),
        (Tolerance.within(0.25), 4, 5.01, 0.2525, "miss"),
        (Tolerance.within(0.25), 4, 3, -0.25, "pass"),
        (Tolerance.within(0.25), 4, 2.99, -0.2525, "miss"),
        (Tolerance.below(0.5), 4, 2, -0.5, "pass"),
        (Tolerance.below(0.5), 4, 1.9, -0.525, "miss"),
        (Tolerance.below(0.5), 4, 4.0001, 0.000025, "miss"),
        (Tolerance.exact(), 812, 812, 0, "pass"),
        (Tolerance.exact(), 812, 813, 1, "miss"),
        (Tolerance.exact(), 0, 0, 0, "pass"),
        (Tolerance.absolute(0.5), 10, 10.5, 0.5, "pass"),
        (Tolerance.absolute(0.5), 10, 9.4, -0.6, "miss"),
        (Tolerance.within(0.5), 4, math.nan, math.nan, "miss"),
        (Tolerance.within(0.5), 4, math.inf, math.inf, "miss"),
    ],
)
def test_an_error_passes_up_to_its_tolerance(tolerance, reference, ours, error, verdict):
    got = row(reference, ours, tolerance)
    assert got.verdict == verdict
    assert got.error == pytest.approx(error, nan_ok=True)
    assert (got.reference, got.ours, got.claim) == (reference, ours, "model, case 1: clocks") or (
        math.isnan(ours)
    )


def test_a_tolerance_holds_zero_and_a_relative_error_needs_a_reference():
    with pytest.raises(ValueError, match=r"0\.1 to 0\.2 does not hold zero"):
        Tolerance(0.1, 0.2)
    with pytest.raises(ValueError, match="reference of zero"):
        row(0, 1, Tolerance.within(0.1))


def test_rows_become_json_even_when_a_figure_is_no_number():
    data = row(4, math.nan, Tolerance.within(0.5)).to_dict()
    assert json.loads(json.dumps(data, allow_nan=False))["ours"] is None
    assert data["tolerance"] == {"low": -0.5, "high": 0.5, "relative": True}


def entry(**changes):
    given = {"id": "d1", "part": "dram", "cases": ["model, case ?"], "quantity": "clocks",
             "errors": (0.25, 0.375), "cause": "known"}  # fmt: skip
    return Deviation.model_validate(given | changes)


@pytest.mark.parametrize(
    ("changes", "error", "explained"),
    [
        ({}, 0.25, True),
        ({}, 0.375, True),
        ({}, 0.24, False),
        ({}, 0.38, False),  # it grew
        ({}, -0.25, False),
        ({"part": "sram"}, 0.25, False),
        ({"quantity": "activates"}, 0.25, False),
        ({"cases": ["model, case 2"]}, 0.25, False),
        ({"cases": ["model, case 2", "model*"]}, 0.25, True),
        ({"cases": ["case 1"]}, 0.25, False),  # a pattern is the whole case
    ],
)
def test_a_deviation_explains_its_own_misses_of_its_own_size(changes, error, explained):
    check = Check("dram", "t", lambda inputs: iter([row(1, 1 + error, Tolerance.within(0.1))]))
    (got,) = run_checks([check], Inputs(), [entry(**changes)])
    assert got.verdict == "miss"
    assert got.deviation == ("d1" if explained else None)
    assert unexplained([got]) == ([] if explained else [got])


def test_a_row_that_passes_is_never_called_a_deviation():
    check = Check("dram", "t", lambda inputs: iter([row(1, 1.25, Tolerance.within(0.5))]))
    (got,) = run_checks([check], Inputs(), [entry()])
    assert (got.verdict, got.deviation) == ("pass", None)


def test_a_check_without_its_input_is_skipped_with_what_is_missing(tmp_path):
    def needs(inputs):
        yield row(1, 1, Tolerance.exact())
        inputs.path("gs3d/scene.ply")
        yield row(1, 1, Tolerance.exact())

    told = []
    checks = [Check("dram", "scenes", needs), Check("dram", "after", lambda i: iter([]))]
    for folder, words in (
        (None, "needs gs3d/scene.ply: name its folder by --data or ARCHSIM_DATA"),
        (tmp_path, f"needs gs3d/scene.ply, which {tmp_path} does not hold"),
    ):
        first, second = run_checks(checks, Inputs(folder, told.append), [])
        assert first.verdict == "pass"
        assert (second.verdict, second.case, second.note) == ("skip", "scenes", words)
        assert unexplained([first, second]) == []
    assert told == ["dram: scenes", "dram: after"] * 2


def test_inputs_are_read_or_named(tmp_path):
    (tmp_path / "a.json").write_text("{broken")
    with pytest.raises(InputError, match=r"a\.json: this is no JSON: .*\n  remedy: restore"):
        Inputs(tmp_path).json("a.json")
    with pytest.raises(MissingInputError, match=r"b\.json"):
        Inputs(tmp_path).json("b.json")
    (tmp_path / "b.json").write_text('{"x": 1}')
    assert Inputs(tmp_path).json("b.json") == {"x": 1}


GOOD = """
sources: {s: somewhere}
figures:
  - {part: dram, case: c, quantity: q, value: 1, within: 0.1, source: s}
"""


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("within: 0.1, ", "", "give one of within, below and off_by"),
        ("within: 0.1", "within: 0.1, off_by: 1", "give one of within, below and off_by"),
        ("within: 0.1", "within: -0.1", "greater than or equal to 0"),
        ("source: s", "source: other", "sources and figures disagree on ['other', 's']"),
        ("{s: somewhere}", "{s: somewhere, t: unused}", "disagree on ['t']"),
        ("value: 1", "value: x", "found 'x'"),
        ("value: 1", "worth: 1", "worth"),
    ],
)
def test_a_wrong_figure_is_refused(before, after, words):
    read_figures(GOOD, "f.yaml")
    with pytest.raises(ConfigError) as caught:
        read_figures(GOOD.replace(before, after), "f.yaml")
    assert words in caught.value.render()
    assert "f.yaml" in caught.value.render()


def test_a_figure_listed_twice_is_refused():
    with pytest.raises(ConfigError, match="listed twice"):
        read_figures(GOOD + GOOD.splitlines()[-1], "f.yaml")


def test_every_shipped_figure_has_a_source_and_a_tolerance():
    known = figures()
    assert len(known.figures) > 30
    for figure in known.figures:
        assert len(known.sources[figure.source]) > 20
        assert known.compare(figure, figure.value).verdict == "pass"
        assert known.compare(figure, 3 * figure.value + 7).verdict == "miss"
