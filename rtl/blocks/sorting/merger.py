"""Merges pairs of sorted runs of blocks through the last layers of the sorting network."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Array, Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["RunMerger", "slot_cycles"]

# Phases of a slot. Heads that phase 0 has used up are read in phases 1 and 2; the second one is the
# first slot's of a pair, which takes no choice.
_CHOOSE, _TAKE = 3, 4
_LEAST_SLOT_CYCLES = _TAKE + 1


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

    What is compared and what enters the network comes from flip-flops: the block is taken from
    its run's head a phase before, and the smaller half follows the larger one into its register.

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
        left = [Signal(many, name=f"left_{side}") for side in "ab"]  # blocks not yet read
        more = [Signal(name=f"more_{side}") for side in "ab"]  # whether there are any
        phase = Signal(slot_cycles(self.merge_latency))  # one-hot; none while no level is fed
        base, rest = Signal(many), Signal(many)  # of the next pair: first block, blocks from there
        fed, feeds = Signal(many), Signal()  # blocks fed; whether this slot feeds one
        fresh, choice, keeping = Signal(), Signal(), Signal()
        merges = Signal()  # in phase 0: the block fed is compared with the half kept

        next_pair = Signal()
        with m.If(self.start):
            m.d.comb += next_pair.eq(1)
            m.d.sync += [self.busy.eq(1), phase.eq(1), fed.eq(0), feeds.eq(0), keeping.eq(0)]
        with m.Elif(self.busy):
            m.d.sync += phase.eq(phase.rotate_left(1))
            with m.If(phase[-1]):
                unfed = fed != self.blocks
                m.d.sync += [feeds.eq(unfed), merges.eq(unfed & ~fresh)]
                with m.If(~unfed & ~feeds):
                    m.d.sync += [self.busy.eq(0), phase.eq(0)]

        self._fetch(m, heads, full, row, left, more)
        with m.If(phase[_CHOOSE]):
            smaller = heads[1][0] < heads[0][0]
            m.d.sync += choice.eq(~fresh & full[1] & (~full[0] | smaller))

        with m.If(phase[0] & feeds):
            m.d.sync += [full[choice].eq(0), fed.eq(fed + 1), keeping.eq(1), fresh.eq(0)]
            m.d.comb += next_pair.eq(~more[0] & ~more[1] & ~full[~choice])
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
                more[0].eq(pair_rest != 0),
                row[1].eq(pair_base + self.run),
                left[1].eq(Mux(alone, 0, Mux(short, beyond, self.run))),
                more[1].eq(~alone),
                base.eq(pair_base + twice),
                rest.eq(Mux(short, 0, pair_rest - twice)),
            ]

        self._compare(m, phase, heads, choice, merges, feeds, keeping)
        return m

    def _register(self, name: str) -> Any:
        layout = data.ArrayLayout(unsigned(self.bits), self.width)
        return Signal(layout, name=name, reset_less=True)

    def _fetch(
        self, m: Module, heads: Any, full: Any, row: Any, left: list[Signal], more: list[Signal]
    ) -> None:
        """Read the next block of each run whose head is gone, one after the other."""
        asked = [Signal(name=f"asked_{side}") for side in "ab"]
        wants = [self.busy & ~full[n] & ~asked[n] & more[n] for n in range(2)]
        reads = [wants[0], wants[1] & ~wants[0]]
        m.d.comb += self.row.eq(Mux(reads[0], row[0], row[1]))
        for side in range(2):
            m.d.sync += asked[side].eq(reads[side])
            with m.If(reads[side]):
                m.d.sync += [
                    row[side].eq(row[side] + 1),
                    left[side].eq(left[side] - 1),
                    more[side].eq(left[side] != 1),
                ]
            with m.If(asked[side]):
                m.d.sync += [heads[side].eq(self.block), full[side].eq(1)]

    def _compare(
        self, m: Module, phase: Signal, heads: Any, choice: Signal, merges: Signal, feeds: Signal,
        keeping: Signal,
    ) -> None:  # fmt: skip
        """Split kept half and new block into their smaller and larger items; send them off."""
        new, smaller, sent = (self._register(name) for name in ("new", "smaller", "sent"))
        has_smaller = Signal()
        with m.If(phase[_TAKE]):
            for n in range(self.width):
                other = self.width - 1 - n
                m.d.sync += new[n].eq(Mux(choice, heads[1][other], heads[0][other]))
        first = slot_cycles(self.merge_latency) - self.merge_latency
        with m.If(phase[0]):
            m.d.sync += has_smaller.eq(keeping)
            for n in range(self.width):
                kept = self.kept[n]
                swap = Signal(name=f"swap_{n}")
                m.d.comb += swap.eq(Cat(kept, merges) > Cat(new[n], 1))  # never, unless merges
                m.d.sync += [
                    smaller[n].eq(Mux(swap, new[n], kept)),
                    sent[n].eq(Mux(swap, kept, new[n])),
                ]
        with m.Elif(phase[first]):
            m.d.sync += sent.eq(smaller)
        m.d.sync += self.o.valid.eq((phase[first - 1] & feeds) | (phase[first] & has_smaller))
        m.d.comb += [self.o.payload.eq(sent), self.keeps.eq(phase[0])]
