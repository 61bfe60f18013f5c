"""Batcher's bitonic sorting network, one layer of comparators a cycle.

K. E. Batcher, "Sorting networks and their applications", AFIPS 1968.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from amaranth.hdl import Assert, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["BitonicNetwork", "bitonic_layers"]


def bitonic_layers(width: int) -> list[list[tuple[int, int]]]:
    """Return the comparators of each layer as (place of the smaller, place of the larger).

    The last ``log2(width)`` layers alone sort any bitonic sequence.
    """
    if width < 2 or width & (width - 1):
        raise ValueError(f"width must be a power of two of at least 2, not {width!r}")
    layers = []
    block = 2
    while block <= width:
        distance = block // 2
        while distance:
            pairs = [(low, low ^ distance) for low in range(width) if not low & distance]
            layers.append([(a, b) if not a & block else (b, a) for a, b in pairs])
            distance //= 2
        block *= 2
    return layers


class BitonicNetwork(wiring.Component):
    """Sorts ``width`` unsigned items ascending, a new set in every cycle; never stalls.

    Parameters
    ----------
    width
        Items of a set, a power of two.
    bits
        Of an item; all of them are compared.

    Members
    -------
    i
        A set in any order.
    bitonic
        A bitonic sequence (rising then falling, or turned); it enters at the last ``log2(width)``
        layers, ``latency - merge_latency`` cycles later than a set that leaves with it.
    o
        Sets in ascending order.
    """

    def __init__(self, *, width: int, bits: int):
        self.layers = bitonic_layers(width)
        self.width = width
        self.bits = bits
        items = stream.Signature(data.ArrayLayout(unsigned(bits), width), always_ready=True)
        super().__init__({"i": In(items), "bitonic": In(items), "o": Out(items)})

    @property
    def latency(self) -> int:
        """Cycles of a set: one a layer."""
        return len(self.layers)

    @property
    def merge_latency(self) -> int:
        """Cycles of a bitonic sequence."""
        return self.width.bit_length() - 1

    def model(self, i: Any, bitonic: Any) -> dict[str, Any]:
        """Return the sets in order, where all come by one of the two ways."""
        return {"o": np.sort(np.concatenate([i, bitonic]), axis=1)}

    def elaborate(self, platform: object) -> Module:
        """Describe the hardware."""
        m = Module()
        valid = self.i.valid
        items = [self.i.payload[n] for n in range(self.width)]
        entry = self.latency - self.merge_latency
        for depth, layer in enumerate(self.layers):
            if depth == entry:
                m.d.comb += Assert(~(valid & self.bitonic.valid), "two sets enter one layer")
                chosen = [Signal(self.bits, name=f"entry_{n}") for n in range(self.width)]
                for n, into in enumerate(chosen):
                    turned = self.bitonic.payload[n]
                    m.d.comb += into.eq(Mux(self.bitonic.valid, turned, items[n]))
                items, valid = chosen, valid | self.bitonic.valid
            after = [
                Signal(self.bits, name=f"layer_{depth}_{n}", reset_less=True)
                for n in range(self.width)
            ]
            with m.If(valid):  # what is not a set stays where it is, and costs no switching
                for low, high in layer:
                    smaller, larger = items[low], items[high]
                    with m.If(smaller > larger):
                        m.d.sync += [after[low].eq(larger), after[high].eq(smaller)]
                    with m.Else():
                        m.d.sync += [after[low].eq(smaller), after[high].eq(larger)]
            passed = Signal(name=f"valid_{depth}")
            m.d.sync += passed.eq(valid)
            items, valid = after, passed
        m.d.comb += [
            self.o.valid.eq(valid),
            *(self.o.payload[n].eq(items[n]) for n in range(self.width)),
        ]
        return m
