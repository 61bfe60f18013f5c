"""Traces by formula: streams, copies, gathers and random accesses of one channel."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from archsim.base.errors import InputError

__all__ = ["TRACES", "formula_trace", "random_bits"]

I64 = npt.NDArray[np.int64]

TRACES = (
    "stream_r", "stream_w", "copy_rw", "random_r", "random_w", "gather4_r", "paced50_random_r",
    "paced_random_r",
)  # fmt: skip


def random_bits(seed: int, index: I64, bits: int) -> I64:
    """Return the upper ``bits`` of SplitMix64's output ``index`` for ``seed``."""
    z = np.uint64(seed) + (index.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return (z >> np.uint64(64 - bits)).astype(np.int64)


def formula_trace(
    name: str, line_bits: int, requests: int = 20_000
) -> tuple[I64, I64, npt.NDArray[np.bool_]]:
    """Return arrival cycles, lines and writes of a trace on a channel of ``2**line_bits`` lines.

    ``stream_r`` and ``stream_w`` read and write line after line; ``copy_rw`` alternates reads with
    writes half a channel away; ``random_r`` and ``random_w`` go to single lines, ``gather4_r`` to
    aligned groups of four; the paced ones arrive every 50 and every 200 cycles, all others at once.
    """
    i = np.arange(requests)
    arrival = np.zeros(requests, dtype=np.int64)
    write = np.full(requests, name.endswith("_w"))
    if name in ("stream_r", "stream_w"):
        line = i
    elif name == "copy_rw":
        line, write = i // 2 + (i % 2) * 2 ** (line_bits - 1), i % 2 == 1
    elif name in ("random_r", "random_w"):
        line = random_bits(1, i, line_bits)
    elif name == "gather4_r":
        line = random_bits(3, i // 4, line_bits - 2) * 4 + i % 4
    elif name == "paced50_random_r":
        arrival, line = 50 * i, random_bits(6, i, line_bits)
    elif name == "paced_random_r":
        arrival, line = 200 * i, random_bits(5, i, line_bits)
    else:
        raise InputError(f"there is no trace {name!r}", remedy=f"use one of: {', '.join(TRACES)}")
    return arrival, line, write
