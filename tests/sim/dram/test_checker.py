"""The checker on streams made by hand: every constraint and rule at its edge."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from archsim.arch.dram.standards import (
    STANDARDS,
    DramClocks,
    TimingConstraint,
    load_standard,
    standard_constraints,
)
from archsim.base.errors import InputError
from archsim.sim.dram.checker import (
    POSTPONED_REFRESHES,
    Demands,
    check_commands,
    demands_of,
)
from archsim.sim.dram.checker_kernels import KINDS

PLAIN = Demands(
    constraints=(), ranks=2, bank_groups=2, banks_per_group=2, read_latency=10, write_latency=6,
    burst=4, refresh_interval=None, postponed_refreshes=2,
)  # fmt: skip
EVERYWHERE = ("PREab", "REFab")


def stream(*lines):
    """Commands from (cycle, command, group, bank, row, rank), the last four 0 when left out."""
    rows = [(*line, *(0,) * (6 - len(line))) for line in lines]
    names = tuple(dict.fromkeys(row[1] for row in rows))

    def column(values):
        return np.array(list(values), np.int64)

    def place(row, index):
        return -1 if row[1] in EVERYWHERE else row[index]

    return SimpleNamespace(
        names=names,
        cycle=column(r[0] for r in rows),
        command=column(names.index(r[1]) for r in rows),
        rank=column(r[5] for r in rows),
        bank_group=column(place(r, 2) for r in rows),
        bank=column(place(r, 3) for r in rows),
        row=column(r[4] for r in rows),
    )


def found(demands, *lines):
    return [
        (v.cycle, v.command, v.constraint, v.required, v.found)
        for v in check_commands(stream(*lines), demands)
    ]


def clocks_of_a_made_up_device(standard):
    """A device of the standard whose timings are all different and far apart."""
    rows = load_standard(standard).constraints
    names = {word for row in rows for word in str(row.clocks).split() if word.startswith("n")}
    names |= {"nCL", "nCWL", "nREFI", "nBL_min" if standard == "LPDDR5" else "nBL"}
    timings = {name: 100 + 37 * i for i, name in enumerate(sorted(names))} | {"nCWL": 5}
    if standard == "LPDDR5":
        timings |= {"nAAD": 8, "nWCKPST": 1}
    return DramClocks(
        standard=standard, ranks=2, bank_groups=2, banks_per_group=2, rows=1024, columns=64,
        burst_bytes=64, clock_ps=625, timings=timings,
    )  # fmt: skip


def pairs(standard):
    """Every constraint of a standard, with each command it starts at and each that waits."""
    for c in standard_constraints(clocks_of_a_made_up_device(standard)):
        for after in c.after:
            for before in c.before:
                yield c, after, before


def breaks(constraint, after, before, cycle, *, rank=0, group=0, bank=0):
    """Whether ``before`` at a cycle breaks the constraint after ``after`` at 0, 1, ..."""
    demands = replace(PLAIN, constraints=(constraint,))
    first = [(i, after, group, bank, 0, rank) for i in range(constraint.window)]
    return [
        v.found
        for v in check_commands(stream(*first, (cycle, before)), demands)
        if v.required == constraint.clocks and " to " in v.constraint and v.cycle == cycle
    ]


@pytest.mark.parametrize("standard", STANDARDS)
def test_every_constraint_of_every_standard_holds_to_the_clock(standard):
    for constraint, after, before in pairs(standard):
        n, rank = constraint.clocks, int(constraint.sibling)
        here = (constraint, after, before)
        assert breaks(*here, n, rank=rank) == [], here
        assert breaks(*here, n - 1, rank=rank) == [n - 1], here


@pytest.mark.parametrize("standard", STANDARDS)
def test_every_constraint_counts_in_its_own_scope_only(standard):
    wider = {"channel": "rank group bank", "rank": "group bank", "bank_group": "bank", "bank": ""}
    for constraint, after, before in pairs(standard):
        here = (constraint, after, before, constraint.clocks - 1)
        elsewhere = {"rank": {"rank": 1}, "group": {"group": 1}, "bank": {"bank": 1}}
        seen = {name for name, place in elsewhere.items() if breaks(*here, **place)}
        expected = "rank" if constraint.sibling else wider[constraint.scope]
        if {after, before} & set(EVERYWHERE) and not constraint.sibling:
            expected += " group bank"
        assert seen == set(expected.split()), here


def test_a_window_counts_from_the_kth_most_recent():
    four = replace(PLAIN, constraints=(TimingConstraint("rank", ("ACT",), ("ACT",), 40, 4),))
    clean = [(0, "ACT"), (5, "ACT", 1), (10, "ACT", 0, 1), (30, "ACT", 1, 1), (40, "PREpb")]
    assert found(four, *clean, (41, "ACT"), (45, "PREpb", 1), (46, "ACT", 1)) == []
    early = (*clean[:-1], (35, "PREpb"), (39, "ACT"))
    assert found(four, *early) == [(39, "ACT", "rank: 4 ACT to ACT", 40, 39)]


def test_a_command_for_all_banks_waits_for_the_slowest_of_them():
    precharge = TimingConstraint("bank", ("ACT",), ("PREab",), 20)
    demands = replace(PLAIN, constraints=(precharge,))
    assert found(demands, (0, "ACT"), (9, "ACT", 1, 1), (28, "PREab")) == [
        (28, "PREab", "bank: ACT to PREab", 20, 19)
    ]
    assert found(demands, (0, "ACT"), (9, "ACT", 1, 1), (29, "PREab")) == []


@pytest.mark.parametrize("column", ["RD", "WR", "RDA", "WRA"])
def test_a_column_command_needs_its_row_open(column):
    assert found(PLAIN, (0, "ACT", 0, 0, 7), (30, column, 0, 0, 7)) == []
    closed = (30, column, "column command to a closed bank", 7, -1)
    assert found(PLAIN, (30, column, 0, 0, 7)) == [closed]
    assert found(PLAIN, (0, "ACT", 0, 1, 7), (30, column, 0, 0, 7)) == [closed]
    assert found(PLAIN, (0, "ACT", 0, 0, 7), (20, "PREpb"), (30, column, 0, 0, 7)) == [closed]
    assert found(PLAIN, (0, "ACT", 0, 0, 7), (20, "PREab"), (30, column, 0, 0, 7)) == [closed]
    other_rank = (0, "ACT", 0, 0, 7), (20, "PREab", 0, 0, 0, 1), (30, column, 0, 0, 7)
    assert found(PLAIN, *other_rank) == []
    assert found(PLAIN, (0, "ACT", 0, 0, 6), (30, column, 0, 0, 7)) == [
        (30, column, "column command to a row that is not open", 6, 7)
    ]


@pytest.mark.parametrize("column", ["RDA", "WRA"])
def test_a_column_command_with_precharge_closes_its_bank(column):
    lines = (0, "ACT"), (30, column), (60, "RD")
    assert [v[2] for v in found(PLAIN, *lines)] == ["column command to a closed bank"]
    assert found(PLAIN, (0, "ACT"), (30, column), (60, "ACT"), (90, "RD")) == []


def test_an_open_bank_is_not_activated_again():
    assert found(PLAIN, (0, "ACT", 1, 0, 5), (90, "ACT", 1, 0, 5)) == [
        (90, "ACT", "activate of an open bank", -1, 5)
    ]
    assert found(PLAIN, (0, "ACT"), (90, "ACT", 0, 1), (95, "ACT", 1), (99, "ACT", 1, 1)) == []


def test_a_bank_is_closed_when_it_is_refreshed():
    assert found(PLAIN, (0, "ACT", 1, 1), (50, "REFab")) == [
        (50, "REFab", "refresh of an open bank", -1, 3)
    ]
    assert found(PLAIN, (0, "ACT", 1, 1, 0, 1), (50, "REFab")) == []
    assert found(PLAIN, (0, "ACT", 1, 1), (40, "PREpb", 1, 1), (50, "REFab")) == []
    assert [v[2] for v in found(PLAIN, (0, "ACT"), (50, "REFpb"))] == ["refresh of an open bank"]
    assert found(PLAIN, (0, "ACT"), (50, "REFpb", 0, 1)) == []


def test_one_command_per_clock():
    twice = (5, "ACT"), (5, "ACT", 1)
    assert found(PLAIN, *twice) == [(5, "ACT", "one command per clock", 1, 0)]
    both = (0, "ACT"), (40, "RD"), (40, "PREpb", 1)
    assert [v[2] for v in found(PLAIN, *both)] == ["one command per clock"]
    hbm = replace(PLAIN, pseudo_channels=True)
    assert found(hbm, *both) == []
    assert [v[1] for v in found(hbm, *twice)] == ["ACT"]
    reads = (0, "ACT"), (1, "ACT", 0, 0, 0, 1), (40, "RD"), (40, "RD", 0, 0, 0, 1)
    assert [v[2] for v in found(hbm, *reads)] == ["one command per clock"]


def test_bursts_do_not_overlap_on_the_pins():
    opened = (0, "ACT"), (1, "ACT", 0, 0, 0, 1)
    assert found(PLAIN, *opened, (40, "RD"), (44, "RD")) == []
    overlap = "one burst at a time on the data pins"
    assert found(PLAIN, *opened, (40, "RD"), (43, "RD")) == [(43, "RD", overlap, 4, 3)]
    # a write's data come 4 clocks sooner after its command than a read's
    assert found(PLAIN, *opened, (40, "RD"), (48, "WR")) == []
    assert found(PLAIN, *opened, (40, "RD"), (47, "WR")) == [(47, "WR", overlap, 4, 3)]
    assert found(PLAIN, *opened, (40, "WR"), (41, "RD")) == []
    # written after the read, moved before it
    assert [v[0] for v in found(PLAIN, *opened, (40, "RD"), (42, "WR"))] == [40]
    other_rank = (*opened, (40, "RD"), (42, "RD", 0, 0, 0, 1))
    assert [v[2] for v in found(PLAIN, *other_rank)] == [overlap]
    assert found(replace(PLAIN, pseudo_channels=True), *other_rank) == []


def test_refreshes_may_wait_as_many_as_the_standard_postpones():
    demands = replace(PLAIN, refresh_interval=100, ranks=1)
    assert found(demands, (300, "REFab"), (400, "REFab"), (500, "REFab")) == []
    late = "refreshes postponed by the standard"
    between = "interval between refreshes"
    assert found(demands, (301, "REFab"), (302, "REFab")) == [
        (301, "REFab", late, 300, 301), (301, "REFab", between, 300, 301),
    ]  # fmt: skip
    assert found(demands, (300, "REFab"), (401, "REFab")) == [(401, "REFab", late, 400, 401)]
    assert found(demands, (0, "ACT"), (400, "PREpb")) == [
        (400, "end", late, 300, 400), (400, "end", between, 300, 400),
    ]  # fmt: skip
    ahead = [(c, "REFab") for c in (10, 20, 30, 40)]  # done early, yet the cells wait too long
    assert found(demands, *ahead, (341, "REFab")) == [(341, "REFab", between, 300, 301)]


def test_every_bank_is_refreshed_where_refreshes_are_by_bank():
    demands = replace(PLAIN, refresh_interval=100, ranks=1)
    banks = [(group, bank) for group in range(2) for bank in range(2)]
    turns = [(t + 10 * i, "REFpb", *b) for t in (100, 200, 300) for i, b in enumerate(banks)]
    assert found(demands, *turns) == []
    without = [line for line in turns if line[2:] != (1, 1)]
    assert {v[:2] for v in found(demands, *without, (331, "ACT"))} == {(331, "end")}


def test_the_halves_of_an_activate_belong_together():
    halves = replace(PLAIN, second_activate_within=8)

    def rules(*lines):
        return [(v[0], v[2]) for v in found(halves, *lines)]

    assert rules((0, "ACT1"), (8, "ACT2"), (30, "RD")) == []
    assert rules((0, "ACT1"), (9, "ACT2"), (30, "RD")) == [(9, "second activate after nAAD")]
    assert rules((0, "ACT1"), (5, "RD"), (6, "ACT2")) == [(5, "column command to a closed bank")]
    assert rules((5, "ACT2")) == [(5, "second activate without a first")]
    assert rules((0, "ACT1"), (3, "ACT1", 1), (4, "ACT2"), (5, "ACT2", 1)) == [
        (3, "activate between the two of another bank")
    ]
    assert rules((0, "ACT1"), (3, "ACT1", 1, 0, 0, 1), (4, "ACT2"), (5, "ACT2", 1, 0, 0, 1)) == []
    assert rules((0, "ACT1"), (3, "PREpb"), (20, "ACT1"), (21, "ACT2")) == [
        (3, "precharge between the two activates of a bank")
    ]
    alone = [(0, "first activate without a second within nAAD")]
    assert rules((0, "ACT1"), (9, "PREpb", 1)) == alone
    assert rules((0, "ACT1"), (8, "PREpb", 1)) == []


def test_data_need_a_synchronised_clock():
    stops = replace(PLAIN, read_hold=15, write_hold=11)
    unsynchronised = "column command without a synchronised data clock"
    opened = (0, "ACT"), (1, "ACT", 1)
    assert found(stops, *opened, (39, "CAS_RD"), (40, "RD"), (54, "RD"), (68, "WR")) == []
    assert found(stops, *opened, (39, "CAS_RD"), (40, "RD"), (55, "RD")) == [
        (55, "RD", unsynchronised, 55, 55)
    ]
    assert found(stops, *opened, (39, "CAS_WR"), (40, "WR"), (50, "WR"), (61, "WR")) == [
        (61, "WR", unsynchronised, 61, 61)
    ]
    for early in ((38, "CAS_RD"), (39, "CAS_WR")):
        assert [v[2] for v in found(stops, *opened, early, (40, "RD"))] == [unsynchronised]
    assert found(PLAIN, *opened, (40, "RD")) == []


def test_every_violation_is_listed_in_the_order_of_cycles():
    rows = [(10 * i, "RD", 0, 0, i) for i in range(5000)]
    violations = check_commands(stream(*rows), PLAIN)
    assert [v.cycle for v in violations] == [10 * i for i in range(5000)]


def test_no_commands_break_nothing():
    assert check_commands(stream(), replace(PLAIN, refresh_interval=100)) == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ((5, "READ"), "no DRAM command 'READ'"),
        ((5, "ACT", 2), "bank group 2 of 2"),
        ((5, "ACT", 0, 3), "bank 3 of 2"),
        ((5, "ACT", 0, 0, 0, 2), "rank 2 of 2"),
        ((5, "RD", 0, -1), "RD, is for bank -1"),
        ((-5, "ACT", 1), "command 1 is issued before the one ahead of it"),
    ],
)
def test_what_is_no_stream_is_refused(line, words):
    with pytest.raises(InputError, match=words):
        check_commands(stream((0, "ACT"), line), PLAIN)


@pytest.mark.parametrize("standard", STANDARDS)
def test_the_demands_of_a_device_are_those_of_its_standard(standard):
    device = clocks_of_a_made_up_device(standard)
    demands = demands_of(device)
    t = device.timings
    assert demands.constraints == standard_constraints(device)
    assert (demands.read_latency, demands.write_latency) == (t["nCL"], 5)
    assert demands.refresh_interval == t["nREFI"]
    assert demands.postponed_refreshes == POSTPONED_REFRESHES[standard]
    assert demands_of(device, refresh=False).refresh_interval is None
    assert demands.pseudo_channels == (standard == "HBM2")
    split = standard == "LPDDR5"
    assert demands.second_activate_within == (8 if split else None)
    assert demands.read_hold == (t["nCL"] + t["nBL_min"] + 1 if split else None)
    assert demands_of(device, synchronise=False).read_hold is None
    assert set(load_standard(standard).commands) <= set(KINDS)
