"""Named mappings: which bits of a burst's number are bank and column."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from archsim.arch.dram import device_clocks, list_devices, load_device
from archsim.sim.dram.cycle.fields import locate
from archsim.sim.dram.mapping import MAPPINGS, Mapping, map_device


@pytest.mark.parametrize(
    ("device", "mapping", "bits"),
    [
        ("lpddr5-6400", "row-bank-column", Mapping(6, 0, 0, 4, 2)),
        ("lpddr5-6400", "row-bank-column-group", Mapping(0, 2, 6, 2, 2)),
        ("lpddr5-6400", "row-bank-column-group-2", Mapping(2, 2, 4, 2, 2)),
        ("lpddr5-6400", "row-column-bank", Mapping(0, 4, 6, 0, 2)),
        ("lpddr4-3200", "row-column-bank", Mapping(0, 3, 6, 0, 0)),
        # without bank groups
        ("lpddr4-3200", "row-bank-column-group", Mapping(6, 0, 0, 3, 0)),
        ("lpddr3-1600", "row-bank-column-group-2", Mapping(7, 0, 0, 3, 0)),
    ],
)
def test_bits(device, mapping, bits):
    assert map_device(mapping, load_device(device)) == bits


def test_every_mapping_reaches_every_bank_and_column():
    for name in list_devices():
        device = load_device(name)
        for mapping in MAPPINGS:
            bits = map_device(mapping, device)
            page_bytes = int(device.organisation.page_bytes.value)
            assert 1 << bits.low_column_bits + bits.column_bits == page_bytes // device.burst_bytes
            assert 1 << bits.spread_bits + bits.bank_bits == device.banks


@pytest.mark.parametrize(
    ("device", "mapping", "config", "order"),
    [
        ("ddr4-3200", "row-bank-column", "ramulator2_DDR4_3200AA", "bgco"),
        ("ddr4-3200", "row-bank-column-group", "ramulator2_DDR4_3200AA", "cobg"),
        ("lpddr5-6400", "row-bank-column", "ramulator2_LPDDR5_6400", "bgco"),
        ("lpddr5-6400", "row-bank-column-group", "ramulator2_LPDDR5_6400", "cobg"),
        ("ddr5-4800", "row-bank-column", "ramulator2_DDR5_4800AN", "bgco"),
        ("ddr5-4800", "row-bank-column-group", "ramulator2_DDR5_4800AN", "cobg"),
        ("gddr6-14000", "row-bank-column", "ramulator2_GDDR6_14000", "bgco"),
        ("gddr6-14000", "row-bank-column-group", "ramulator2_GDDR6_14000", "cobg"),
        ("lpddr4-3200", "row-bank-column", "dramsim3_LPDDR4_3200_x16_custom", "bgco"),
        ("lpddr4-3200", "row-column-bank", "dramsim3_LPDDR4_3200_x16_custom", "coba"),
        ("lpddr3-1600", "row-bank-column-group", "dramsim3_LPDDR3_1600_x64", "cobg"),
    ],
)
def test_mappings_are_the_simulators_bit_orders(device, mapping, config, order):
    folder = os.environ.get("ARCHSIM_DATA")
    if folder is None:
        pytest.skip("ARCHSIM_DATA is not set: no reference figures of DRAM simulators")
    path = Path(folder) / "hardware" / "dram_reference.json"
    orders = json.loads(path.read_text())["configurations"][config]["mappings_lsb_first"]
    expected = [(name, bits) for name, bits in orders[order] if bits and name != "row"]
    assert list(map_device(mapping, load_device(device)).fields) == expected


@pytest.mark.parametrize("mapping", MAPPINGS)
@pytest.mark.parametrize("device", list_devices())
def test_fields_locate_a_burst_where_the_bits_do(device, mapping):
    bits = map_device(mapping, load_device(device))
    clocks = device_clocks(load_device(device))
    line = np.random.default_rng(1).integers(0, 1 << 24, 1000)
    bank, row = locate(line, bits.fields, clocks)
    spread = line >> bits.low_column_bits & (1 << bits.spread_bits) - 1
    upper = line >> bits.low_column_bits + bits.spread_bits + bits.column_bits
    number = (upper & (1 << bits.bank_bits) - 1) << bits.spread_bits | spread
    groups = clocks.bank_groups
    assert (bank == number % groups * clocks.banks_per_group + number // groups).all()
    assert (row == upper >> bits.bank_bits).all()
