"""Constraint tables of the standards: their clocks equal a simulator's."""

import json
import os
from collections import Counter
from pathlib import Path

import pytest

from archsim.arch.dram.standards import (
    STANDARDS,
    DramClocks,
    TimingConstraint,
    clocks_of,
    constraint_table,
    load_standard,
    standard_constraints,
)
from archsim.base.errors import ConfigError

SCOPES = {
    "Channel": "channel", "Rank": "rank", "PseudoChannel": "rank", "BankGroup": "bank_group",
    "Bank": "bank",
}  # fmt: skip
CONFIGURATIONS = (
    "ramulator2_DDR4_3200AA",
    "ramulator2_DDR4_3200AA_nRFC560",
    "ramulator2_LPDDR5_6400",
    "ramulator2_LPDDR5_6400_wck_always_on",
    "ramulator2_DDR5_4800AN",
    "ramulator2_HBM2_2000",
    "ramulator2_GDDR6_14000",
)


def device(standard, timings):
    return DramClocks(
        standard=standard, ranks=1, bank_groups=4, banks_per_group=4, rows=65536, columns=128,
        burst_bytes=64, clock_ps=625, timings=timings,
    )  # fmt: skip


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_resolved_clocks_equal_ramulators(configuration):
    folder = os.environ.get("ARCHSIM_DATA")
    if folder is None:
        pytest.skip("ARCHSIM_DATA is not set: no reference figures of DRAM simulators")
    path = Path(folder) / "hardware" / "dram_reference.json"
    resolved = json.loads(path.read_text())["configurations"][configuration]["resolved"]
    ours = standard_constraints(device(resolved["standard"], resolved["timing_cycles"]))
    assert Counter(
        (c.scope, frozenset(c.after), frozenset(c.before), c.clocks, c.window, c.sibling)
        for c in ours
    ) == Counter(
        (SCOPES[c["scope"]], frozenset(c["after"]), frozenset(c["before"]), c["cycles"],
         c["window"], c["sibling"])
        for c in resolved["timing_constraints"]
    )  # fmt: skip


@pytest.mark.parametrize("name", STANDARDS)
def test_tables_name_only_commands_and_scopes_there_are(name):
    standard = load_standard(name)
    assert standard.name == name
    for row in standard.constraints:
        assert row.scope in SCOPES.values()
        assert set(row.after) | set(row.before) <= set(standard.commands)
        assert row.window in (1, 4)


@pytest.mark.parametrize("name", STANDARDS)
def test_every_command_but_a_sync_waits_for_some_other(name):
    standard = load_standard(name)
    waiting = {c for row in standard.constraints for c in row.before}
    assert set(standard.commands) - waiting <= {"ACT2", "CAS_RD", "CAS_WR"}


def test_a_table_row_reads_as_it_is_written():
    assert constraint_table("""
    rank | ACT    -> ACT       | nFAW      | window 4  # four activates
    rank | RD RDA -> RD WR     | nBL + nCS | sibling
    """) == (
        TimingConstraint("rank", ("ACT",), ("ACT",), "nFAW", 4),
        TimingConstraint("rank", ("RD", "RDA"), ("RD", "WR"), "nBL + nCS", 1, True),
    )


def test_clocks_are_sums_over_named_timings():
    assert clocks_of("nCL + nBL + 2 - nCWL", {"nCL": 22, "nBL": 4, "nCWL": 16}) == 12
    with pytest.raises(ConfigError, match=r"the timing 'nWR' of 'nCWL \+ nWR' is not among"):
        clocks_of("nCWL + nWR", {"nCWL": 16})


def test_an_unknown_standard_lists_the_known_ones():
    with pytest.raises(ConfigError, match="use one of: DDR4, DDR5"):
        load_standard("DDR2")
