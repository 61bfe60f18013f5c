"""Benches of the blocks that keep and order payloads: FIFOs, buffers, sorter."""

from __future__ import annotations

from typing import Any

import numpy as np
from amaranth.hdl import signed
from amaranth.lib import data

from archsim.rtl.blocks.double_buffer import DoubleBuffer
from archsim.rtl.blocks.fifo import StreamFifo
from archsim.rtl.blocks.skid_buffer import SkidBuffer
from archsim.rtl.blocks.sorter import BitonicSorter
from archsim.rtl.blocks.sorting.network import BitonicNetwork
from archsim.rtl.verify.bench import Bench, Bin, Seen, Stimulus

__all__ = ["FLOW", "STREAM_BENCHES", "flow", "lists_of"]

Rng = np.random.Generator
WORD = data.StructLayout({"a": signed(21), "b": data.ArrayLayout(13, 3)})


def _words(rng: Rng, n: int) -> Stimulus:
    a, b = rng.integers(-(2**20), 2**20, n), rng.integers(0, 2**13, (n, 3))
    return Stimulus({"i": {"a": a, "b": b}})


def _corner_words() -> list[Stimulus]:
    extremes = np.array([-(2**20), -1, 0, 2**20 - 1])
    walking = np.array([[0, 1 << 12, 2**13 - 1]]).repeat(4, 0)
    none = Stimulus({"i": {"a": extremes[:0], "b": walking[:0]}})
    return [Stimulus({"i": {"a": extremes, "b": walking}}), none]


#: What back-pressure must have made happen; the counters of its streams show it.
def _held_up(name: str) -> Bin:
    return lambda seen: seen.run.streams[name].stalled > 0


def _starved(name: str) -> Bin:
    return lambda seen: seen.run.streams[name].starved > 0


def flow(*inputs: str, outputs: tuple[str, ...] = ("o",)) -> dict[str, Bin]:
    """Return the bins of every block's streams: each held up, each output starved."""
    return {
        **{f"{name} held up": _held_up(name) for name in (*inputs, *outputs)},
        **{f"{name} starved": _starved(name) for name in outputs},
    }


FLOW = flow("i")


def _fifo(depth: int) -> Bench:
    return Bench(
        name=f"fifo-{depth}",
        make=lambda: StreamFifo(shape=WORD, depth=depth),
        random=_words,
        directed=_corner_words,
        bins={**FLOW, "full": _held_up("i"), "empty": _starved("o")},
    )


def lists_of(rng: Rng, lengths: Any, key_bits: int, keys: int | None = None) -> Stimulus:
    """Return lists with random keys (few different ones: many ties) and arrival numbers."""
    lengths = np.asarray(lengths)
    total = int(lengths.sum())
    last = np.zeros(total, np.int64)
    last[np.cumsum(lengths) - 1] = 1
    arrival = np.concatenate([np.arange(length) for length in lengths])
    key = rng.integers(0, keys or 1 << key_bits, total)
    return Stimulus({"i": {"key": key, "value": arrival, "last": last}})


def _packets(rng: Rng, n: int) -> Stimulus:
    last = (rng.random(n) < 0.2).astype(np.int64)
    last[-1:] = 1
    return Stimulus({"i": {"data": rng.integers(-(2**11), 2**11, n), "last": last}})


def _directed_packets() -> list[Stimulus]:
    def packet(length: int) -> list[int]:
        return [0] * (length - 1) + [1]

    lengths = (1, 1, 1, 8, 8, 7, 9, 16, 17, 1)  # of a depth of 8: shorter, whole, cut
    last = np.array([bit for length in lengths for bit in packet(length)])
    return [Stimulus({"i": {"data": np.arange(len(last)) - 40, "last": last}})]


KEY_BITS, ENTRIES = 10, 256


def _some_lists(rng: Rng, n: int) -> Stimulus:
    lengths: list[int] = []
    while sum(lengths) < n:
        lengths.append(int(rng.integers(1, rng.choice([2, 20, ENTRIES + 1]))))
    return lists_of(rng, lengths, KEY_BITS, int(rng.choice([3, 1 << KEY_BITS])))


def _directed_lists() -> list[Stimulus]:
    rng = np.random.default_rng(0)
    every = lists_of(rng, range(1, 70), KEY_BITS)
    most = lists_of(rng, [ENTRIES, 1, ENTRIES, ENTRIES - 1, 16, 17], KEY_BITS)
    same = lists_of(rng, [100, ENTRIES], KEY_BITS, keys=1)
    turned = lists_of(rng, [ENTRIES, 33], KEY_BITS)
    column: Any = turned.inputs["i"]
    column["key"] = -np.sort(-column["key"])
    return [every, most, same, turned]


def _has_length(length: int) -> Bin:
    def happened(seen: Seen) -> bool:
        columns: Any = seen.stimulus.inputs["i"]
        ends = np.flatnonzero(columns["last"])
        return bool((np.diff(ends, prepend=-1) == length).any())

    return happened


NETWORK_WIDTH, NETWORK_BITS = 16, 5


def _sets(rng: Rng, n: int) -> Stimulus:
    sets = rng.integers(0, 1 << NETWORK_BITS, (n, NETWORK_WIDTH))
    sets[rng.random(n) < 0.1] |= 1 << NETWORK_BITS - 1  # the smallest of them is large, too
    return Stimulus({"i": sets, "bitonic": sets[:0]})


def _bitonic_sets() -> list[Stimulus]:
    """Sets that rise and then fall, turned round at random."""
    sets: Any = _sets(np.random.default_rng(0), 500).inputs["i"]
    ends = np.random.default_rng(1).integers(0, NETWORK_WIDTH, len(sets))
    shaped = [np.roll(np.concatenate([np.sort(one[:end]), -np.sort(-one[end:])]), end)
              for one, end in zip(sets, ends)]  # fmt: skip
    return [Stimulus({"i": sets[:0], "bitonic": np.array(shaped)})]


STREAM_BENCHES: tuple[Bench, ...] = (
    _fifo(1),
    _fifo(4),
    _fifo(16),
    Bench(
        name="skid-buffer",
        make=lambda: SkidBuffer(shape=WORD),
        random=_words,
        directed=_corner_words,
        bins=FLOW,
    ),
    Bench(
        name="double-buffer",
        make=lambda: DoubleBuffer(shape=signed(12), depth=8),
        random=_packets,
        directed=_directed_packets,
        bins={**FLOW, "both halves full": _held_up("i")},
    ),
    Bench(
        name="bitonic-network",
        make=lambda: BitonicNetwork(width=NETWORK_WIDTH, bits=NETWORK_BITS),
        random=_sets,
        directed=_bitonic_sets,
        bins={"o starved": _starved("o")},
    ),
    Bench(
        name="sorter",
        make=lambda: BitonicSorter(keys=16, key_bits=KEY_BITS, value_bits=8, entries=ENTRIES),
        random=_some_lists,
        directed=_directed_lists,
        bins={
            **FLOW,
            "a list of one item": _has_length(1),
            "a list of a whole block": _has_length(16),
            "a full memory": _has_length(ENTRIES),
        },
    ),
)
