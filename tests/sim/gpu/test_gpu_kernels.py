"""Kernels whose structure follows the source of a library: grids, waits and instructions."""

import pytest

from archsim.arch.load import load_machine
from archsim.sim.gpu.device import Device
from archsim.sim.gpu.kernels.elementwise import elementwise
from archsim.sim.gpu.kernels.gather import gather, index_select
from archsim.sim.gpu.timing import dram_bytes, kernel_time


@pytest.fixture(scope="module")
def a6000():
    return Device.of(load_machine("rtx-a6000"))


def test_an_embedding_never_has_more_than_eight_blocks_a_multiprocessor(a6000):
    assert index_select(17, 128, a6000).blocks == 17  # a block for every 128 elements
    assert index_select(2048, 4096, a6000).blocks == 8 * 84
    assert index_select(16, 4096, a6000).blocks == 32  # few rows: the grid spans one


def test_an_embedding_waits_twice_for_every_element_of_a_thread(a6000):
    steps = -(-2048 * 4096 // (8 * 84 * 128))  # 98 of a grid
    work = index_select(2048, 4096, a6000)
    assert work.trips[0] == pytest.approx(1 + steps * (185 / 552 + 1))
    waits = work.trips[0] * a6000.generation.latency_ns.value
    time = kernel_time(work, a6000)
    assert time.sm_ns > waits  # which bound it: the memory would be done in half the time
    assert time.bound == "sm"
    assert time.dram_ns < time.sm_ns / 2


def test_rows_named_again_come_from_the_l1(a6000):
    once, again = (index_select(2048, 4096, a6000, distinct=n) for n in (2048, 1))
    assert dram_bytes(once, a6000)[0] > 100 * dram_bytes(again, a6000)[0]
    assert kernel_time(again, a6000).sm_ns < 0.6 * kernel_time(once, a6000).sm_ns


def test_a_gather_of_whole_rows_moves_the_same_bytes_faster(a6000):
    rows, select = gather(2048, 8192), index_select(2048, 4096, a6000)
    assert dram_bytes(rows, a6000) == pytest.approx(dram_bytes(select, a6000), rel=1e-3)
    assert kernel_time(rows, a6000).total_ns < 0.7 * kernel_time(select, a6000).total_ns


@pytest.mark.parametrize(("element_bytes", "per_block"), [(2, 512), (4, 256)])
def test_strided_operands_are_loaded_one_by_one(element_bytes, per_block):
    size = element_bytes
    strided = elementwise(1 << 20, read_bytes=size, write_bytes=size, instructions=1,
                          dimensions=3, element_bytes=element_bytes)  # fmt: skip
    assert strided.blocks == (1 << 20) // per_block
    assert strided.total("issue") == pytest.approx((1 << 20) / 32 * (1 + 13 + 3 * 12))
    plain = elementwise(1 << 20, read_bytes=size, write_bytes=size, instructions=1)
    assert plain.blocks == (1 << 20) // 2048
    assert strided.memory == plain.memory


def test_offsets_show_where_memory_is_fast_and_hide_where_it_is_slow():
    def ratio(name):
        device = Device.of(load_machine(name))
        plain, strided = (
            kernel_time(elementwise(1 << 23, read_bytes=2, write_bytes=2, dimensions=n), device)
            for n in (0, 3)
        )
        return strided.total_ns / plain.total_ns

    assert ratio("rtx-a6000") < 1.1
    assert ratio("h100-sxm") > 1.3
