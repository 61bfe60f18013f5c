"""What holds for any trace on any device, policy and mapping."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.arch.dram import device_clocks, list_devices, load_device
from archsim.base.errors import ConfigError, InputError
from archsim.sim.dram.checker import check_commands, demands_of
from archsim.sim.dram.cycle import CycleDram, Policy, controller
from archsim.sim.dram.cycle.fields import encode, locate
from archsim.sim.dram.cycle.traces import TRACES, formula_trace
from archsim.sim.dram.mapping import MAPPINGS, map_device

POLICIES = {
    "default": Policy(),
    "closed": Policy(page="closed"),
    "per-bank": Policy(refresh="per-bank"),
    "always-on": Policy(wck="always_on"),
    "small": Policy(read_buffer=3, write_buffer=2),
}

NO_REFRESH_OF_A_BANK = ("ddr4", "ddr5")


def channel(name, mapping="row-bank-column-group", **policy):
    device = load_device(name)
    return CycleDram(device_clocks(device), mapping=map_device(mapping, device).fields, **policy)


@st.composite
def traces(draw):
    """Requests that meet often: few banks and rows, waves of arrivals, long idle gaps."""
    n = draw(st.integers(1, 120))
    seed = draw(st.integers(0, 2**32 - 1))
    random = np.random.default_rng(seed)
    bits = draw(st.sampled_from((3, 8, 12, 16)))
    gap = draw(st.sampled_from((0, 1, 30, 3000)))
    return (
        np.cumsum(random.integers(0, gap + 1, n)),
        random.integers(0, 1 << bits, n),
        random.random(n) < draw(st.sampled_from((0, 0.2, 0.5, 1))),
    )


@settings(max_examples=60, deadline=None)
@given(traces(), st.sampled_from(list_devices()), st.sampled_from(list(POLICIES)), st.booleans())
def test_skipping_idle_clocks_changes_nothing(trace, name, policy, refresh):
    if policy == "per-bank" and name.startswith(NO_REFRESH_OF_A_BANK):
        policy = "default"
    dram = channel(name, refresh=refresh, policy=POLICIES[policy])
    fast = dram.run_trace(*trace, commands=True)
    slow = dram.run_trace(*trace, commands=True, every_clock=True)
    for field in ("accept_cycle", "return_cycle"):
        assert np.array_equal(getattr(fast, field), getattr(slow, field))
    assert (fast.cycles_total, fast.commands) == (slow.cycles_total, slow.commands)
    for column in ("cycle", "command", "rank", "bank_group", "bank", "row", "request"):
        assert np.array_equal(getattr(fast.stream, column), getattr(slow.stream, column))


@settings(max_examples=60, deadline=None)
@given(traces(), st.sampled_from(list_devices()), st.sampled_from(list(POLICIES)))
def test_every_request_is_served_once_and_in_time(trace, name, policy):
    if policy == "per-bank" and name.startswith(NO_REFRESH_OF_A_BANK):
        policy = "default"
    dram = channel(name, refresh=False, policy=POLICIES[policy])
    result = dram.run_trace(*trace)
    arrival, _, write = trace
    assert (result.accept_cycle >= arrival).all()
    assert (np.diff(result.accept_cycle) > 0).all()
    assert (result.return_cycle >= result.accept_cycle).all()
    counts = result.commands
    assert counts["RD"] + counts["RDA"] + result.forwarded_reads == (~write).sum()
    assert counts["WR"] + counts["WRA"] + result.absorbed_writes == write.sum()
    served = result.row_hits + result.row_misses + result.row_conflicts
    assert served == arrival.size - result.forwarded_reads - result.absorbed_writes
    activates = counts["ACT1"] if "ACT1" in counts else counts["ACT"]
    assert activates >= result.row_misses
    assert result.cycles_total == result.return_cycle.max() + 1


@pytest.mark.parametrize(
    ("name", "policy"),
    [
        (name, policy)
        for name in list_devices()
        for policy in ("default", "closed", "per-bank", "small")
        if policy != "per-bank" or not name.startswith(NO_REFRESH_OF_A_BANK)
    ],
)
def test_commands_obey_the_standard(name, policy):
    """The independent checker finds nothing, over all traces, with refresh."""
    dram = channel(name, policy=POLICIES[policy])
    for trace in TRACES:
        result = dram.run_trace(*formula_trace(trace, 25, 600), commands=True)
        assert check_commands(result.stream, demands_of(dram.device)) == []


@pytest.mark.parametrize("name", list_devices())
@pytest.mark.parametrize("trace", ["stream_r", "stream_w", "copy_rw", "random_r"])
def test_no_trace_moves_more_than_the_peak(name, trace):
    dram = channel(name)
    result = dram.run_trace(*formula_trace(trace, 25, 2000))
    t = dram.device.timings
    assert result.cycles_total >= 2000 * t.get("nBL_min", t["nBL"])


def test_reads_of_an_open_row_return_in_order():
    result = channel("ddr4-3200", refresh=False).run_trace(*formula_trace("stream_r", 25, 500))
    assert (np.diff(result.return_cycle) > 0).all()


def test_a_closed_page_is_activated_for_every_lone_access():
    trace = formula_trace("random_r", 25, 400)
    closed = channel("ddr4-3200", refresh=False, policy=Policy(page="closed")).run_trace(*trace)
    assert closed.row_conflicts == 0
    assert closed.commands["RDA"] == closed.commands["ACT"] == 400
    assert closed.commands["PREpb"] == closed.commands["RD"] == 0


def test_a_closed_page_stays_open_for_a_waiting_request():
    trace = formula_trace("stream_r", 25, 400)
    closed = channel("ddr4-3200", refresh=False, policy=Policy(page="closed")).run_trace(*trace)
    assert closed.commands["RD"] > 10 * closed.commands["RDA"]


def test_per_bank_refresh_refreshes_every_bank_once_per_interval():
    dram = channel("lpddr4-3200", policy=Policy(refresh="per-bank"))
    interval = dram.device.timings["nREFI"]
    result = dram.run_trace([0, 10 * interval], [0, 1], [0, 0], commands=True)
    refreshed = result.stream.bank[result.stream.command == result.stream.names.index("REFpb")]
    assert np.bincount(refreshed).tolist() == [10] * 8


def test_a_run_in_small_pieces_is_the_same_run(monkeypatch):
    trace = formula_trace("copy_rw", 25, 1500)
    dram = channel("lpddr5-6400")
    whole = dram.run_trace(*trace, commands=True)
    seen = []
    monkeypatch.setattr(controller, "_TICKS_PER_CALL", 97)
    monkeypatch.setattr(controller, "_STREAM_ROOM", 61)
    pieces = dram.run_trace(
        *trace, commands=True, progress=lambda done, total: seen.append((done, total))
    )
    assert np.array_equal(whole.return_cycle, pieces.return_cycle)
    assert np.array_equal(whole.stream.cycle, pieces.stream.cycle)
    assert len(seen) > 30
    assert seen[-1] == (1500, 1500)
    assert seen == sorted(seen)


@pytest.mark.parametrize("mapping", MAPPINGS)
@pytest.mark.parametrize("name", list_devices())
def test_a_line_decodes_to_the_place_it_encodes(name, mapping):
    device = load_device(name)
    fields = map_device(mapping, device).fields
    clocks = device_clocks(device)
    line = np.random.default_rng(1).integers(0, 1 << 24, 100)
    bank, row = locate(line, fields, clocks)
    for k in range(100):
        group, within = divmod(int(bank[k]), clocks.banks_per_group)
        place = {"bg": group, "ba": within, "row": int(row[k])}
        start = encode(place, (*fields, ("row", 30)))
        columns = {
            encode(place | {"col": c}, (*fields, ("row", 30))) for c in range(clocks.columns)
        }
        assert start in columns
        assert int(line[k]) in columns


def test_an_empty_trace_takes_no_time():
    result = channel("ddr4-3200").run_trace([], [], [])
    assert (result.cycles_total, sum(result.commands.values())) == (0, 0)


@pytest.mark.parametrize(
    ("trace", "text"),
    [
        (([0, 5, 3], [1, 2, 3], [0, 0, 0]), "request 2 arrives in cycle 3, before request 1 in 5"),
        (([0, 5], [1, 2, 3], [0, 0, 0]), "give three columns of one length"),
        (([0, 5], [1, -2], [0, 0]), "a negative arrival cycle or line"),
    ],
)
def test_a_wrong_trace_is_refused(trace, text):
    with pytest.raises(InputError, match=text):
        channel("ddr4-3200").run_trace(*trace)


def test_a_device_without_per_bank_refresh_says_so():
    with pytest.raises(ConfigError, match="DDR4 has no per-bank refresh"):
        channel("ddr4-3200", policy=Policy(refresh="per-bank"))


def test_buffers_and_marks_have_limits():
    with pytest.raises(ConfigError, match="buffers hold 0 reads and 32 writes"):
        Policy(read_buffer=0)
    with pytest.raises(ConfigError, match=r"write buffer's marks are 0\.9 and 0\.8"):
        Policy(write_low=0.9)


def test_a_mapping_that_misses_banks_is_refused():
    device = device_clocks(load_device("ddr4-3200"))
    with pytest.raises(ConfigError, match="gives 1 bits to bg, of which the DDR4 device has 4"):
        CycleDram(device, mapping=(("bg", 1), ("col", 7), ("ba", 2)))
    with pytest.raises(ConfigError, match="there is no address field 'rank'"):
        CycleDram(device, mapping=(("rank", 1), ("bg", 2), ("col", 7), ("ba", 2)))
