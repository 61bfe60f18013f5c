"""Micro-sequences with answers by hand, and every constraint felt to the clock.

DDR4-3200 in these tests: nCL 22, nCWL 16, nRCD 22, nRP 22, nRAS 52, nBL 4, nCCD 4/8, nRRD 4/8,
nFAW 34, nWTR 4/12. A read offered in cycle c with its row closed activates in that cycle, reads
nRCD later, and returns nCL + nBL after that: at c + 22 + 26.
"""

import numpy as np
import pytest

from archsim.arch.dram.standards import DramClocks
from archsim.sim.dram.cycle import CycleDram, Policy
from archsim.sim.dram.cycle.fields import encode

DDR4 = {
    "nBL": 4, "nCL": 22, "nRCD": 22, "nRP": 22, "nRAS": 52, "nRC": 74, "nWR": 24, "nRTP": 12,
    "nCWL": 16, "nCCDS": 4, "nCCDL": 8, "nRRDS": 4, "nRRDL": 8, "nWTRS": 4, "nWTRL": 12,
    "nFAW": 34, "nRFC": 576, "nREFI": 12480, "nCS": 2,
}  # fmt: skip
LPDDR5 = {
    "nBL_min": 2, "nBL_max": 4, "nCL": 17, "nRCD": 15, "nRP": 15, "nRPab": 17, "nRAS": 34,
    "nRC": 49, "nWR": 28, "nRTP": 8, "nCWL": 9, "nPPD": 2, "nCCDS": 2, "nCCDL": 4, "nCCDS_WR": 2,
    "nCCDL_WR": 4, "nRRDS": 4, "nRRDL": 4, "nWTRS": 5, "nWTRL": 10, "nFAW": 16, "nRFC": 224,
    "nRFCpb": 112, "nREFI": 3125, "nWCKPST": 1, "nCAS": 0, "nAAD": 8, "nCS": 2, "nPBR2PBR": 72,
    "nPBR2ACT": 6,
}  # fmt: skip
MAPPING = (("bg", 2), ("col", 7), ("ba", 2))


def run(accesses, standard="DDR4", changes=None, *, policy=None, refresh=False, commands=False):
    """Run (group, bank, row, column, write, arrival) accesses."""
    timings = (DDR4 if standard == "DDR4" else LPDDR5) | (changes or {})
    device = DramClocks(
        standard=standard, ranks=1, bank_groups=4, banks_per_group=4, rows=65536, columns=128,
        burst_bytes=64, clock_ps=625, timings=timings,
    )  # fmt: skip
    lines = [
        encode(dict(zip(("bg", "ba", "row", "col"), a[:4])), (*MAPPING, ("row", 16)))
        for a in accesses
    ]
    dram = CycleDram(device, mapping=MAPPING, refresh=refresh, policy=policy)
    return dram.run_trace(
        [a[5] for a in accesses], lines, [a[4] for a in accesses], commands=commands
    )


def returns(*args, **kwargs):
    return run(*args, **kwargs).return_cycle.tolist()


def read(group=0, bank=0, row=5, column=0, at=0):
    return (group, bank, row, column, 0, at)


def write(group=0, bank=0, row=5, column=0, at=0):
    return (group, bank, row, column, 1, at)


@pytest.mark.parametrize(
    ("accesses", "cycles"),
    [
        pytest.param([read()], [48], id="closed bank: nRCD + nCL + nBL"),
        pytest.param([read(), read(column=1)], [48, 56], id="same group: nCCDL"),
        pytest.param([read(), read(group=1)], [48, 52], id="other group: nRRDS and nCCDS"),
        pytest.param([read(), read(bank=1)], [48, 56], id="same group, other bank: nRRDL"),
        pytest.param([read(), read(row=6)], [48, 48 + 52 + 22], id="other row: nRAS + nRP"),
        pytest.param(
            [read(), read(column=7, at=300)], [48, 326], id="open row: nCL + nBL after arrival"
        ),
        pytest.param(
            [read(), read(row=9, at=300)], [48, 370], id="other row, late: nRP + nRCD + nCL + nBL"
        ),
        pytest.param(
            [read(g, b) for b in (0, 1) for g in range(4)],
            [48, 52, 56, 60, 34 + 49, 34 + 53, 34 + 57, 34 + 61],
            id="fifth activate waits for nFAW; its slot a clock later goes to a read",
        ),
        pytest.param(
            [write(), read(column=1, at=30)],
            [22, 22 + 16 + 4 + 12 + 26],
            id="write to read of a group: nCWL + nBL + nWTRL",
        ),
        pytest.param(
            [write(), read(group=1, at=1)],
            [22, 22 + 16 + 4 + 4 + 26],
            id="write to read of another group: nCWL + nBL + nWTRS",
        ),
        pytest.param(
            [read(), write(column=1, at=1)],
            [48, 22 + 12],
            id="read to write: nCL + nBL + 2 - nCWL",
        ),
    ],
)
def test_ddr4_by_hand(accesses, cycles):
    assert returns(accesses) == cycles


@pytest.mark.parametrize(
    ("timing", "accesses"),
    [
        ("nRCD", [read()]),
        ("nCL", [read()]),
        ("nCCDL", [read(), read(column=1)]),
        ("nRRDL", [read(), read(bank=1)]),
        ("nRAS", [read(), read(row=6)]),
        ("nRP", [read(), read(row=6)]),
        ("nWTRL", [write(), read(column=1, at=30)]),
        ("nCWL", [write(), read(column=1, at=30)]),
        ("nWTRS", [write(), read(group=1, at=1)]),
        ("nRTP", [read(), read(column=1, at=60), read(row=6, at=61)]),
        ("nWR", [write(), read(row=6, at=30)]),
    ],
)
def test_a_constraint_one_clock_longer_delays_the_last_read_by_one(timing, accesses):
    before = returns(accesses)[-1]
    assert returns(accesses, changes={timing: DDR4[timing] + 1})[-1] == before + 1


@pytest.mark.parametrize("clocks", [40, 41, 60])
def test_the_fifth_activate_waits_for_nfaw(clocks):
    accesses = [*(read(group) for group in range(4)), read(bank=1)]
    assert returns(accesses, changes={"nFAW": clocks})[-1] == clocks + 48


def test_a_request_one_cycle_later_returns_one_cycle_later_once_the_constraint_is_over():
    """The read after a write waits for nWTRL up to cycle 54 and not from then on."""
    legal = 22 + 16 + 4 + 12
    assert returns([write(), read(column=1, at=legal - 1)])[-1] == legal + 26
    assert returns([write(), read(column=1, at=legal)])[-1] == legal + 26
    assert returns([write(), read(column=1, at=legal + 1)])[-1] == legal + 27


@pytest.mark.parametrize(
    ("accesses", "synchronised", "always_on"),
    [
        pytest.param([read()], [35], [34], id="ACT1, then a CAS in the clock before the read"),
        pytest.param([read(), read(column=1)], [35, 39], [34, 38], id="the data clock still runs"),
        pytest.param([read(), read(row=6)], [35, 84], [34, 83], id="nRAS + nRP counted from ACT1"),
        pytest.param(
            [read(), read(column=7, at=300)], [35, 320], [34, 319], id="the data clock has stopped"
        ),
        pytest.param(
            [write(), read(column=1, at=30)], [16, 59], [15, 57],
            id="the write ends a clock later; so does the data clock, before the read",
        ),
    ],
)  # fmt: skip
def test_lpddr5_by_hand(accesses, synchronised, always_on):
    assert returns(accesses, "LPDDR5") == synchronised
    assert returns(accesses, "LPDDR5", policy=Policy(wck="always_on")) == always_on


def test_the_second_activate_comes_at_once_when_nothing_else_can_go():
    stream = run([read(), read(group=1)], "LPDDR5", commands=True).stream
    names = [stream.names[c] for c in stream.command]
    assert names == ["ACT1", "ACT2", "ACT1", "ACT2", "CAS_RD", "RD", "RD"]
    assert stream.cycle[:4].tolist() == [0, 1, 4, 5]


def test_a_line_in_the_write_buffer_answers_reads_and_absorbs_writes():
    """Reads of other rows keep the controller from writing meanwhile."""
    busy = [read(row=r) for r in (6, 7, 8)]
    result = run([*busy, write(), read(), write(), read(column=1)])
    assert result.forwarded_reads == result.absorbed_writes == 1
    assert result.return_cycle[4:6].tolist() == [4, 5]
    assert result.commands["WR"] == 1
    assert result.commands["RD"] == len(busy) + 1


def test_refresh_falls_due_every_nrefi_and_closes_all_banks():
    gap = DDR4["nREFI"]
    result = run([read(), read(at=gap - 1)], refresh=True, commands=True)
    names = [result.stream.names[c] for c in result.stream.command]
    assert names == ["ACT", "RD", "PREab", "REFab", "ACT", "RD"]
    assert result.stream.cycle[2] == gap - 1
    assert result.stream.cycle[3] == gap - 1 + DDR4["nRP"]
    assert result.return_cycle[1] == gap - 1 + DDR4["nRP"] + DDR4["nRFC"] + 48
    assert result.stream.bank[2:4].tolist() == [-1, -1]


def test_the_array_of_returns_is_in_request_order():
    """Eight reads of two rows: the hits of the open row overtake."""
    accesses = [read(row=5 + i % 2, column=i // 2) for i in range(8)]
    assert returns(accesses) == [48, 128, 56, 136, 64, 144, 72, 152]
    assert np.argsort(returns(accesses)).tolist() == [0, 2, 4, 6, 1, 3, 5, 7]
