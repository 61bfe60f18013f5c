import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from archsim.arch.sourced import Part, Sourced, unit_of


class Clocked(Part):
    clock_mhz: Sourced
    capacity_bytes: Sourced | None = None
    area_mm2: Sourced | None = None
    power_mw_per_mm2: Sourced | None = None
    count: Sourced | None = None


def written(value, range_="exact", **more):
    return {"value": value, "range": range_, "source": "test", **more}


def refused(**fields):
    with pytest.raises(ValidationError) as caught:
        Clocked(**{"clock_mhz": written(1), **fields})
    (problem,) = caught.value.errors()
    return ".".join(map(str, problem["loc"])), problem["msg"]


@pytest.mark.parametrize(
    ("field", "text", "number"),
    [
        ("clock_mhz", "1 GHz", 1000),
        ("clock_mhz", "1e3", 1000),
        ("capacity_bytes", "32 KiB", 32768),
        ("capacity_bytes", "1.5 kB", 1500),
        ("area_mm2", "250 um2", 2.5e-4),
        ("power_mw_per_mm2", "3 W", 3000),
        ("count", "12", 12),
    ],
)
def test_text_with_a_unit_becomes_a_number_in_the_field_s_unit(field, text, number):
    part = Clocked(**{"clock_mhz": written(1), field: written(text)})
    found = getattr(part, field)
    assert found.value == found.low == found.high == pytest.approx(number, rel=1e-12)


def test_the_range_may_carry_units_too():
    clock = Clocked(clock_mhz=written("1 GHz", [900, "1.2 GHz"])).clock_mhz
    assert (clock.low, clock.value, clock.high) == (900, 1000, 1200)
    assert clock.interval.high == 1200


def test_a_wrong_unit_names_field_found_and_units_understood():
    place, message = refused(clock_mhz=written("1 GB"))
    assert place == "clock_mhz.value"
    assert "found '1 GB', expected a number in MHz" in message
    assert "MHz, kHz, Hz, GHz" in message


@pytest.mark.parametrize("text", ["e", "-", "", "1 2 MHz"])
def test_text_that_is_no_number_is_an_error_at_its_place(text):
    place, message = refused(clock_mhz=written(text))
    assert place == "clock_mhz.value"
    assert f"found {text!r}, expected a number in MHz" in message


def test_a_unit_on_a_count_is_an_error():
    assert refused(count=written("4 GHz")) == (
        "count.value",
        "Value error, found '4 GHz', expected a number",
    )


def test_a_wrong_unit_in_the_range_is_an_error():
    place, message = refused(clock_mhz=written(1, [0.5, "2 mm2"]))
    assert place == "clock_mhz.high"
    assert "found '2 mm2'" in message


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (written(1, [2, 3]), "value 1.0 lies outside its range [2.0, 3.0]"),
        (written(1, [-1, 3]), "range [-1.0, 3.0] reaches below zero"),
        (written(1, "wide"), "found range 'wide', expected [low, high] or the word exact"),
        (written(1, [1, 2, 3]), "found range [1, 2, 3], expected [low, high] or the word exact"),
        (written(float("inf"), [0, float("inf")]), "must be finite"),
        ({"value": 1, "source": "test"}, "missing range: [low, high] or the word exact"),
        (
            {"value": 1, "source": "test", "rang": "exact"},
            "missing range: [low, high] or the word exact, found the unknown key 'rang'",
        ),
        (written(True), "found true, expected a number"),
    ],
)
def test_bad_constants_are_refused(data, message):
    assert message in refused(count=data)[1]


def test_a_constant_without_a_source_is_refused():
    assert refused(count={"value": 1, "range": "exact"})[0] == "count.source"


@pytest.mark.parametrize(
    ("field", "unit"),
    [
        ("clock_mhz", "MHz"),
        ("capacity_bytes", "B"),
        ("memory_mt_s", "MT/s"),
        ("dynamic_pj_per_item", "pJ/item"),
        ("leakage_mw_per_mm2", "mW/mm2"),
        ("latency_cycles", "cycles"),
        ("idd0_ma", "mA"),
        ("volts", ""),
        ("count", ""),
        ("supply_v", "V"),
    ],
)
def test_unit_of_a_field(field, unit):
    assert unit_of(field) == unit


@given(st.floats(1e-6, 1e6), st.floats(0, 1), st.floats(1, 10))
def test_low_value_high_are_kept_in_order(value, below, above):
    interval = Clocked(clock_mhz=written(value, [value * below, value * above])).clock_mhz.interval
    assert interval.low <= interval.value <= interval.high
