"""Energies of DRAM commands against Micron's formulas worked by hand, and a simulated trace."""

import pytest

from archsim.arch.dram import command_energies, load_device


def test_lpddr3_by_hand():
    e = command_energies(load_device("lpddr3-1600"))
    # mA x ns x V: IDD0 over tRC 60 ns, less IDD3N over tRAS 42 ns and IDD2N over tRP 18 ns
    vdd1 = 1.8 * (8 * 60 - 2 * 42 - 0.8 * 18)
    vdd2 = 1.2 * (60 * 60 - 34 * 42 - 26 * 18)
    assert e.activate_pj.value == pytest.approx(vdd1 + vdd2)
    assert e.activate_pj.value == pytest.approx(2730, rel=0.005)
    assert e.read_core_pj.value == pytest.approx(1.2 * (230 - 34) * 5)
    assert e.read_core_pj.value / 256 == pytest.approx(4.59, abs=0.005)
    assert e.write_core_pj.value / 256 == pytest.approx(3.66, abs=0.005)
    assert e.refresh_pj.value == pytest.approx(25_700, rel=0.001)
    assert e.active_standby_mw.value == pytest.approx(44.4)
    assert e.precharge_standby_mw.value == pytest.approx(32.64)
    assert e.power_down_mw.value == pytest.approx(3.6)


def test_lpddr5_is_assumed_within_four_to_five_and_a_half_pj_per_bit():
    device = load_device("lpddr5-6400")
    e = command_energies(device)
    read = e.read_core_pj + e.read_io_pj
    assert (read.low / 256, read.high / 256) == pytest.approx((4.0, 5.5))
    constants = [value for name, value in device.power if name != "kind"]
    assert all(constant.assumed for constant in constants)


def test_a_stream_of_reads_on_lpddr4_costs_what_simulation_gives():
    """DRAMsim3's terms of 20,000 streamed reads: 6.14 pJ/b, of them 0.08, 5.26, 0.10 and 0.70."""
    e = command_energies(load_device("lpddr4-3200"))
    bits, seconds = 20_000 * 256, 174_485 * 0.625e-9
    parts = {
        "activate": 374 * e.activate_pj.value,
        "read": 20_000 * e.read_core_pj.value,
        "refresh": 27 * e.refresh_pj.value,
        "standby": e.active_standby_mw.value * 1e9 * seconds,
    }
    assert parts["activate"] / bits == pytest.approx(0.08, abs=0.01)
    assert parts["refresh"] / bits == pytest.approx(0.10, abs=0.03)
    # the simulation counts VDD2 alone: its standby leaves out VDD1 and VDDQ, 0.10 pJ/b
    assert sum(parts.values()) / bits == pytest.approx(6.14, abs=0.15)
