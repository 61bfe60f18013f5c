"""Known deviations: one list, made into a document, every entry of it still true."""

from functools import cache
from pathlib import Path

import pytest

from archsim.base.errors import ConfigError
from archsim.sim.dram.cycle.reference import LEFT_OUT
from archsim.sim.validation.checks import run_checks
from archsim.sim.validation.deviations import deviations, markdown, read_deviations
from archsim.sim.validation.inputs import Inputs
from archsim.sim.validation.parts import PARTS, checks_of

ROOT = Path(__file__).parents[3]


@cache
def rows_of(part, data):
    return list(run_checks(checks_of([part]), Inputs(data), deviations()))


def test_the_document_is_made_from_the_list():
    text = (ROOT / "DEVIATIONS.md").read_text(encoding="utf-8")
    assert text == markdown(deviations()), (
        "run python -m archsim.sim.validation.deviations > DEVIATIONS.md"
    )


@pytest.mark.parametrize("entry", deviations(), ids=lambda entry: entry.id)
def test_a_known_gap_is_still_there(entry, data):
    """When this fails because rows pass: the gap closed; take the entry, or the case, out."""
    named = [row for row in rows_of(entry.part, data) if entry.names(row)]
    for pattern in entry.cases:
        alone = entry.model_copy(update={"cases": [pattern]})
        assert any(alone.names(row) for row in named), f"no row is called {pattern}"
    assert {row.case for row in named if row.verdict != "miss"} == set(), "the gap closed"
    low, high = entry.errors
    for row in named:
        assert not row.tolerance.holds(row.error)
        assert low <= row.error <= high, row.claim
        assert row.deviation == entry.id
        assert row.tolerance.relative == (entry.unit is None)
    # the stated range is the measured one, to the last digit given
    slack = 0.0011 if entry.unit is None else 0.011 * max(abs(low), abs(high))
    assert min(row.error for row in named) <= low + slack
    assert max(row.error for row in named) >= high - slack


@pytest.mark.parametrize("part", PARTS)
def test_every_miss_is_known(part, data):
    rows = rows_of(part, data)
    skips = {row.case for row in rows if row.verdict == "skip"}
    assert skips == ({f"cycle model, {name}" for name in LEFT_OUT} if part == "dram" else set())
    assert [row.claim for row in rows if row.verdict == "miss" and row.deviation is None] == []
    assert sum(row.verdict == "pass" for row in rows) >= 4


def test_claims_are_told_apart(data):
    for part in PARTS:
        claims = [row.claim for row in rows_of(part, data)]
        assert len(set(claims)) == len(claims)


GOOD = """
deviations:
  - {id: a, part: dram, cases: [x], quantity: q, errors: [0.1, 0.2], cause: because}
"""


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("[0.1, 0.2]", "[0.2, 0.1]", "from the smallest to the largest"),
        ("[x]", "[]", "at least 1 item"),
        ("cause", "reason", "reason"),
    ],
)
def test_a_wrong_entry_is_refused(before, after, words):
    assert len(read_deviations(GOOD, "d.yaml")) == 1
    with pytest.raises(ConfigError) as caught:
        read_deviations(GOOD.replace(before, after), "d.yaml")
    assert words in caught.value.render()


def test_an_id_is_used_once():
    with pytest.raises(ConfigError, match="same id"):
        read_deviations(GOOD + GOOD.splitlines()[-1], "d.yaml")


def test_the_document_says_errors_in_their_unit():
    text = GOOD + "  - {id: b, part: sram, cases: [y, z*], quantity: p, errors: [1, 2.5],\n"
    text += "     unit: mW, cause: |\n        two\n        lines}\n".replace("|\n", "").replace(
        "}", "}"
    )
    lines = markdown(read_deviations(text, "d.yaml")).splitlines()
    assert "| a | dram | `x` | q | +10.0 to +20.0 % | because |" in lines
    assert "| b | sram | `y`<br>`z*` | p | +1 to +2.5 mW | two lines |" in lines
