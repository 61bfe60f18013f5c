"""Device tables: against each other's published clocks, and their conversion to clocks."""

import json
import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from archsim.arch.dram import device_clocks, list_devices, load_device, resolve
from archsim.arch.dram.device import DramDevice
from archsim.arch.dram.standards import load_standard
from archsim.arch.dram.timing import timing_names
from archsim.base.errors import ConfigError

#: clocks as the simulators' own configurations print them (DRAMSys, DRAMsim3)
CLOCKS = {
    "lpddr3-1600": {"nCL": 12, "nCWL": 9, "nRCD": 15, "nRP": 15, "nRAS": 34, "nRRD": 8, "nFAW": 40,
                    "nWR": 12, "nRTP": 6, "nWTR": 6, "nREFI": 3120, "nREFIpb": 390, "nXP": 6,
                    "nCCD": 4, "nRTRS": 1, "nWPRE": 1},
    "lpddr4-3200": {"nCL": 28, "nCWL": 14, "nRCD": 29, "nRP": 29, "nRPab": 34, "nRAS": 68,
                    "nRC": 97, "nRRD": 16, "nFAW": 64, "nWR": 29, "nRTP": 12, "nWTR": 16,
                    "nREFI": 6246, "nRFC": 448, "nREFIpb": 780, "nRFCpb": 224, "nPPD": 4,
                    "nXP": 12, "nCCD": 8, "nRTRS": 1, "nWPRE": 2},
    "lpddr4-4266": {"nCL": 36, "nCWL": 18, "nRCD": 39, "nRP": 39, "nRPab": 45, "nRAS": 90,
                    "nRC": 129, "nRRD": 22, "nFAW": 86, "nWR": 39, "nRTP": 17, "nWTR": 22,
                    "nREFI": 8341, "nRFC": 812, "nREFIpb": 1042, "nRFCpb": 406, "nPPD": 4,
                    "nXP": 17, "nCCD": 8, "nRTRS": 1, "nWPRE": 2},
    "ddr4-3200": {"nXP": 10, "nRFC": 560},
    "gddr6-14000": {"nXP": 12},
}  # fmt: skip

#: Ramulator 2.1's configuration of a device, and where our table means something else, with why
RAMULATOR = {
    "ddr4-3200": ("ramulator2_DDR4_3200AA", {
        "nRFC": (560, 576),  # 350 ns of 8 Gb, as DRAMsim3 has it; Ramulator 360
    }),
    "lpddr5-6400": ("ramulator2_LPDDR5_6400", {}),
    "ddr5-4800": ("ramulator2_DDR5_4800AN", {
        "tCK_ps": (417, 416),  # 4800 MT/s are 416.67 ps; Ramulator cuts the clock off
        "nRFC": (708, 710),  # 295 ns on either clock
        "nREFI": (9360, 9375),  # 3900 ns on either clock
        "nFAW": (32, 48),  # 32 clocks in Micron's data sheet; Ramulator takes 20 ns
    }),
    "hbm2-2000": ("ramulator2_HBM2_2000", {}),
    "gddr6-14000": ("ramulator2_GDDR6_14000", {
        "tCK_ps": (571, 570),  # 14000 MT/s are 571.43 ps; Ramulator cuts the clock off
        "nREFI": (3325, 3333),  # 1900 ns on either clock
    }),
}  # fmt: skip


@pytest.mark.parametrize("name", CLOCKS)
def test_nanoseconds_become_the_published_clocks(name):
    clocks = resolve(load_device(name))
    assert {timing: clocks[timing] for timing in CLOCKS[name]} == CLOCKS[name]


@pytest.mark.parametrize("name", RAMULATOR)
def test_clocks_equal_ramulators_but_for_the_listed(name):
    folder = os.environ.get("ARCHSIM_DATA")
    if folder is None:
        pytest.skip("ARCHSIM_DATA is not set: no reference figures of DRAM simulators")
    configuration, differences = RAMULATOR[name]
    path = Path(folder) / "hardware" / "dram_reference.json"
    theirs = json.loads(path.read_text())["configurations"][configuration]["resolved"]
    ours = resolve(load_device(name))
    expected = theirs["timing_cycles"]
    assert {k: (ours[k], v) for k, v in expected.items() if ours[k] != v} == differences
    device = device_clocks(load_device(name))
    sizes = dict(zip(theirs["levels"], theirs["level_sizes"]))
    assert (device.bank_groups, device.banks_per_group, device.read_latency) == (
        sizes["BankGroup"], sizes["Bank"], theirs["read_latency_cycles"],
    )  # fmt: skip
    if name != "hbm2-2000":  # whose row count there is of both pseudo-channels together
        assert device.rows == sizes["Row"]


@pytest.mark.parametrize(
    ("name", "gb_s", "banks", "burst"),
    [
        ("lpddr3-1600", 6.4, 8, 32),
        ("lpddr4-3200", 6.4, 8, 32),
        ("lpddr4-4266", 8.532, 8, 32),
        ("lpddr5-6400", 12.8, 16, 32),
        ("lpddr5-6400-16bank", 6.4, 16, 32),
        ("lpddr5x-8533", 17.066, 16, 32),
        ("ddr4-3200", 25.6, 16, 64),
        ("ddr5-4800", 19.2, 32, 64),
        ("hbm2-2000", 16, 16, 32),
        ("gddr6-14000", 28, 16, 32),
    ],
)
def test_organisation(name, gb_s, banks, burst):
    device = load_device(name)
    assert device.name == name
    assert device.bandwidth_gb_s() == pytest.approx(gb_s)
    assert device.banks == banks
    assert device.burst_bytes == burst
    # a burst moves at the peak: as long as tCCD
    assert device.burst_clocks == resolve(device)["nCCDS"]
    assert burst / (device.burst_clocks * device.clock_ns) == pytest.approx(gb_s)
    clocks = device_clocks(device)
    assert clocks.columns * burst == device.organisation.page_bytes.value
    gbit = device.organisation.density_gbit.value * device.organisation.devices.value
    assert clocks.rows * banks * device.organisation.page_bytes.value == gbit * 2**27


def test_every_device_is_listed_here():
    assert set(list_devices()) == set(CLOCKS) | set(RAMULATOR) | {
        "lpddr5-6400-16bank", "lpddr5x-8533"
    }  # fmt: skip


@pytest.mark.parametrize("name", list_devices())
def test_every_timing_changes_a_clock(name):
    device = load_device(name)
    before = resolve(device)
    for time, constant in device.timing.items():
        values = {"value": constant.value * 4 + 8, "high": constant.high * 4 + 8}
        timing = device.timing | {time: constant.model_copy(update=values)}
        changed = device.model_copy(update={"timing": timing})
        shorter = time.endswith("_clocks") and time.replace("_clocks", "_ns") in timing
        assert shorter or resolve(changed) != before, time


@pytest.mark.parametrize("name", list_devices())
def test_every_timing_is_in_a_rule_of_the_standard_or_a_model(name):
    """Clocks that no constraint reads are read by a model: refresh, split activate, power-down."""
    device = load_device(name)
    standard = load_standard(device.standard)
    text = " ".join(f" {row.clocks} " for row in standard.constraints) + standard.read_latency
    read = set(text.split()) | {
        "nREFI", "nREFIpb",  # when refreshes come
        "nAAD", "nWCKPST",  # cycle model: LPDDR5's second activate command and data clock
        "nXP",  # row model: waking up
    }  # fmt: skip
    clocks = resolve(device)
    for time in device.timing:
        stem = time.rpartition("_")[0]
        names = [n for n, t in timing_names().items() if t == stem and n in clocks]
        assert read & set(names), time


def test_timing_that_is_unknown_or_missing_is_named():
    data = load_device("lpddr4-3200").model_dump()
    timing = data["timing"]
    with pytest.raises(ValidationError, match="unknown timing 'tcl_us', expected a time and its"):
        DramDevice.model_validate(data | {"timing": timing | {"tcl_us": timing["tcl_ns"]}})
    del timing["tfaw_ns"]
    with pytest.raises(ValidationError, match="missing timing tfaw_ns or tfaw_clocks"):
        DramDevice.model_validate(data)


def test_the_longer_of_nanoseconds_and_clocks_counts():
    device = load_device("ddr5-4800")
    assert resolve(device)["nCCDL"] == 12  # 5 ns
    assert resolve(device, 2400)["nCCDL"] == 8  # at least 8 clocks


def test_clocks_round_up_and_back():
    device = load_device("lpddr4-3200")  # a clock is 625 ps
    assert [device.clocks(ns, 3200) for ns in (0, 0.624, 0.625, 0.626)] == [0, 1, 1, 2]
    assert device.clocks_to_ps(3, 3200) == 1875
    # at 3000 MT/s a clock is 666.67 ps: whole picoseconds, rounded up
    assert device.clocks_to_ps(1, 3000) == 667
    assert device.clocks_to_ps(3, 3000) == 2000


def test_an_unknown_device_lists_the_known_ones():
    with pytest.raises(ConfigError) as caught:
        load_device("ddr9")
    assert str(caught.value) == (
        "there is no DRAM device 'ddr9'\n"
        "  remedy: use one of: ddr4-3200, ddr5-4800, gddr6-14000, hbm2-2000, lpddr3-1600, "
        "lpddr4-3200, lpddr4-4266, lpddr5-6400, lpddr5-6400-16bank, lpddr5x-8533"
    )


def test_a_table_is_frozen():
    device = load_device("lpddr4-3200")
    with pytest.raises(ValidationError, match="frozen"):
        device.name = "mine"
