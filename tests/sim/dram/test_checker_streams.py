"""The checker over the controller's command streams: nothing is broken, and seeded faults are.

A seeded fault is a controller that believes in a timing one clock shorter than the table's (or
longer, where that is the lax side). Timings that a device's others imply are listed with why; on
a device on which they are stretched until they count, the fault is caught there, too.
"""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from archsim.arch.dram import device_clocks, list_devices, load_device
from archsim.arch.dram.standards import load_standard
from archsim.sim.dram.checker import check_commands, demands_of
from archsim.sim.dram.cycle.controller import CycleDram, Policy

REQUESTS = 1500
DEVICES = list_devices()
#: one device of every standard
STANDARD_DEVICES = (
    "ddr4-3200", "ddr5-4800", "gddr6-14000", "hbm2-2000", "lpddr3-1600", "lpddr4-3200",
    "lpddr5-6400",
)  # fmt: skip
#: timings whose longer side is the lax one
LONGER = {"nAAD", "nWCKPST"}
BURST = "bursts hold the data pins as long"
FOUR = "four activates nRRDS apart take as long"
GROUP = "equals nRRDS"
#: device -> timing -> clocks that make it count, and why it does not as it is
IMPLIED = {
    "ddr4-3200": {"nCCDS": (1, BURST)},
    "ddr5-4800": {"nCCDS": (1, BURST), "nCCDS_WR": (1, BURST), "nFAW": (1, FOUR)},
    "gddr6-14000": {
        "nCCDS": (1, BURST), "nFAW": (4, FOUR), "nRRDL": (1, GROUP),
        "nPPD": (1, "one command per clock"),
    },
    "hbm2-2000": {"nCCDS": (1, BURST), "nFAW": (2, FOUR), "nRRDL": (1, GROUP)},
    "lpddr4-3200": {"nFAW": (1, FOUR)},
    "lpddr5-6400": {
        "nCCDS": (1, BURST), "nCCDS_WR": (1, BURST), "nFAW": (1, FOUR), "nRRDL": (1, GROUP),
        "nCAS": (2, "is 0"),
        "nRPab": (256, "an activate after a precharge of all banks waits for the refresh between"),
        "nPBR2PBR": (120, "per-bank refreshes are nREFI / 16 = 195 clocks apart"),
    },
}  # fmt: skip
#: more frequent refreshes break nothing
NEVER = {"nREFI", "nREFIpb"}


def bits(number):
    return number.bit_length() - 1


def mappings(device):
    group, column = ("bg", bits(device.bank_groups)), ("col", bits(device.columns))
    rest = ("ba", bits(device.banks_per_group)), ("pc", bits(device.ranks))
    return (group, column, *rest), (column, group, *rest)


def traces(device):
    """Arrivals, lines and writes: streams, copies, random, paced, and two rows of every bank."""
    generator = np.random.default_rng(1)
    lines = device.rows * device.columns * device.banks
    i, now = np.arange(REQUESTS), np.zeros(REQUESTS, np.int64)
    anywhere = generator.integers(0, lines, REQUESTS)
    third, half = generator.random(REQUESTS) < 1 / 3, generator.random(REQUESTS) < 1 / 2
    reads = np.zeros(REQUESTS, bool)
    two_rows = anywhere % (device.columns * device.banks * 2)
    return {
        "stream": (now, i, reads),
        "stream of writes": (now, i, ~reads),
        "copy": (now, i // 2 + i % 2 * lines // 2, i % 2 == 1),
        "random": (now, anywhere, reads),
        "random, a third writes": (now, anywhere, third),
        "gathers": (now, np.repeat(anywhere[::4], 4)[:REQUESTS] // 4 * 4 + i % 4, reads),
        "paced": (50 * i, anywhere, third),
        "two rows a bank": (now, two_rows, half),
    }


def policies(device):
    """Policies that reach all of a device's commands."""
    found = [Policy(), Policy(page="closed")]
    if device.standard == "LPDDR5":
        found.append(Policy(wck="always_on"))
    if "nREFIpb" in device.timings:
        found.append(Policy(refresh="per-bank"))
    return found


def violations(controlled, checked, policy, mapping, trace, *, refresh=True):
    dram = CycleDram(controlled, mapping=mapping, policy=policy, refresh=refresh)
    stream = dram.run_trace(*trace, commands=True).stream
    synchronise = policy.wck == "need_sync"
    return check_commands(stream, demands_of(checked, refresh=refresh, synchronise=synchronise))


@pytest.mark.parametrize("name", DEVICES)
def test_the_controller_breaks_nothing(name):
    device = device_clocks(load_device(name))
    for policy in policies(device):
        for mapping in mappings(device):
            for refresh in (True, False):
                for what, trace in traces(device).items():
                    broken = violations(device, device, policy, mapping, trace, refresh=refresh)
                    assert broken == [], (policy, mapping, refresh, what)


def with_clocks(device, timing, more):
    return replace(device, timings={**device.timings, timing: device.timings[timing] + more})


def is_caught(device, timing):
    """Whether some stream of a controller with the fault breaks the device's table."""
    faulty = with_clocks(device, timing, 1 if timing in LONGER else -1)
    return any(
        violations(faulty, device, policy, mapping, trace)
        for policy in policies(device)
        for mapping in mappings(device)
        for trace in traces(device).values()
    )


@cache
def timings_of(name):
    device = device_clocks(load_device(name))
    rows = load_standard(device.standard).constraints
    words = {word for row in rows for word in str(row.clocks).split() if word.startswith("n")}
    return sorted(words | LONGER & set(device.timings) | {"nREFI"})


@pytest.mark.parametrize(
    ("name", "timing"), [(n, t) for n in STANDARD_DEVICES for t in timings_of(n)]
)
def test_every_timing_a_clock_off_is_caught(name, timing):
    device = device_clocks(load_device(name))
    stretched, _ = IMPLIED.get(name, {}).get(timing, (0, ""))
    if timing in NEVER:
        assert not is_caught(device, timing)
    elif timing == "nCS":  # between ranks, of which the devices have one
        faulty = with_clocks(two := replace(device, ranks=2), timing, -1)
        mapping = mappings(two)[0]
        mapping = (mapping[-1], *mapping[:-1])  # neighbouring bursts on different ranks
        trace = traces(two)["stream"]
        broken = violations(faulty, two, Policy(wck="always_on"), mapping, trace)
        assert {v.constraint for v in broken} == {"other rank: RD/RDA to RD/WR/RDA/WRA"}
    elif stretched:
        assert not is_caught(device, timing), "this timing counts as it is: take it off the list"
        assert is_caught(with_clocks(device, timing, stretched), timing)
    else:
        assert is_caught(device, timing)


@pytest.mark.parametrize("name", STANDARD_DEVICES)
def test_refreshes_left_out_are_caught(name):
    device = device_clocks(load_device(name))
    lines = np.arange(REQUESTS)
    trace = (lines * 100, lines, np.zeros(REQUESTS, bool))
    dram = CycleDram(device, mapping=mappings(device)[0], refresh=False)
    stream = dram.run_trace(*trace, commands=True).stream
    rules = {v.constraint for v in check_commands(stream, demands_of(device))}
    assert rules == {"refreshes postponed by the standard", "interval between refreshes"}
