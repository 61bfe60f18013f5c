"""Named mappings: which bits of a burst's number are bank and column."""

import pytest

from archsim.arch.dram import list_devices, load_device
from archsim.sim.dram.mapping import MAPPINGS, Mapping, map_device


@pytest.mark.parametrize(
    ("device", "mapping", "bits"),
    [
        ("lpddr5-6400", "row-bank-column", Mapping(6, 0, 0, 4)),
        ("lpddr5-6400", "row-bank-column-group", Mapping(0, 2, 6, 2)),
        ("lpddr5-6400", "row-bank-column-group-2", Mapping(2, 2, 4, 2)),
        ("lpddr5-6400", "row-column-bank", Mapping(0, 4, 6, 0)),
        ("lpddr4-3200", "row-column-bank", Mapping(0, 3, 6, 0)),
        # without bank groups
        ("lpddr4-3200", "row-bank-column-group", Mapping(6, 0, 0, 3)),
        ("lpddr3-1600", "row-bank-column-group-2", Mapping(7, 0, 0, 3)),
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
