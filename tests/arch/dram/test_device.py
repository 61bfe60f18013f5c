"""Device tables: against each other's published clocks, and their conversion to clocks."""

import pytest
from pydantic import ValidationError

from archsim.arch.dram import list_devices, load_device
from archsim.base.errors import ConfigError

#: clocks as the simulators' own configurations print them (Ramulator 2.1, DRAMSys, DRAMsim3)
CLOCKS = {
    "lpddr3-1600": {"cl": 12, "cwl": 9, "trcd": 15, "trp": 15, "tras": 34, "trrd": 8, "tfaw": 40,
                    "twr": 12, "trtp": 6, "twtr": 6, "trefi": 3120},
    "lpddr4-3200": {"cl": 28, "cwl": 14, "trcd": 29, "trp": 29, "trp_all": 34, "tras": 68,
                    "trrd": 16, "tfaw": 64, "twr": 29, "trtp": 12, "twtr": 16, "trefi": 6246,
                    "trfc": 448},
    "lpddr5-6400": {"cl": 17, "cwl": 9, "trcd": 15, "trp": 15, "trp_all": 17, "tras": 34,
                    "trrd": 4, "tfaw": 16, "twr": 28, "trtp": 8, "twtr": 5, "trefi": 3125,
                    "trfc": 224},
}  # fmt: skip


@pytest.mark.parametrize("name", list_devices())
def test_nanoseconds_become_the_published_clocks(name):
    device = load_device(name)
    rate = int(device.data_rate_mt_s.value)
    clocks = {
        parameter: device.clocks(getattr(device.timing, f"{parameter}_ns").value, rate)
        for parameter in CLOCKS[name]
    }
    assert clocks == CLOCKS[name]


@pytest.mark.parametrize(
    ("name", "gb_s", "banks"),
    [("lpddr3-1600", 6.4, 8), ("lpddr4-3200", 6.4, 8), ("lpddr5-6400", 12.8, 16)],
)
def test_organisation(name, gb_s, banks):
    device = load_device(name)
    assert device.name == name
    assert device.bandwidth_gb_s() == pytest.approx(gb_s)
    assert device.banks == banks
    assert device.burst_bytes == 32
    # a burst moves at the peak: as long as tCCD
    assert device.burst_clocks == device.timing.tccd_clocks.value
    assert device.burst_bytes / (device.burst_clocks * device.clock_ns) == pytest.approx(gb_s)


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
        "  remedy: use one of: lpddr3-1600, lpddr4-3200, lpddr5-6400"
    )


def test_a_table_is_frozen():
    device = load_device("lpddr4-3200")
    with pytest.raises(ValidationError, match="frozen"):
        device.name = "mine"
