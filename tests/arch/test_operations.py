import pytest

from archsim.arch.operations import (
    OperationLibrary,
    list_operation_libraries,
    load_operations,
    logic_table,
)
from archsim.arch.scaling import area_factor, energy_factor
from archsim.base.errors import ConfigError

#: published pJ: M. Horowitz, ISSCC 2014 (45 nm); TPUv4i, ISCA 2021, table 2 (7 nm)
PUBLISHED = {
    "horowitz-45nm": {
        "int8_add": 0.03, "int16_add": 0.05, "int32_add": 0.1, "int8_mul": 0.2, "int32_mul": 3.1,
        "fp16_add": 0.4, "fp16_mul": 1.1, "fp32_add": 0.9, "fp32_mul": 3.7,
    },
    "tpuv4i-7nm": {
        "int8_add": 0.007, "int32_add": 0.03, "int8_mul": 0.07, "int32_mul": 1.48,
        "fp16_add": 0.16, "fp16_mul": 0.34, "bf16_add": 0.11, "bf16_mul": 0.21,
        "fp32_add": 0.38, "fp32_mul": 1.31,
    },
}  # fmt: skip
AREAS_UM2 = {
    "int8_add": 36, "int16_add": 67, "int32_add": 137, "int8_mul": 282, "int32_mul": 3495,
    "fp16_add": 1360, "fp16_mul": 1640, "fp32_add": 4184, "fp32_mul": 7700,
}  # fmt: skip


def test_the_libraries():
    assert list_operation_libraries() == sorted(PUBLISHED)


@pytest.mark.parametrize("name", PUBLISHED)
def test_energies_are_the_published_ones_at_the_library_s_node(name):
    library = load_operations(name)
    assert set(library.operations) == set(PUBLISHED[name])
    for operation, picojoules in PUBLISHED[name].items():
        assert library.energy_pj(operation, library.node_nm.value).value == picojoules


def test_areas_are_the_published_ones():
    library = load_operations("horowitz-45nm")
    for operation, area in AREAS_UM2.items():
        assert library.area_mm2(operation, 45).value == pytest.approx(area * 1e-6)
    scaled = library.area_mm2("fp32_mul", 28)
    assert scaled.value == pytest.approx(7700e-6 * area_factor(45, 28).value)


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_library_prices_what_programs_count(name):
    counted = {"fp32_add", "fp32_mul", "fp32_cmp", "int32_add", "exp", "div", "sqrt"}
    assert counted <= set(load_operations(name).names)


def test_a_composition_is_the_sum_of_its_parts():
    library = load_operations("horowitz-45nm")
    exp = library.energy_pj("exp", 45)
    assert exp.value == pytest.approx(4 * 3.7 + 4 * 0.9)
    assert library.energy_pj("div", 45).value == pytest.approx(5 * 3.7 + 2 * 0.9)
    # a quarter at the low ends: one multiply and one add
    assert exp.low == pytest.approx(2.6 + 0.63)


@pytest.mark.parametrize("name", PUBLISHED)
def test_compositions_are_marked_as_assumed(name):
    assert all(c.times.assumed for c in load_operations(name).compositions.values())


def test_energy_at_another_node_is_scaled_with_the_scaling_s_range():
    library, factor = load_operations("horowitz-45nm"), energy_factor(45, 28)
    at_28 = library.energy_pj("fp32_mul", 28)
    assert at_28.value == pytest.approx(3.7 * factor.value)
    assert at_28.low == pytest.approx(2.6 * factor.low)
    assert at_28.high == pytest.approx(7.4 * factor.high)


def test_the_two_sets_overlap_once_scaled_to_each_other():
    """They differ by origin; were their ranges disjoint, one of them would be wrong."""
    old, new = load_operations("horowitz-45nm"), load_operations("tpuv4i-7nm")
    for operation in ("fp32_add", "fp32_mul", "fp16_mul", "int8_mul", "int32_mul"):
        scaled, stated = old.energy_pj(operation, 7), new.energy_pj(operation, 7)
        assert scaled.low <= stated.high
        assert stated.low <= scaled.high


def test_unknown_names_give_the_nearest():
    with pytest.raises(ConfigError, match="unknown operation library 'horowitz'") as caught:
        load_operations("horowitz")
    assert caught.value.remedy == "did you mean 'horowitz-45nm'?"
    with pytest.raises(ConfigError, match="no operation 'fp32_mull'") as caught:
        load_operations("horowitz-45nm").energy_pj("fp32_mull", 45)
    assert caught.value.remedy == "did you mean 'fp32_mul'?"


@pytest.mark.parametrize(("library", "operation"), [("tpuv4i-7nm", "fp32_mul"),
                                                     ("horowitz-45nm", "exp")])  # fmt: skip
def test_an_area_that_is_not_published_is_refused(library, operation):
    with pytest.raises(ConfigError, match=f"no area of {operation}"):
        load_operations(library).area_mm2(operation, 7)


def test_a_composition_of_unknown_operations_is_refused():
    library = load_operations("tpuv4i-7nm").model_dump()
    library["compositions"]["exp"]["of"] = {"fp64_mul": 1}
    with pytest.raises(ValueError, match="exp must be composed of operations"):
        OperationLibrary.model_validate(library)


def test_logic_leakage_lies_in_the_range_of_the_library_it_is_from():
    """Accelergy's Aladdin library: leakage (mW) by area (um2) of its units at 40 nm."""
    density = logic_table().leakage_mw_per_mm2
    units = [(7e-5, 5.98), (0.08, 6350), (0.0023, 278), (0.053, 4360), (0.12, 4360)]
    for milliwatts, area_um2 in units:
        assert density.low <= milliwatts / area_um2 * 1e6 <= density.high
    assert density.assumed
