"""Traces at both fidelities: cycles, counts, energy by hand, and curves."""

from types import SimpleNamespace

import numpy as np
import pytest

from archsim.arch.dram import command_energies, device_clocks, load_device
from archsim.sim.dram.curve import LOADS, PATTERNS, measure_curve
from archsim.sim.dram.cycle.controller import CycleDram
from archsim.sim.dram.mapping import map_device
from archsim.sim.dram.open_loop import open_clocks, serve_trace
from archsim.sim.dram.row import RowDram

DEVICE = load_device("ddr4-3200")
MAPPING = "row-bank-column-group"


def serve(arrival, line, write, **options):
    return serve_trace(
        DEVICE, np.array(arrival, np.int64), np.array(line, np.int64), np.array(write, bool),
        **{"mapping": MAPPING, "refresh": False, **options},
    )  # fmt: skip


def test_a_lone_read_waits_for_its_row_and_its_data():
    t = device_clocks(DEVICE).timings
    served = serve([100], [5], [0])
    latency = t["nRCD"] + t["nCL"] + t["nBL"]
    assert served.accept_cycle.tolist() == [100]
    assert served.return_cycle.tolist() == [100 + latency]
    assert served.read_latency_ns.tolist() == [latency * 0.625]
    assert served.commands == {"activates": 1, "read_bursts": 1, "write_bursts": 0,
                               "refreshes": 0, "bank_refreshes": 0}  # fmt: skip
    assert served.row_hits == 0


def test_latency_counts_from_arrival_or_from_acceptance():
    lines = np.random.default_rng(4).integers(0, 10**6, 200)
    served = serve(lines * 0, lines, lines * 0)
    waits = served.read_latency_ns - served.read_service_ns
    assert waits.tolist() == (served.accept_cycle * 0.625).tolist()
    assert waits.max() > 0  # the read buffer was full


def test_energy_is_commands_and_states_by_hand():
    served = serve([0, 0, 400], [0, 4, 8], [0, 0, 1])  # one row: two reads, then a write
    cost = command_energies(DEVICE)
    assert served.commands["activates"] == 1
    assert served.energy_pj["activate"].value == cost.activate_pj.value
    assert served.energy_pj["read"].value == pytest.approx(2 * cost.read_core_pj.value)
    assert served.energy_pj["write"].value == pytest.approx(cost.write_core_pj.value)
    io = 2 * cost.read_io_pj.value + cost.write_io_pj.value
    assert served.energy_pj["io"].value == pytest.approx(io)
    # the row opens in cycle 0 and stays open to the end
    standby_pj = served.cycles * 0.625 * cost.active_standby_mw.value
    assert served.energy_pj["standby"].value == pytest.approx(standby_pj, rel=0.01)


def test_a_channel_counts_as_open_from_an_activate_to_the_last_precharge():
    names = ("ACT", "PREpb", "PREab", "RDA", "RD")
    lines = [(10, "ACT"), (15, "ACT"), (30, "PREpb"), (40, "RDA"), (60, "ACT"), (65, "ACT"),
             (70, "RD"), (90, "PREab"), (95, "ACT")]  # fmt: skip
    stream = SimpleNamespace(
        names=names,
        cycle=np.array([c for c, _ in lines]),
        command=np.array([names.index(n) for _, n in lines]),
    )
    assert open_clocks(stream, 100) == (40 - 10) + (90 - 60) + (100 - 95)


def test_both_fidelities_move_a_stream_in_the_same_time():
    lines = np.arange(20_000)
    cycle, row = (
        serve(lines * 0, lines, lines * 0, fidelity=f, refresh=True) for f in ("cycle", "row")
    )
    assert row.cycles == pytest.approx(cycle.cycles, rel=0.02)
    assert row.commands["read_bursts"] == cycle.commands["read_bursts"] == 20_000
    assert row.commands["refreshes"] == pytest.approx(cycle.commands["refreshes"], abs=1)
    assert row.bandwidth_gb_s == pytest.approx(cycle.bandwidth_gb_s, rel=0.02)
    assert cycle.bandwidth_gb_s < DEVICE.bandwidth_gb_s()


def test_cycle_fidelity_is_the_controllers():
    lines = np.random.default_rng(3).integers(0, 10**6, 500)
    write = lines % 3 == 0
    served = serve(lines * 0, lines, write)
    mapping = map_device(MAPPING, DEVICE).fields
    dram = CycleDram(device_clocks(DEVICE), mapping=mapping, refresh=False)
    result = dram.run_trace(lines * 0, lines, write)
    assert served.return_cycle.tolist() == result.return_cycle.tolist()
    assert served.accept_cycle.tolist() == result.accept_cycle.tolist()


def test_row_fidelity_is_the_row_model_request_by_request():
    lines = np.random.default_rng(3).integers(0, 10**6, 300)
    arrival, write = np.arange(300) * 7, lines % 3 == 0
    served = serve(arrival, lines, write, fidelity="row")
    dram = RowDram(DEVICE, channels=1, interleave_bytes=64, mapping=MAPPING, refresh=False)
    size = np.array([64])
    finishes = [
        dram.serve(int(now) * 625, np.array([line * 64]), size, bool(w))
        for now, line, w in zip(arrival, lines, write, strict=True)
    ]
    assert (served.return_cycle * 625).tolist() == finishes
    assert served.accept_cycle.tolist() == arrival.tolist()


def test_no_requests_take_no_time():
    for fidelity in ("cycle", "row"):
        served = serve([], [], [], fidelity=fidelity)
        assert (served.cycles, served.bandwidth_gb_s) == (0, 0.0)


@pytest.fixture(scope="module")
def curve():
    return measure_curve(DEVICE, mapping=MAPPING, requests=3000)


def test_a_curve_has_every_pattern_at_every_load(curve):
    assert [(p.pattern, p.offered_gb_s) for p in curve] == [
        (pattern, load * 25.6) for pattern in PATTERNS for load in LOADS
    ]


def test_latency_rises_and_bandwidth_never_exceeds_the_offered(curve):
    for pattern in PATTERNS:
        mine = [p for p in curve if p.pattern == pattern]
        assert mine[0].latency_ns < mine[-1].latency_ns
        assert all(p.latency_ns <= p.latency_p99_ns for p in mine)
        assert all(p.achieved_gb_s <= 1.01 * p.offered_gb_s for p in mine)
        assert mine[0].achieved_gb_s == pytest.approx(mine[0].offered_gb_s, rel=0.01)


def test_streams_reach_more_than_random_requests(curve):
    most = {name: max(p.achieved_gb_s for p in curve if p.pattern == name) for name in PATTERNS}
    assert most["sequential reads"] > 0.9 * 25.6
    assert most["random reads"] < 0.6 * 25.6
    assert most["sequential copy"] < most["sequential reads"]
