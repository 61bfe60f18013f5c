"""The energy of command patterns, each worked by hand from a rail's currents.

One rail of 1 V of a device with tRAS 42.5, tRP 18.125, tRFC 280, a burst of 5 ns and a refresh
every 3903.75 ns. Currents in mA: IDD0 20, IDD2N 4, IDD3N 5, IDD4R 105, IDD4W 55, IDD5 24, IDD2P 1.
"""

import pytest

from archsim.arch.dram import (
    command_energies,
    energy_breakdown_pj,
    list_devices,
    load_device,
)
from archsim.arch.dram.device import DramDevice

CURRENTS = {"idd0": 20, "idd2n": 4, "idd3n": 5, "idd4r": 105, "idd4w": 55, "idd5": 24, "idd2p": 1}
ROW_PS = 60_625  # tRAS + tRP


def constant(value, low=None, high=None):
    low, high = value if low is None else low, value if high is None else high
    return {"value": value, "low": low, "high": high, "source": "test"}


def device(*, devices=1, tolerance=(1, 1, 1), share=None, **changes):
    data = load_device("lpddr4-3200").model_dump()
    data["organisation"]["devices"] = constant(devices)
    data["power"] = {
        "kind": "currents",
        "core": {
            "vdd": {
                "volts": constant(1),
                **{f"{k}_ma": constant(v) for k, v in (CURRENTS | changes).items()},
            }
        },
        "io": None,
        "io_read_pj_per_bit": constant(1),
        "io_write_pj_per_bit": constant(2),
        "tolerance": constant(*tolerance),
    }
    if share is not None:
        data["power"]["one_bank_share"] = constant(*share)
    return DramDevice.model_validate(data)


def values(counts, states):
    return {k: e.value for k, e in energy_breakdown_pj(device(), counts, states).items() if e.value}


def test_activate_precharge_loop_draws_idd0():
    """A bank opened and closed every tRC draws IDD0 all the time: that is how IDD0 is measured."""
    parts = values({"activates": 100}, {"active": 100 * 42_500, "precharged": 100 * 18_125})
    assert parts["activate"] == pytest.approx(100 * (20 * 60.625 - 5 * 42.5 - 4 * 18.125))
    assert parts["standby"] == pytest.approx(100 * (5 * 42.5 + 4 * 18.125))
    assert sum(parts.values()) == pytest.approx(20 * 100 * ROW_PS / 1000)


def test_reading_without_a_gap_draws_idd4r():
    parts = values({"read_bursts": 50}, {"active": 50 * 5000})
    io = parts.pop("io")
    assert io == pytest.approx(50 * 256)  # 1 pJ/b
    assert sum(parts.values()) == pytest.approx(105 * 50 * 5)


def test_writing_without_a_gap_draws_idd4w():
    parts = values({"write_bursts": 50}, {"active": 50 * 5000})
    assert parts.pop("io") == pytest.approx(2 * 50 * 256)
    assert sum(parts.values()) == pytest.approx(55 * 50 * 5)


def test_refreshing_without_a_gap_draws_idd5():
    parts = values({"refreshes": 7}, {"precharged": 7 * 280_000})
    assert sum(parts.values()) == pytest.approx(24 * 7 * 280)


def test_bank_after_bank_refreshed_costs_what_all_at_once_cost():
    """Eight banks every 487.5 ns are all of them every 3903.75 ns, but for a thousandth."""
    at_once = values({"refreshes": 3}, {})
    in_turn = values({"bank_refreshes": 24}, {})
    assert in_turn["refresh"] == pytest.approx(at_once["refresh"], rel=2e-3)


@pytest.mark.parametrize(("state", "milliamps"), [("active", 5), ("precharged", 4), ("idle", 4),
                                                  ("power_down", 1)])  # fmt: skip
def test_states_draw_their_current(state, milliamps):
    assert values({}, {state: 10**6}) == {"standby": pytest.approx(milliamps * 1000)}


def test_idle_time_may_have_been_power_down():
    standby = energy_breakdown_pj(device(), {}, {"idle": 10**6})["standby"]
    assert (standby.value, standby.low, standby.high) == pytest.approx((4000, 1000, 4000))


def test_a_rank_draws_what_its_devices_draw_but_its_pins_move_each_bit_once():
    one, four = (command_energies(device(devices=n)) for n in (1, 4))
    for name in ("activate_pj", "read_core_pj", "write_core_pj", "refresh_pj", "power_down_mw"):
        assert getattr(four, name).value == pytest.approx(4 * getattr(one, name).value)
    assert four.read_io_pj == one.read_io_pj


def test_the_tolerance_is_the_range():
    parts = energy_breakdown_pj(device(tolerance=(1, 0.7, 1.3)), {"activates": 1}, {})
    value = 20 * 60.625 - 5 * 42.5 - 4 * 18.125
    found = parts["activate"]
    assert (found.value, found.low, found.high) == pytest.approx((value, 0.7 * value, 1.3 * value))


def test_idd0_below_idd3n_needs_what_one_bank_draws():
    """IDD3N of 30 is of eight open banks: one draws 4 + 26 x share; IDD0 of 20 is above that."""
    parts = {
        share: command_energies(device(idd3n=30, share=(share, 0.125, 0.5))).activate_pj
        for share in (0.125, 0.25)
    }
    by_hand = {s: 20 * 60.625 - (4 + 26 * s) * 42.5 - 4 * 18.125 for s in (0.125, 0.25, 0.5)}
    assert parts[0.125].value == pytest.approx(by_hand[0.125])
    assert parts[0.25].value == pytest.approx(by_hand[0.25])
    # the more one bank draws standing by, the less its activate takes
    assert (parts[0.25].low, parts[0.25].high) == pytest.approx((by_hand[0.5], by_hand[0.125]))
    assert command_energies(device(idd3n=30)).activate_pj.value < 0  # Micron's formula


@pytest.mark.parametrize("name", list_devices())
def test_no_device_gains_energy(name):
    counts = dict.fromkeys(
        ("activates", "read_bursts", "write_bursts", "refreshes", "bank_refreshes"), 1
    )
    states = dict.fromkeys(("active", "precharged", "power_down", "idle"), 1)
    for part in energy_breakdown_pj(load_device(name), counts, states).values():
        assert 0 <= part.low <= part.value <= part.high
        assert part.value > 0
    energies = command_energies(load_device(name))
    assert energies.power_down_mw.value < energies.precharge_standby_mw.value
    assert energies.precharge_standby_mw.value <= energies.active_standby_mw.value


def test_ddr4_and_hbm2_give_the_published_energies():
    """DDR4-3200 8 x x8: 4.20 nJ per row, 5.44 and 4.59 pJ/b, 499 and 355 mW. HBM2, 128 bits:
    0.83 nJ, 1.57 and 2.09 pJ/b, 66 mW; a pseudo-channel is half of it."""
    ddr4, hbm2 = (command_energies(load_device(n)) for n in ("ddr4-3200", "hbm2-2000"))
    assert ddr4.activate_pj.value == pytest.approx(4200, abs=5)
    assert ddr4.read_core_pj.value / 512 == pytest.approx(5.44, abs=0.005)
    assert ddr4.write_core_pj.value / 512 == pytest.approx(4.59, abs=0.005)
    assert ddr4.active_standby_mw.value == pytest.approx(499, abs=0.5)
    assert ddr4.precharge_standby_mw.value == pytest.approx(355, abs=0.5)
    assert hbm2.activate_pj.value == pytest.approx(830 / 2, abs=2.5)
    assert hbm2.read_core_pj.value / 256 == pytest.approx(1.57, abs=0.005)
    assert hbm2.write_core_pj.value / 256 == pytest.approx(2.09, abs=0.005)
    assert hbm2.active_standby_mw.value == pytest.approx(66 / 2)


def test_unknown_commands_and_states_are_named():
    with pytest.raises(ValueError, match="'reads' is no DRAM command or state with an energy"):
        energy_breakdown_pj(device(), {"reads": 1}, {})
    with pytest.raises(ValueError, match="'asleep' is no DRAM command"):
        energy_breakdown_pj(device(), {}, {"asleep": 1})
