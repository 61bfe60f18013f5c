"""Kernels as programs: closed forms for compute, streams, launches and limits."""

import numpy as np
import pytest

from archsim.arch.load import load_machine
from archsim.base.errors import ConfigError
from archsim.sim.gpu.device import BlockShape, Device, resident_blocks
from archsim.sim.gpu.pieces import (
    Grid,
    Kernel,
    Stream,
    Totals,
    cut_blocks,
    gathered_runs,
    grid_of,
    timelines,
)
from archsim.sim.gpu.program import fidelity, gpu_program
from archsim.sim.gpu.runs import Layout, join, picked, scattered, spans
from archsim.sim.kernel import execute
from archsim.sim.program import MemoryRuns


class FixedRateDram:
    """Serves streams one after the other at a fixed rate."""

    def __init__(self, ps_per_byte):
        self.ps_per_byte, self.free_ps, self.moved = ps_per_byte, 0, 0

    @property
    def served_bytes(self):
        return self.moved

    def serve(self, now_ps, address, size, write):
        self.free_ps = max(self.free_ps, now_ps) + int(size.sum()) * self.ps_per_byte
        self.moved += int(size.sum())
        return self.free_ps

    def counts(self, end_ps):
        return {}


def device(mode="MAXN", machine="orin-nx-16gb"):
    return Device.of(load_machine(machine), mode)


LAUNCH = 12_000_000  # ps, of the Orin modules


def kernel(duration, *, reads=(), writes=(), in_flight=16, name="kernel", **options):
    duration = np.asarray(duration, np.int64)
    return Kernel(name, duration, tuple(reads), tuple(writes), in_flight, **options)


def time_ps(kernels, dev, dram=None):
    return execute(gpu_program(kernels, dev), dram or FixedRateDram(1)).makespan_ps


def fixed(dev):
    """The time of a kernel of no work whose launch is awaited."""
    return LAUNCH + dev.kernel_ps


def test_pieces_spread_over_the_sms_in_waves():
    one = time_ps([kernel([3000] * 8)], device()) - fixed(device())
    assert one == 3000
    assert time_ps([kernel([3000] * 9)], device()) - fixed(device()) == 6000
    assert time_ps([kernel([3000] * 8)], device("15W")) - fixed(device("15W")) == 6000


def test_pieces_of_one_multiprocessor_follow_each_other():
    lane = np.array([0, 1, 0, 1, 0])
    got = time_ps([kernel([1000] * 5, lane=lane)], device()) - fixed(device())
    assert got == 3000  # three on the first, however many others are free


def test_launches_are_hidden_behind_long_kernels_and_show_behind_short_ones():
    dev = device()
    long, short = kernel([5 * LAUNCH]), kernel([1000])
    assert time_ps([long, short], dev) == fixed(dev) + 5 * LAUNCH + dev.kernel_ps + 1000
    assert time_ps([short, short], dev) == LAUNCH + fixed(dev) + 1000
    assert time_ps([short, kernel([1000], launches=3)], dev) == 4 * LAUNCH + 3 * dev.kernel_ps + 1000  # fmt: skip # noqa: E501


def test_a_host_that_reads_a_result_back_launches_after_it():
    dev = device()
    long = kernel([5 * LAUNCH])
    waiting = kernel([1000], waits=True)
    assert time_ps([long, waiting], dev) == 2 * fixed(dev) + 5 * LAUNCH + 1000


def test_a_kernel_without_pieces_is_its_launch():
    assert time_ps([kernel([]), kernel([])], device()) == LAUNCH + fixed(device())


def test_a_pure_stream_is_bound_by_the_reads_in_flight():
    # 8 channels x 91 sectors of 32 bytes in 306 ns; the DRAM here is faster
    pieces, size = 64, 1 << 16
    edges = np.arange(pieces + 1) * size
    stream = kernel([0] * pieces, reads=[Stream("x", spans(0, edges, 32))])
    got = time_ps([stream], device(), FixedRateDram(1)) - fixed(device())
    path = pieces * -(-size * 1000 * 306 // (8 * 91 * 32))
    assert path <= got <= path + size + pieces


def test_a_slow_dram_bounds_reads_and_writes_together():
    pieces, size = 64, 1 << 12
    edges = np.arange(pieces + 1) * size
    both = kernel([0] * pieces, reads=[Stream("x", spans(0, edges, 32))],
                  writes=[Stream("y", spans(1 << 20, edges, 32))])  # fmt: skip
    dram = FixedRateDram(100)
    got = time_ps([both], device(), dram) - fixed(device())
    assert dram.moved == 2 * pieces * size
    assert 2 * pieces * size * 100 <= got <= (2 * pieces + 2) * size * 100


def test_reads_overlap_compute_only_as_far_as_pieces_are_in_flight():
    edges = np.arange(9) * 1024
    dev = device("15W")

    def run(in_flight):
        read = Stream("x", spans(0, edges, 32))
        piece = kernel([compute] * 8, reads=[read], in_flight=in_flight)
        return time_ps([piece], dev, FixedRateDram(1000))

    compute = 4_000_000
    assert run(1) >= LAUNCH + 8 * (compute + 1_024_000)
    assert run(16) < run(1)


@pytest.mark.parametrize("machine", ["orin-nx-16gb", "agx-orin-64gb", "orin-nano-8gb"])
def test_more_sms_or_clock_are_never_slower(machine):
    rng = np.random.default_rng(3)
    edges = np.arange(41) * 4096
    cycles = rng.integers(0, 90_000, 40).astype(float)
    gpu = load_machine(machine)

    def run(mode):
        dev = Device.of(gpu, mode)
        duration = grid_of(Grid(np.full(40, 16), BlockShape(256, 40, 0), 2), cycles, dev)
        work = kernel(duration, reads=[Stream("x", spans(0, edges, 32))])
        return time_ps([work], dev, FixedRateDram(10))

    modes = sorted(
        (m.sms.value * m.gpu_clock_mhz.value, name)
        for name, m in gpu.modes.items()
        if m.memory_mt_s.value == gpu.modes[gpu.default_mode].memory_mt_s.value
    )
    times = [run(name) for _, name in modes]
    assert times == sorted(times, reverse=True)


def test_a_grid_is_bound_by_its_pipes_or_by_its_blocks_latency():
    dev, shape = device(), BlockShape(256, 40, 0)  # six resident
    delay = dev.generation.block_ns.value + 2 * dev.generation.latency_ns.value
    cycle = 1e3 / 918
    # 12 blocks of 100 cycles: two rounds of the delay and of one block
    few = grid_of(Grid(np.array([12]), shape, 2), np.array([1200.0]), dev)
    assert few == pytest.approx(1e3 * (2 * delay + 200 * cycle), rel=1e-6)
    many = grid_of(Grid(np.array([12]), shape, 2), np.array([1.2e6]), dev)
    assert many == pytest.approx(1e3 * 1.2e6 * cycle, rel=1e-6)


def test_timelines_hold_every_block_and_end_with_the_last():
    rng = np.random.default_rng(0)
    busy, delay = rng.exponential(100, 300), rng.exponential(30, 300)
    spread = timelines(busy, delay, 4, 3, 64)
    assert spread.duration_ps.size == 64
    by_lane = np.bincount(spread.lane, weights=spread.duration_ps)
    assert by_lane.max() >= 1e3 * (busy.sum() / 4)
    assert (spread.first <= spread.last).all()
    assert (spread.lane[spread.first] == spread.lane[spread.last]).all()


def test_runs_of_blocks_are_gathered_by_piece():
    runs = MemoryRuns(np.array([0, 1, 3, 3]), np.array([10, 20, 21]), np.array([1, 2, 3]))
    got = gathered_runs(runs, np.array([1, 0, 1]), 3)
    assert got.ptr.tolist() == [0, 2, 3, 3]
    assert got.address.tolist() == [20, 21, 10]
    assert got.size.tolist() == [2, 3, 1]


def test_totals_become_actions():
    one = kernel([3], totals=Totals(instructions=96, fp32=32, sfu=5, l2_bytes=64))
    program = gpu_program([one, one], device())
    assert program.actions == {
        "l2/bytes": 128, "sm/fp32": 64, "sm/instructions": 192, "sm/sfu": 10,
    }  # fmt: skip


def test_occupancy_follows_the_tightest_limit():
    sm = load_machine("orin-nx-16gb").sm
    assert resident_blocks(sm, BlockShape(256, 40, 7168)) == 6  # 1536 threads, 48 warps
    assert resident_blocks(sm, BlockShape(256, 64, 7168)) == 4  # 65536 / 2048 = 32 warps
    assert resident_blocks(sm, BlockShape(32, 16, 0)) == 16
    assert resident_blocks(sm, BlockShape(128, 32, 40_000)) == 4  # 167936 / (40064 + 1024)


def test_a_block_that_does_not_fit_is_an_error_with_its_demand():
    sm = load_machine("orin-nx-16gb").sm
    with pytest.raises(ConfigError, match="200000 bytes of shared memory does not fit"):
        resident_blocks(sm, BlockShape(256, 40, 200_000))


def test_an_unknown_mode_names_the_nearest():
    with pytest.raises(ConfigError, match=r"no power mode 'MAXM'(.|\n)*MAXN"):
        device("MAXM")


def test_no_mode_means_the_one_the_module_ships_in():
    assert device(None).mode_name == "15W"
    assert (device(None).sms, device(None).pin_gb_s) == (4, pytest.approx(102.4))
    assert device("10W").pin_gb_s == pytest.approx(68.256)


def test_pieces_cover_all_blocks_and_share_the_sms_evenly():
    for blocks, sms in [(1, 8), (63, 8), (64, 14), (1000, 14), (7161, 8)]:
        cuts = cut_blocks(blocks, sms, 64)
        assert (cuts[0], cuts[-1]) == (0, blocks)
        assert np.ptp(np.diff(cuts)) <= 1
        assert cuts.size - 1 <= 64
        assert blocks <= 64 or (cuts.size - 1) % sms == 0
    assert cut_blocks(0, 8, 64).tolist() == [0]


def test_spans_share_no_sector_and_lose_no_byte():
    runs = spans(256, np.array([0, 100, 130, 500]), 32)
    assert runs.address.tolist() == [256, 256 + 96, 256 + 128]
    assert runs.size.tolist() == [96, 32, 372]


def test_picked_moves_every_touched_sector_of_a_piece_once():
    index = np.array([0, 1, 5, 20, 21, 40], np.int32)
    runs = picked(64, 12, index, np.array([0, 16, 32, 48]), 32)
    assert np.diff(runs.ptr).tolist() == [1, 1, 1]  # 64-88 and 124-136 touch neighbouring sectors
    for piece, items in enumerate(([0, 1, 5], [20, 21], [40])):
        wanted = {b // 32 for i in items for b in range(64 + 12 * i, 76 + 12 * i)}
        own = slice(runs.ptr[piece], runs.ptr[piece + 1])
        got = [
            a // 32 + s
            for a, n in zip(runs.address[own], runs.size[own], strict=True)
            for s in range(n // 32)
        ]
        assert sorted(got) == sorted(wanted)


def test_scattered_segments_tile_the_array():
    runs = scattered(1024, 10_000, 7, 16, 32)
    order = np.argsort(runs.address)
    ends = runs.address[order] + runs.size[order]
    assert int(runs.size.sum()) == 10_000
    assert np.array_equal(runs.address[order][1:], ends[:-1])
    assert np.diff(runs.ptr).max() <= 16


def test_join_keeps_pieces_together():
    a = MemoryRuns(np.array([0, 1, 3]), np.array([10, 20, 21]), np.array([1, 2, 3]))
    b = MemoryRuns(np.array([0, 2, 2]), np.array([30, 31]), np.array([4, 5]))
    both = join(a, b)
    assert both.ptr.tolist() == [0, 3, 5]
    assert both.address.tolist() == [10, 30, 31, 20, 21]
    assert both.size.tolist() == [1, 4, 5, 2, 3]


def test_arrays_are_placed_apart():
    layout = Layout()
    assert [layout.place(n) for n in (1, 0, 257, 10)] == [0, 256, 512, 1024]


def test_malformed_kernels_are_refused():
    with pytest.raises(ValueError, match="stream x has other pieces"):
        kernel([1, 2], reads=[Stream("x", spans(0, np.array([0, 32]), 32))])
    with pytest.raises(ValueError, match="at least 1"):
        kernel([1], in_flight=0)


def test_fidelity_says_what_is_not_measured():
    assert "archsim validate gpu" in fidelity()
    assert "3DGS itself is not measured on a device" in fidelity()
