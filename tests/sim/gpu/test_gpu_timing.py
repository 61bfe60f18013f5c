"""The kernel model: closed forms, limits, and what must grow or fall with what."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.arch.load import load_machine
from archsim.sim.gpu.device import BlockShape, Device
from archsim.sim.gpu.kernels.attention import Heads, decode, mixed, prefill
from archsim.sim.gpu.kernels.convolution import convolution
from archsim.sim.gpu.kernels.elementwise import elementwise
from archsim.sim.gpu.kernels.gather import gather
from archsim.sim.gpu.kernels.gemm import gemm
from archsim.sim.gpu.kernels.rows import layer_norm, softmax, top_k
from archsim.sim.gpu.run import run_kernels
from archsim.sim.gpu.scheduler import like_blocks, placed, schedule
from archsim.sim.gpu.timing import dram_bytes, kernel_time, left_in_l2
from archsim.sim.gpu.work import PIPES, Memory, Work, blocks

HEADS = Heads(32, 8, 128)


@pytest.fixture(scope="module")
def a100():
    return Device.of(load_machine("a100-80gb"))


@pytest.fixture(scope="module")
def ada():
    return Device.of(load_machine("rtx-4090"))


@given(st.integers(1, 200), st.floats(1, 50), st.floats(0, 200), st.integers(1, 9),
       st.integers(1, 6))  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_like_blocks_are_scheduled_as_the_closed_form_says(number, busy, delay, sms, resident):
    count = np.array([number])
    got = schedule(count, np.array([busy]), np.array([delay]), 0.0, sms, resident)
    assert got == pytest.approx(like_blocks(number, busy, delay, sms, resident))


@given(st.lists(st.tuples(st.floats(1, 50), st.floats(0, 90)), min_size=1, max_size=60),
       st.integers(1, 5), st.integers(1, 4))  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_unlike_blocks_keep_the_bounds_of_any_schedule(drawn, sms, resident):
    busy, delay = (np.array(column) for column in zip(*drawn, strict=True))
    start, finish, sm = placed(busy, delay, sms, resident)
    assert (finish >= start + busy + delay - 1e-9).all()
    assert finish.max() >= busy.sum() / sms - 1e-9
    ones = np.ones(busy.size, np.int64)
    assert finish.max() == schedule(ones, busy, delay, 0.0, sms, resident)
    for one in range(sms):  # never more than resident at once
        own = sm == one
        for t in start[own]:
            assert ((start[own] <= t) & (finish[own] > t)).sum() <= resident


def test_partial_waves_cost_whole_ones():
    assert like_blocks(8, 10, 0, 4, 1) == 20
    assert like_blocks(9, 10, 0, 4, 1) == 30
    # latency shows with one resident block and hides behind others
    assert like_blocks(8, 10, 30, 1, 1) == 8 * 40
    assert like_blocks(8, 10, 30, 1, 8) == 30 + 80


def test_efficiency_rises_with_size(a100):
    rates = [
        2.0 * n * n * n / kernel_time(gemm(n, n, n, a100), a100).total_ns
        for n in (128, 256, 512, 1024, 2048, 4096, 8192)
    ]
    assert rates == sorted(rates)
    assert rates[0] < 0.05 * rates[-1]
    assert 0.8 * 312e3 < rates[-1] < 312e3
    read = [
        n * 4 / kernel_time(elementwise(n, read_bytes=4, write_bytes=0, held=0), a100).total_ns
        for n in (1 << 14, 1 << 17, 1 << 20, 1 << 23, 1 << 26)
    ]
    assert read == sorted(read)


def test_a_product_of_one_row_is_bound_by_its_weights(ada):
    time = kernel_time(gemm(1, 28672, 4096, ada), ada)
    assert time.bound == "dram"
    assert time.read_bytes == pytest.approx(2 * 28672 * 4096, rel=0.01)
    four_bits = kernel_time(gemm(1, 28672, 4096, ada, b_bytes=0.5), ada)
    assert four_bits.read_bytes == pytest.approx(time.read_bytes / 4, rel=0.01)


def test_tensor_cores_beat_fp16_and_fp32_ones(ada):
    times = [
        kernel_time(gemm(2048, 2048, 2048, ada, cores=cores), ada).total_ns
        for cores in ("tensor", "fp16", "fp32")
    ]
    assert times == sorted(times)


def test_tiles_are_padded(ada):
    def time(rows):
        return kernel_time(gemm(rows, 4096, 4096, ada), ada).total_ns

    assert time(257) > 1.1 * time(256)
    assert time(1) == pytest.approx(time(16), rel=0.02)


def test_what_fits_the_l2_comes_from_it(ada):
    fits = decode(1, 16384, HEADS, ada, held=1.0)[0]  # 64 MiB of keys and values, L2 of 72 MiB
    over = decode(1, 32768, HEADS, ada, held=1.0)[0]
    assert dram_bytes(fits, ada)[0] < 1e5
    assert dram_bytes(over, ada)[0] == pytest.approx(32769 * 4096, rel=0.01)


def test_bytes_read_again_hit_only_while_the_l2_holds_them(a100):
    base = elementwise(1 << 24, read_bytes=2, write_bytes=2, held=0)
    capacity = a100.machine.l2.capacity_bytes.value / a100.machine.l2.copies.value

    def reads(reuse):
        memory = replace(base.memory, again_bytes=1e6, reuse_bytes=reuse)
        return dram_bytes(replace(base, memory=memory), a100)[0]

    assert reads(capacity + 1) - reads(capacity) == pytest.approx(1e6)
    small, large = (elementwise(n, read_bytes=2, write_bytes=2) for n in (1 << 18, 1 << 28))
    share = [dram_bytes(w, a100)[0] / w.memory.read_bytes for w in (small, large)]
    assert share[0] < 0.1 < 0.9 < share[1]


def test_the_last_wave_of_a_product_is_left_in_the_l2(ada):
    shares = [left_in_l2(gemm(m, 28672, 4096, ada), ada) for m in (64, 256, 2048)]
    assert shares[0] == 1.0
    assert shares == sorted(shares, reverse=True)
    assert left_in_l2(gemm(512, 4096, 4096, ada), ada) == 1.0  # all of it fits


def test_prompts_grow_from_linear_to_square(a100):
    def time(n):
        return kernel_time(prefill(n, HEADS, a100), a100).total_ns

    assert time(65536) / time(32768) == pytest.approx(4, rel=0.05)
    assert time(512) / time(256) < 2.5
    bidirectional = kernel_time(prefill(16384, HEADS, a100, causal=False), a100).total_ns
    assert bidirectional / time(16384) == pytest.approx(2, rel=0.1)


def test_decoding_sequences_in_a_mixed_batch_cost_whole_tiles(ada):
    alone = sum(kernel_time(w, ada).total_ns for w in decode(64, 1024, HEADS, ada))
    with_chunk = kernel_time(mixed(16, 0, 64, 1024, HEADS, ada), ada).total_ns
    assert with_chunk > 1.5 * alone
    # the grid is as long as the longest sequence in every one: empty blocks take their time
    few = kernel_time(mixed(16, 0, 128, 16, HEADS, ada), ada).total_ns
    many = kernel_time(mixed(2048, 0, 128, 16, HEADS, ada), ada).total_ns
    chunk = kernel_time(mixed(2048, 0, 0, 0, HEADS, ada), ada).total_ns
    assert many > few + chunk


def test_long_rows_are_read_once_for_every_pass(a100):
    short, long = softmax(4096, 1024, a100), softmax(4096, 4096, a100)
    assert short.memory.again_bytes == 0
    assert long.memory.again_bytes == 2 * long.memory.read_bytes
    fused = layer_norm(64, 4096, a100, inputs=2, outputs=2, in_place=True)
    assert fused.memory.footprint_bytes == 2 * 2 * 64 * 4096


def test_selection_writes_what_it_selects(a100):
    work = top_k(128, 65536, 16, a100)
    assert work.memory.write_bytes == pytest.approx(128 * 16 * 10)
    assert work.total("int32") > 0


def test_a_convolution_is_its_product_with_the_image_read_once(a100):
    conv = convolution(1, 64, 64, 128, 256, a100)
    product = gemm(64 * 64, 256, 128 * 9, a100)
    assert conv.total("tensor") == product.total("tensor")
    assert conv.memory.read_bytes == 2 * (64 * 64 * 128 + 9 * 128 * 256)


def test_a_gather_moves_whole_sectors_and_repeated_rows_once():
    assert gather(10, 40).memory.read_bytes == 10 * 64 + 40
    assert gather(10, 64, distinct=1).memory.read_bytes == 64 + 40


def test_launches_show_where_kernels_are_short():
    device = Device.of(load_machine("orin-nx-16gb"), "MAXN")
    tiny = elementwise(1024, read_bytes=2, write_bytes=2)
    large = elementwise(1 << 26, read_bytes=2, write_bytes=2)
    launch = device.machine.launch_ns.value
    many = run_kernels([tiny] * 100, device)
    assert many.total_ns == pytest.approx(100 * launch + kernel_time(tiny, device).total_ns)
    few = run_kernels([large] * 3, device)
    assert few.waiting_ns == pytest.approx(launch)
    assert few.total_ns == pytest.approx(launch + 3 * kernel_time(large, device).total_ns)


def test_rails_add_up_to_the_components():
    device = Device.of(load_machine("orin-nx-16gb"), "MAXN")
    run = run_kernels([gemm(1024, 1024, 1024, device)], device)
    low, value, high = (
        [sum(getattr(e, bound) for e in parts.values()) for parts in (run.energy_pj, run.rails_pj)]
        for bound in ("low", "value", "high")
    )
    assert value[1] == pytest.approx(value[0])
    assert low[1] < low[0]  # shares of the idle power have ranges, too
    assert high[1] > high[0]
    idle = run.energy_pj["gpu/idle"]
    gpu = sum(e.value for name, e in run.energy_pj.items() if name.startswith("gpu/"))
    assert run.rails_pj["VDD_CPU_GPU_CV"].value == pytest.approx(gpu - 0.72 * idle.value)
    shares = device.machine.rails
    soc = shares["VDD_SOC"].idle_fraction
    others = sum(r.idle_fraction.high for n, r in shares.items() if n != "VDD_SOC")
    controller = run.energy_pj["memory controller"].low
    assert run.rails_pj["VDD_SOC"].low == pytest.approx(
        controller + idle.low * soc.low / (soc.low + others)
    )
    assert run.actions["sm/tensor"] >= 1024**3


def test_a_cold_gpu_is_slower_until_it_is_warm():
    device = Device.of(load_machine("agx-orin-64gb"), "MAXN")
    work = gemm(4096, 4096, 4096, device)
    cold = run_kernels([work] * 500, device, cold=True)
    warm = run_kernels([work] * 500, device)
    times = [ran.time.total_ns for ran in cold.kernels]
    assert times[0] > 3 * times[-1]
    assert times[-1] == pytest.approx(warm.kernels[0].time.total_ns)
    assert times == sorted(times, reverse=True)


def test_malformed_work_is_refused():
    with pytest.raises(ValueError, match="no pipe 'fp8'"):
        blocks(1, fp8=3)
    with pytest.raises(ValueError, match="different numbers of groups"):
        Work("x", "x", BlockShape(32, 32, 0), np.ones(2, np.int64), np.zeros((1, len(PIPES))),
             np.zeros(1), Memory())  # fmt: skip
