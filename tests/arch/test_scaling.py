"""Scaling against the published tables and the disagreement between the methods."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.arch.scaling import (
    area_estimates,
    area_factor,
    energy_estimates,
    energy_factor,
    scaling_table,
    stillmaker_baas_energy,
)
from archsim.base.errors import ConfigError

#: energy relative to 45 nm at 1.0 V, as published graphs of the polynomials read (two digits)
PUBLISHED = {
    1.0: {40: 0.86, 32: 0.63, 28: 0.51, 22: 0.32, 16: 0.20, 12: 0.15, 10: 0.14, 8: 0.12, 7: 0.11},
    0.9: {40: 0.72, 32: 0.53, 28: 0.42, 22: 0.25, 16: 0.16, 12: 0.12, 10: 0.11, 8: 0.092, 7: 0.085},
    0.8: {40: 0.59, 32: 0.45, 28: 0.35, 22: 0.20, 16: 0.12, 12: 0.087, 10: 0.08, 8: 0.07, 7: 0.064},
    0.7: {
        40: 0.49, 32: 0.39, 28: 0.29, 22: 0.16, 16: 0.087, 12: 0.064, 10: 0.059, 8: 0.051, 7: 0.047
    },
}  # fmt: skip

nodes = st.floats(7, 45)


@pytest.mark.parametrize("supply_v", PUBLISHED)
def test_the_polynomials_give_the_published_energies(supply_v):
    for node_nm, factor in PUBLISHED[supply_v].items():
        half_a_digit = 0.00051 if factor < 0.1 and node_nm < 16 else 0.0051
        assert stillmaker_baas_energy(node_nm, supply_v) == pytest.approx(factor, abs=half_a_digit)


def test_the_areas_are_the_published_ones():
    for node_nm, factor in {32: 0.46, 20: 0.21, 16: 0.19, 14: 0.17, 10: 0.10, 7: 0.059}.items():
        assert area_estimates(45, node_nm)["stillmaker-baas"].value == pytest.approx(factor)


def test_deepscaletool_from_28_to_7_nm():
    energy, area = energy_estimates(28, 7), area_estimates(28, 7)
    assert energy["deepscaletool"].value == pytest.approx(1 / 3.36)
    assert area["deepscaletool"].value == pytest.approx(1 / 31.8)
    assert energy_factor(28, 7).value == energy["deepscaletool"].value  # preferred within its nodes
    assert "deepscaletool" not in energy_estimates(45, 28)


def test_the_conflict_between_45_and_7_nm_shows_as_an_interval():
    """An FP32 multiply: 18 times less by the polynomials, 2.8 times by the two published tables."""
    factor = energy_factor(45, 7)
    assert 1 / factor.low == pytest.approx(17.7, abs=0.1)
    assert 1 / factor.high == pytest.approx(2.82)
    assert 1 / factor.value == pytest.approx(6.63, abs=0.01)


def test_above_28_nm_the_polynomials_are_preferred():
    at_nominal_supply = stillmaker_baas_energy(28, 0.9) / stillmaker_baas_energy(45, 0.9)
    assert energy_factor(45, 28).value == pytest.approx(at_nominal_supply)
    assert energy_factor(45, 28).value == pytest.approx(0.42 / 0.83, rel=0.01)


def test_a_guessed_supply_is_marked():
    supplies = scaling_table().supply_v
    assert [node for node, v in sorted(supplies.items()) if v.assumed] == [7, 28]


@given(nodes, nodes)
def test_ranges_hold_the_value_and_there_and_back_is_one(a, b):
    for factor in (energy_factor, area_factor):
        there, back = factor(a, b), factor(b, a)
        assert 0 < there.low <= there.value <= there.high
        assert there.value * back.value == pytest.approx(1)
    if a == b:
        assert energy_factor(a, b).low == energy_factor(a, b).high == 1


@given(nodes, nodes, nodes)
def test_smaller_nodes_cost_less_and_steps_chain(a, b, c):
    first, second, third = sorted((a, b, c), reverse=True)
    assert energy_factor(first, second).value <= 1 + 1e-9
    assert area_factor(first, second).value <= 1 + 1e-9
    chained = energy_factor(first, second).value * energy_factor(second, third).value
    assert math.isclose(chained, energy_factor(first, third).value, rel_tol=1e-9)


@pytest.mark.parametrize("node_nm", [5, 65])
def test_a_node_that_no_method_covers_is_refused(node_nm):
    with pytest.raises(ConfigError, match=f"no scaling method covers {node_nm} nm") as caught:
        energy_factor(45, node_nm)
    assert caught.value.remedy == "state the node between 7 and 45 nm"
