"""Merges pairs of sorted runs of blocks through the last layers of the sorting network."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Array, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["RunMerger", "slot_cycles"]

_READ_FIRST, _READ_SECOND, _CHOOSE = 1, 2, 4  # phases of a slot; an answer comes a phase later
_LEAST_SLOT_CYCLES = 5


def slot_cycles(merge_latency: int) -> int:
    """Return the cycles between two blocks: comparing halves, then the network's last layers.

    The next comparison needs the larger half sorted, so that blocks of one merge do not overlap.
    """
    return max(_LEAST_SLOT_CYCLES, 1 + merge_latency)


class RunMerger(wiring.Component):
    """Feeds the blocks of one level of merging, a slot of ``slot_cycles`` cycles for each.

    In phase 0 of a slot the block with the smaller head of the two runs is compared with the
    sorted larger half of the slot before; both halves are bitonic and enter the network, the
    larger one first, so that it leaves it in phase 0 of the next slot. At the start of a pair the
    half kept leaves as it is. One slot fetches the first blocks, and one lets the last half go.

    Members
    -------
    start, blocks, run
        Begins a level over ``blocks`` blocks in sorted runs of ``run`` blocks.
    busy
        A level is fed; ``final`` says that it leaves one run.
    row
        Block that is read; ``block`` holds it in the next cycle.
    kept
        What the network gives: in phase 0 the larger half.
    keeps
        The network's output in this cycle is the larger half, not to be written.
    o
        Halves for the network.
    """

    def __init__(self, *, width: int, bits: int, rows: int):
        self.width = width
        self.bits = bits
        self.rows = rows
        self.merge_latency = width.bit_length() - 1
        block = data.ArrayLayout(unsigned(bits), width)
        many = range(rows + 1)
        super().__init__(
            {
                "start": In(1),
                "blocks": In(many),
                "run": In(many),
                "busy": Out(1),
                "final": Out(1),
                "row": Out(range(rows)),
                "block": In(block),
                "kept": In(block),
                "keeps": Out(1),
                "o": Out(stream.Signature(block, always_ready=True)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Describe the hardware."""
        m = Module()
        many = range(self.rows + 1)
        heads = [self._register(f"head_{side}") for side in "ab"]  # the next block of each run
        full = Array([Signal(name=f"full_{side}") for side in "ab"])
        row = Array([Signal(many, name=f"row_{side}") for side in "ab"])
        left = Array([Signal(many, name=f"left_{side}") for side in "ab"])  # blocks not yet read
        phase = Signal(range(slot_cycles(self.merge_latency)))
        base, rest = Signal(many), Signal(many)  # of the next pair: first block, blocks from there
        fed, feeds = Signal(many), Signal()  # blocks fed; whether this slot feeds one
        fresh, choice, keeping = Signal(), Signal(), Signal()

        last_phase = phase == slot_cycles(self.merge_latency) - 1
        next_pair = Signal()
        with m.If(self.start):
            m.d.comb += next_pair.eq(1)
            m.d.sync += [self.busy.eq(1), phase.eq(0), fed.eq(0), feeds.eq(0), keeping.eq(0)]
        with m.Elif(self.busy):
            m.d.sync += phase.eq(Mux(last_phase, 0, phase + 1))
            with m.If(last_phase):
                m.d.sync += feeds.eq(fed != self.blocks)
                with m.If((fed == self.blocks) & ~feeds):
                    m.d.sync += self.busy.eq(0)

        self._fetch(m, phase, heads, full, row, left)
        with m.If(self.busy & (phase == _CHOOSE)):
            smaller = heads[1][0] < heads[0][0]
            m.d.sync += choice.eq(~fresh & full[1] & (~full[0] | smaller))

        with m.If(self.busy & (phase == 0) & feeds):
            m.d.sync += [full[choice].eq(0), fed.eq(fed + 1), keeping.eq(1), fresh.eq(0)]
            others = (left[0] == 0) & (left[1] == 0) & ~full[~choice]
            m.d.comb += next_pair.eq(others)
        # the pair that comes next: its first run always whole, its second what is left of it
        pair_base = Mux(self.start, 0, base)
        pair_rest = Mux(self.start, self.blocks, rest)
        twice = Signal(len(self.run) + 1)
        m.d.comb += [twice.eq(self.run << 1), self.final.eq(twice >= self.blocks)]
        with m.If(next_pair):
            beyond = Signal(len(base) + 2)
            m.d.comb += beyond.eq(pair_rest - self.run)
            short, alone = pair_rest < twice, pair_rest <= self.run
            m.d.sync += [
                fresh.eq(1),
                row[0].eq(pair_base),
                left[0].eq(Mux(alone, pair_rest, self.run)),
                row[1].eq(pair_base + self.run),
                left[1].eq(Mux(alone, 0, Mux(short, beyond, self.run))),
                base.eq(pair_base + twice),
                rest.eq(Mux(short, 0, pair_rest - twice)),
            ]

        self._compare(m, phase, heads, choice, fresh, feeds, keeping)
        return m

    def _register(self, name: str) -> Any:
        layout = data.ArrayLayout(unsigned(self.bits), self.width)
        return Signal(layout, name=name, reset_less=True)

    def _fetch(self, m: Module, phase: Signal, heads: Any, full: Any, row: Any, left: Any) -> None:
        """Read the next block of each run whose head is gone, one after the other."""
        asked = [Signal(name=f"asked_{side}") for side in "ab"]
        m.d.comb += self.row.eq(Mux(phase == _READ_FIRST, row[0], row[1]))
        for side, when in ((0, _READ_FIRST), (1, _READ_SECOND)):
            wants = self.busy & (phase == when) & ~full[side] & (left[side] != 0)
            m.d.sync += asked[side].eq(wants)
            with m.If(wants):
                m.d.sync += [row[side].eq(row[side] + 1), left[side].eq(left[side] - 1)]
            with m.If(asked[side]):
                m.d.sync += [heads[side].eq(self.block), full[side].eq(1)]

    def _compare(
        self, m: Module, phase: Signal, heads: Any, choice: Signal, fresh: Signal, feeds: Signal,
        keeping: Signal,
    ) -> None:  # fmt: skip
        """Split kept half and new block into their smaller and larger items; send them off."""
        smaller, larger = self._register("smaller"), self._register("larger")
        has_smaller, has_larger = Signal(), Signal()
        with m.If(self.busy & (phase == 0)):
            m.d.sync += [has_larger.eq(feeds), has_smaller.eq(keeping)]
            for n in range(self.width):
                kept = self.kept[n]
                other = self.width - 1 - n
                new = Signal(self.bits, name=f"new_{n}")
                swap = Signal(name=f"swap_{n}")
                m.d.comb += [
                    new.eq(Mux(choice, heads[1][other], heads[0][other])),
                    swap.eq(~fresh & feeds & (kept > new)),
                ]
                m.d.sync += [
                    smaller[n].eq(Mux(swap, new, kept)),
                    larger[n].eq(Mux(swap, kept, new)),
                ]
        first = slot_cycles(self.merge_latency) - self.merge_latency
        m.d.comb += [
            self.o.valid.eq(
                (self.busy & (phase == first) & has_larger)
                | (self.busy & (phase == first + 1) & has_smaller)
            ),
            Value.cast(self.o.payload).eq(
                Value.cast(Mux(phase == first, Value.cast(larger), Value.cast(smaller)))
            ),
            self.keeps.eq(self.busy & (phase == 0)),
        ]
