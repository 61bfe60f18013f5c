"""Quantities in text and integer time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.base.errors import ConfigError
from archsim.base.units import UNITS, cycles_to_ps, format_quantity, parse_quantity


@pytest.mark.parametrize(
    ("text", "dimension", "value"),
    [
        ("102.4 GB/s", "bandwidth", 102.4e9),
        ("16 KiB", "bytes", 16384),
        ("1 GHz", "frequency", 1000),
        (" 2.5e3ns ", "time", 2.5e-6),
        (".5 mm2", "area", 0.5),
        (42, "bytes", 42),
        ("42", "bytes", 42),
    ],
)
def test_values_come_in_the_base_unit(text: str | int, dimension: str, value: float) -> None:
    assert parse_quantity(text, dimension) == pytest.approx(value, rel=1e-12)


def test_a_wrong_unit_names_place_and_the_units_understood() -> None:
    with pytest.raises(ConfigError) as error:
        parse_quantity("3 GHz", "bytes", place="machine.yaml:7")
    assert str(error.value) == (
        "machine.yaml:7: '3 GHz' has the wrong unit: 'GHz' does not measure bytes\n"
        "  remedy: use one of: B, kB, MB, GB, KiB, MiB, GiB"
    )


@pytest.mark.parametrize("text", ["", "fast", "1 2 B", "--3 B", "1e B"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="expected bytes such as '1 B'"):
        parse_quantity(text, "bytes")


def test_booleans_are_no_numbers() -> None:
    with pytest.raises(ConfigError, match="found True"):
        parse_quantity(True, "bytes")


@given(st.integers(0, 10**9), st.integers(1, 5000))
def test_durations_are_whole_cycles_rounded_up(cycles: int, clock_mhz: int) -> None:
    ps = cycles_to_ps(cycles, clock_mhz)
    assert (ps - 1) * clock_mhz < cycles * 10**6 <= ps * clock_mhz


def test_fractional_clocks_are_exact_to_a_kilohertz() -> None:
    assert cycles_to_ps(1, 625.5) == 1599  # 10^6 / 625.5 = 1598.72


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0 s"), (1.5e-3, "1.5 ms"), (12e9, "12 Gs"), (1, "1 s"), (3e-15, "3e-15 s")],
)
def test_numbers_show_with_a_prefix(value: float, shown: str) -> None:
    assert format_quantity(value, "s") == shown


def test_the_first_unit_of_each_dimension_is_its_base() -> None:
    assert all(next(iter(units.values())) == 1 for units in UNITS.values())
