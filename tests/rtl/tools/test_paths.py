"""Combinational paths, and that no stream's offer hangs on its own ready."""

from typing import Any

import pytest
from amaranth.hdl import Module
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from archsim.rtl.tools.paths import combinational_inputs, offers_that_wait
from archsim.rtl.verify.bench import Bench
from archsim.rtl.verify.table import BENCHES

pytestmark = pytest.mark.rtl

#: Rows that only differ in size from one that is tried, or take long to convert.
SLOW = ("coarse-bank", "coarse-filter", "fine-filter", "placement", "render-unit-8",
        "render-unit-16", "sorter", "top")  # fmt: skip


class Both(wiring.Component):
    """Offers to two streams at once, each only where both can take it: what must not be."""

    def __init__(self) -> None:
        one = stream.Signature(4)
        super().__init__({"i": In(one), "o": Out(one), "p": Out(one)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        both = self.o.ready & self.p.ready
        m.d.comb += [
            self.i.ready.eq(both),
            self.o.valid.eq(self.i.valid & both),
            self.p.valid.eq(self.i.valid & both),
            self.o.payload.eq(self.i.payload),
            self.p.payload.eq(self.i.payload),
        ]
        return m


class Table(wiring.Component):
    """A word read at once, a word read a cycle later."""

    def __init__(self) -> None:
        super().__init__({"at": In(2), "word": In(8), "now": Out(8), "later": Out(8)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.table = table = memory.Memory(shape=8, depth=4, init=[])
        now, later, write = table.read_port(domain="comb"), table.read_port(), table.write_port()
        m.d.comb += [
            now.addr.eq(self.at), later.addr.eq(self.at), write.addr.eq(self.at),
            write.data.eq(self.word), write.en.eq(1), self.now.eq(now.data),
            self.later.eq(later.data),
        ]  # fmt: skip
        return m


def test_an_offer_that_waits_for_its_own_ready_is_found() -> None:
    assert offers_that_wait(Both()) == ["o", "p"]
    seen = combinational_inputs(Both())
    assert seen["o__payload"] == {"i__payload"}
    assert seen["i__ready"] == {"o__ready", "p__ready"}


def test_paths_go_through_memories_that_are_read_at_once() -> None:
    assert combinational_inputs(Table()) == {"now": {"at"}, "later": set()}


@pytest.mark.parametrize(
    "bench",
    [pytest.param(b, marks=[pytest.mark.rtl_full] if b.name in SLOW else []) for b in BENCHES],
    ids=str,
)
def test_no_offer_waits_for_its_own_ready(bench: Bench) -> None:
    assert offers_that_wait(bench.make()) == []
