"""The row-level model: closed forms, bounds, counters, and an oracle that walks burst by burst."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.arch.dram import list_devices, load_device, resolve
from archsim.base.errors import ConfigError
from archsim.sim.dram.mapping import MAPPINGS, map_device
from archsim.sim.dram.row import WRITE_BATCH_BURSTS, RowDram

FAR_PS = 10**6


def one_channel(device="lpddr4-3200", mapping="row-bank-column", **options):
    options = {"refresh": False} | options
    return RowDram(device, channels=1, interleave_bytes=256, mapping=mapping, **options)


def serve(dram, runs, *, now=0, write=False):
    address, size = np.array(runs, np.int64).reshape(-1, 2).T
    return dram.serve(now, np.ascontiguousarray(address), np.ascontiguousarray(size), write)


runs = st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(1, 5000)), min_size=1, max_size=12)
systems = st.fixed_dictionaries({
    "device": st.sampled_from(list_devices()),
    "mapping": st.sampled_from(MAPPINGS),
    "channels": st.integers(1, 5),
    "interleave_bytes": st.sampled_from([64, 256, 4096]),
    "refresh": st.booleans(),
})  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(system=systems, streams=st.lists(st.tuples(runs, st.booleans(), st.integers(0, 10**7)),
                                        min_size=1, max_size=5))  # fmt: skip
def test_never_above_the_peak_and_every_burst_counted_once(system, streams):
    dram = RowDram(system.pop("device"), **system)
    burst, channels = dram.burst_bytes, system["channels"]
    clock_ps = dram.device.clock_ns * 1e3
    now = last = 0
    for asked, write, gap in streams:
        now += gap
        before = dram.served_bytes
        finish = serve(dram, asked, now=now, write=write)
        moved = dram.served_bytes - before
        # a run does not ask again for the last burst of the run before it
        expected, latest = 0, -1
        for address, size in asked:
            begin, end = address // burst, (address + size - 1) // burst
            expected += end - begin + (begin != latest)
            latest = end
        assert moved == expected * burst
        assert moved / dram.peak_bytes_per_s <= (finish - now) * 1e-12
        last = max(last, finish)
    counts = dram.counts(last)
    assert counts["bytes"] == dram.served_bytes
    assert (counts["read_bursts"] + counts["write_bursts"]) * burst == dram.served_bytes
    assert dram.served_bytes / dram.peak_bytes_per_s <= last * 1e-12
    for channel in range(channels):
        assert counts[f"busy_ps/{channel}"] <= counts[f"active_ps/{channel}"] + clock_ps
        assert counts[f"active_ps/{channel}"] <= last


@settings(max_examples=60, deadline=None)
@given(device=st.sampled_from(list_devices()), mapping=st.sampled_from(MAPPINGS), asked=runs)
def test_activates_are_the_row_changes_of_the_bursts_in_order(device, mapping, asked):
    dram = one_channel(device, mapping)
    serve(dram, asked)
    bits, burst = map_device(mapping, dram.device), dram.burst_bytes
    rows, activates, latest = {}, 0, None
    for address, size in asked:
        for number in range(address // burst, (address + size - 1) // burst + 1):
            if number == latest:
                continue
            latest = number
            spread = number >> bits.low_column_bits & ((1 << bits.spread_bits) - 1)
            upper = number >> bits.low_column_bits + bits.spread_bits + bits.column_bits
            bank = (upper & ((1 << bits.bank_bits) - 1)) << bits.spread_bits | spread
            activates += rows.get(bank) != upper >> bits.bank_bits
            rows[bank] = upper >> bits.bank_bits
    counts = dram.counts(0)
    assert counts["activates"] == activates
    assert counts["row_hits"] + counts["activates"] == counts["read_bursts"]


@pytest.mark.parametrize("name", list_devices())
def test_latencies_of_lone_reads(name):
    """Cold: tRCD + CL + burst. Open row: CL + burst. Other row: tRP + tRCD + CL + burst."""
    dram, t = one_channel(name), resolve(load_device(name))

    def took(address, now):
        return serve(dram, [(address, dram.burst_bytes)], now=now) - now

    def ps(*values):
        return dram.device.clocks_to_ps(sum(values) + t["nBL"], t["rate"])

    clock_ps = dram.device.clock_ns * 1e3 + 1
    other_row = dram.device.banks * int(dram.device.organisation.page_bytes.value)
    assert took(0, 0) == ps(t["nRCD"], t["nCL"])
    # commands wait for a clock
    assert 0 <= took(dram.burst_bytes, FAR_PS) - ps(t["nCL"]) <= clock_ps
    assert 0 <= took(other_row, 2 * FAR_PS) - ps(t["nRP"], t["nRCD"], t["nCL"]) <= clock_ps


def test_a_long_stream_runs_at_the_peak_less_refresh():
    for name in list_devices():
        dram = RowDram(name, channels=4, interleave_bytes=256, mapping="row-bank-column-group")
        t = resolve(dram.device)
        finish = serve(dram, [(0, 1 << 26)])
        fraction = (1 << 26) / (finish * 1e-12) / dram.peak_bytes_per_s
        bound = 1 - (t["nRFC"] + t["nRPab"]) / t["nREFI"]
        assert bound - 0.01 < fraction <= bound + 1e-4


def test_runs_that_continue_each_other_cost_about_what_one_run_costs():
    whole, pieces = one_channel(), one_channel()
    finish = serve(whole, [(0, 1 << 16)])
    assert serve(pieces, [(a, 64) for a in range(0, 1 << 16, 64)]) == pytest.approx(
        finish, rel=0.01
    )
    assert whole.counts(0)["activates"] == pieces.counts(0)["activates"]


def test_activates_of_scattered_reads_are_bound_by_the_four_activate_window():
    dram = one_channel()
    rng = np.random.default_rng(0)
    address = rng.integers(0, 1 << 20, 20_000) * 2048
    finish = dram.serve(0, address, np.full(address.size, 32), False)
    assert finish >= 20_000 / 4 * 40_000  # tFAW is 40 ns
    assert finish == pytest.approx(20_000 / 4 * 40_000, rel=0.02)


def test_streams_on_one_channel_queue_and_on_two_run_at_once():
    size = 1 << 16
    for channels, ratio in ((1, 2.0), (2, 1.0)):
        dram = RowDram("lpddr4-3200", channels=channels, interleave_bytes=size,
                       mapping="row-bank-column", refresh=False)  # fmt: skip
        first = serve(dram, [(0, size)])
        second = serve(dram, [(size, size)])
        assert second / first == pytest.approx(ratio, rel=0.02)


def test_writes_turn_the_bus_once_a_batch_has_gathered():
    t = load_device("lpddr4-3200").timing
    burst = 32

    def idle_ns(writes):
        """Time beyond the transfers' own between reading, writing that much, and reading."""
        dram = one_channel()
        start = serve(dram, [(0, 2048)])
        serve(dram, [(2048, writes * burst)], now=start, write=True)
        finish = serve(dram, [(1 << 14, 2048)], now=start)
        return (finish - start) * 1e-3 - (writes * burst + 2048) / 6.4

    below, at = idle_ns(WRITE_BATCH_BURSTS - 1), idle_ns(WRITE_BATCH_BURSTS)
    turns = (
        t["tcl_ns"].value + t["twtr_short_ns"].value
    )  # and the read-to-write gap, and preparing anew
    assert at - below > turns
    assert at - below < turns + 2 * (t["trp_ns"].value + t["trcd_ns"].value)


def test_refresh_closes_the_rows_and_is_counted_while_idle():
    dram = one_channel(refresh=True)
    serve(dram, [(0, 32)])
    later = 10 * 3_903_750  # ps: ten refreshes later
    serve(dram, [(32, 32)], now=later)
    counts = dram.counts(later + 1)
    assert counts["activates"] == 2
    assert counts["refreshes"] == 10


def test_power_down_from_the_refresh_that_finds_the_channel_idle_until_it_is_wanted():
    """tREFI 6246, tRP + tRFC 482, tXP 12 clocks of 625 ps."""
    awake, asleep = one_channel(refresh=True), one_channel(refresh=True, power_down=True)
    later = 10 * 6246 * 625
    finish = []
    for dram in (awake, asleep):
        serve(dram, [(0, 32)])
        finish.append(serve(dram, [(0, 32)], now=later))
    assert finish[1] - finish[0] == 12 * 625
    assert awake.counts(later)["power_down_ps/0"] == 0
    assert asleep.counts(later)["power_down_ps/0"] == 9 * (6246 - 482) * 625


def test_posted_writes_to_one_row_share_its_activate():
    """Reads and writes of two rows of one bank in turn, fewer writes than are drained at once."""
    dram = one_channel()
    other_row = 8 * 2048
    for k in range(WRITE_BATCH_BURSTS - 1):
        serve(dram, [(32 * k, 32)])
        serve(dram, [(other_row + 32 * k, 32)], write=True)
    assert dram.counts(0)["activates"] == 2


def test_a_stream_that_meets_a_refresh_waits_for_its_end():
    dram = one_channel(refresh=True)
    refresh_ps = (34 + 448) * 625
    begin = 6246 * 625 - refresh_ps
    assert serve(dram, [(0, 32)], now=begin + 625) == 6246 * 625 + (29 + 28 + 8) * 625


def test_at_another_data_rate_the_clock_changes_and_the_nanoseconds_stay():
    slow = RowDram("lpddr5-6400", channels=1, interleave_bytes=256, refresh=False,
                   mapping="row-bank-column-group", data_rate_mt_s=4266)  # fmt: skip
    assert slow.peak_bytes_per_s == pytest.approx(4266e6 * 2)
    # CK is 533.25 MHz: tRCD 18 ns are 10 clocks, CL 21.25 ns 12, the burst 2
    assert serve(slow, [(0, 32)]) == pytest.approx(24 / 533.25e6 * 1e12, abs=1)
    finish = serve(slow, [(0, 1 << 22)], now=FAR_PS) - FAR_PS
    assert (1 << 22) / (finish * 1e-12) == pytest.approx(4266e6 * 2, rel=0.01)


def test_an_empty_stream_takes_no_time():
    dram = one_channel()
    assert serve(dram, [], now=17) == 17
    assert dram.served_bytes == 0


def test_the_same_streams_take_the_same_time():
    rng = np.random.default_rng(3)
    address, size = rng.integers(0, 1 << 24, 500), rng.integers(1, 3000, 500)
    finishes = {
        RowDram("lpddr5-6400", channels=8, interleave_bytes=256, mapping="row-bank-column-group-2")
        .serve(0, address, size, True)
        for _ in range(2)
    }  # fmt: skip
    assert len(finishes) == 1


def test_a_stream_served_in_several_calls_costs_the_same(monkeypatch):
    rng = np.random.default_rng(4)
    address, size = rng.integers(0, 1 << 16, 300), rng.integers(1, 300, 300)
    whole, parts = one_channel(), one_channel()
    finish = whole.serve(0, address, size, True)
    monkeypatch.setattr("archsim.sim.dram.row._RUNS_PER_CALL", 7)
    assert parts.serve(0, address, size, True) == finish
    assert parts.counts(finish) == whole.counts(finish)


def test_wrong_parameters_are_named():
    def build(**changes):
        options = {"channels": 1, "interleave_bytes": 256, "mapping": "row-bank-column"} | changes
        return RowDram("lpddr4-3200", **options)

    with pytest.raises(ConfigError, match="every 48 bytes, which is not a multiple of the 32-byte"):
        build(interleave_bytes=48)
    with pytest.raises(ConfigError, match="0 DRAM channels"):
        build(channels=0)
    with pytest.raises(ConfigError, match=r"no DRAM mapping 'xor'\n  remedy: use one of: row-bank"):
        build(mapping="xor")
