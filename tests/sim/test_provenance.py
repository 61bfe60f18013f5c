import pytest

from archsim.arch.load import list_machines, load_machine
from archsim.arch.machine import Accelerator, Gpu
from archsim.sim.provenance import assumed_constants, constants


def by_place(machine, mode=None):
    found = constants(machine, mode)
    places = {c.place: c for c in found}
    assert len(places) == len(found)
    return places


@pytest.mark.parametrize("name", list_machines())
def test_every_constant_has_a_source_and_a_range(name):
    for constant in by_place(load_machine(name)).values():
        assert len(constant.source) >= 3
        assert constant.low <= constant.value <= constant.high


def test_places_values_and_units():
    places = by_place(load_machine("orin-nx-16gb"))
    clock = places["machine.modes.MAXN.gpu_clock_mhz"]
    assert (clock.value, clock.unit) == (918, "MHz")
    assert places["dram.data_rate_mt_s"].unit == "MT/s"
    assert places["machine.sm.warps"].unit == ""
    assert not any(p.startswith(("sram", "logic", "operations")) for p in places)


def test_with_a_mode_only_that_mode_is_listed():
    places = by_place(load_machine("orin-nx-16gb"), "15W")
    modes = {p.split(".")[2] for p in places if p.startswith("machine.modes.")}
    assert modes == {"15W"}


def test_an_accelerator_rests_on_its_tables():
    machine = load_machine("gscore")
    places = by_place(machine)
    assert places["logic.leakage_mw_per_mm2"].unit == "mW/mm2"
    assert "sram.accuracy" in places
    assert places["dram.data_rate_mt_s"].value == 3200


def counted_by_operations(node_nm, cell):
    """Return GSCore without its units' item energies, at another node and cell."""
    machine = load_machine("gscore")
    data = machine.model_dump()
    for unit in data["units"].values():
        unit["dynamic_pj_per_item"] = None
    data["node_nm"] = {"value": node_nm, "low": node_nm, "high": node_nm, "source": "test"}
    data["sram_cell"] = cell
    return Accelerator.model_validate(data)


def test_the_operation_library_and_its_scaling_are_listed_where_they_are_used():
    scaled = by_place(counted_by_operations(28, "itrs-hp"))
    assert scaled["operations.operations.fp32_mul.energy_pj"].value == 3.7
    factor = scaled["scaling.energy.from_45_nm"]
    assert factor.low < factor.value < factor.high
    assert "DeepScaleTool" in factor.source
    assert scaled["scaling.supply_v.28"].unit == "V"
    assert scaled["scaling.supply_v.28"].assumed
    at_home = by_place(counted_by_operations(45, "itrs-hp"))
    assert "operations.operations.fp32_mul.energy_pj" in at_home
    assert "scaling.energy.from_45_nm" not in at_home


def test_sram_scaled_from_another_node_is_listed():
    inside = by_place(counted_by_operations(28, "itrs-hp"))
    outside = by_place(counted_by_operations(16, "itrs-hp"))
    assert "sram.leakage_off_node" not in inside
    assert outside["sram.leakage_off_node"].assumed
    assert {"scaling.energy.from_22_nm", "scaling.energy.from_45_nm"} <= set(outside)


@pytest.mark.parametrize("name", list_machines())
def test_assumed_are_exactly_the_marked_constants(name):
    machine = load_machine(name)
    mode = machine.default_mode if isinstance(machine, Gpu) else None
    found = assumed_constants(machine, mode)
    assert list(found) == [c.place for c in constants(machine, mode) if c.assumed]
    assert found


def test_an_assumed_constant_reads_value_unit_range_and_reason():
    text = assumed_constants(load_machine("gscore"))["logic.leakage_mw_per_mm2"]
    assert text.startswith("12 mW/mm2 (1 to 28): 40 nm at 1 ns in Accelergy's Aladdin library")
