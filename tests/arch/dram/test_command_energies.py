"""DRAM energies per command against hand computation and published results."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.arch.dram import list_devices, load_device
from archsim.arch.dram.device import DramDevice
from archsim.arch.dram.energy import command_energies


def with_currents(**currents):
    """Return LPDDR4-3200 with one rail of 1 V whose currents are 10 mA, but for those given."""
    data = load_device("lpddr4-3200").model_dump()
    names = ("idd0", "idd2n", "idd3n", "idd4r", "idd4w", "idd5", "idd2p")

    def constant(value):
        return {"value": value, "low": value, "high": value, "source": "test"}

    rail = {f"{name}_ma": constant(currents.get(name, 10)) for name in names}
    data["power"] = {
        "kind": "currents",
        "core": {"vdd": {"volts": constant(1), **rail}},
        "io": None,
        "io_read_pj_per_bit": constant(1),
        "io_write_pj_per_bit": constant(2),
        "tolerance": constant(1),
    }
    return DramDevice.model_validate(data)


def test_lpddr4_gives_the_published_energies():
    """1.205 nJ per row, 5.26 and 3.87 pJ/b core, 3.21 and 1.17 I/O, 23.4 nJ per refresh."""
    energies = command_energies(load_device("lpddr4-3200"))
    assert energies.activate_pj.value == pytest.approx(1205, abs=0.5)
    assert energies.read_core_pj.value / 256 == pytest.approx(5.26, abs=0.005)
    assert energies.read_io_pj.value / 256 == pytest.approx(3.21, abs=0.005)
    assert energies.write_core_pj.value / 256 == pytest.approx(3.87, abs=0.005)
    assert energies.write_io_pj.value / 256 == pytest.approx(1.17, abs=0.005)
    assert energies.refresh_pj.value == pytest.approx(23400, abs=50)
    assert energies.active_standby_mw.value == pytest.approx(37.9, abs=0.05)
    assert energies.precharge_standby_mw.value == pytest.approx(34.1, abs=0.05)
    assert energies.power_down_mw.value == pytest.approx(6.3, abs=0.05)


def test_lpddr3_gives_the_published_energies():
    energies = command_energies(load_device("lpddr3-1600"))
    assert energies.activate_pj.value == pytest.approx(2730, abs=5)
    assert energies.read_core_pj.value / 256 == pytest.approx(4.59, abs=0.005)
    assert energies.write_core_pj.value / 256 == pytest.approx(3.66, abs=0.005)
    assert energies.refresh_pj.value == pytest.approx(25700, abs=50)


def test_lpddr5_reads_cost_four_to_five_and_a_half_pj_per_bit():
    energies = command_energies(load_device("lpddr5-6400"))
    per_bit = (energies.read_core_pj + energies.read_io_pj) * (1 / 256)
    assert per_bit.low >= 4.0
    assert per_bit.high <= 5.5


@pytest.mark.parametrize("name", list_devices())
def test_data_sheet_energies_carry_at_least_thirty_percent(name):
    energies = command_energies(load_device(name))
    for interval in (energies.activate_pj, energies.active_standby_mw):
        assert 0 < interval.low <= 0.7001 * interval.value
        assert interval.high >= 1.2983 * interval.value


def test_each_formula_by_hand():
    """tRAS 42.5, tRP 18.125, burst 5, tRFC 280 ns at 1 V."""
    energies = command_energies(
        with_currents(idd0=20, idd2n=4, idd3n=5, idd4r=105, idd4w=55, idd5=24, idd2p=1)
    )
    assert energies.activate_pj.value == pytest.approx(20 * 60.625 - 5 * 42.5 - 4 * 18.125)
    assert energies.read_core_pj.value == pytest.approx(100 * 5)
    assert energies.write_core_pj.value == pytest.approx(50 * 5)
    assert energies.refresh_pj.value == pytest.approx(20 * 280)
    assert energies.active_standby_mw.value == 5
    assert energies.precharge_standby_mw.value == 4
    assert energies.power_down_mw.value == 1
    assert (energies.read_io_pj.value, energies.write_io_pj.value) == (256, 512)


@given(st.floats(10, 500), st.floats(0, 100))
def test_more_current_never_less_energy(base, more):
    low, high = (command_energies(with_currents(idd4r=c)) for c in (base, base + more))
    assert low.read_core_pj.value <= high.read_core_pj.value
