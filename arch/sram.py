"""SRAM: energy of an access, leakage and area, by capacity, word, node and cell type.

CACTI 7's figures at 256-bit words (``tables/sram-cacti7.yaml``) are interpolated in log size and,
between the nodes a cell is tabulated at, in log node; other nodes by :mod:`archsim.arch.scaling`.
CACTI's search over discrete organisations makes neighbouring sizes jump by up to 1.6 times, which
an interpolation cannot follow: its error over the whole sweep is stated by the tests.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
import numpy.typing as npt

from archsim.arch.machine import Buffer
from archsim.arch.scaling import area_factor, energy_factor
from archsim.arch.sourced import Part, Sourced
from archsim.arch.tables import read_table
from archsim.base.errors import ConfigError
from archsim.base.interval import Interval

__all__ = [
    "CAPACITY_BYTES",
    "WORD_BITS",
    "BufferCost",
    "Sram",
    "SramTable",
    "buffer_cost",
    "off_table",
    "port_cycles",
    "sram",
    "sram_table",
]

#: What the model may be asked: the table spans 4 KiB to 2 MiB and goes on with its end slopes
#: (checked against CACTI from 1 KiB to 4 MiB and from 64 to 512 bits).
CAPACITY_BYTES = (512, 8 << 20)
WORD_BITS = (16, 1024)
_READ, _WRITE, _LEAKAGE, _AREA = range(4)


class SramTable(Part):
    """The figures of ``tables/sram-cacti7.yaml``."""

    source: str
    word_bits: int
    cells: dict[str, dict[float, dict[int, tuple[float, float, float, float]]]]
    accuracy: Sourced
    read_width_share: Sourced
    write_width_share: Sourced
    leakage_off_node: Sourced


@dataclass(frozen=True)
class Sram:
    """What one memory costs.

    Attributes
    ----------
    read_pj, write_pj
        Energy of one access of a word.
    leakage_mw, area_mm2
        Of the whole memory.
    """

    read_pj: Interval
    write_pj: Interval
    leakage_mw: Interval
    area_mm2: Interval


@dataclass(frozen=True)
class BufferCost:
    """What a buffer costs: energy per byte moved, leakage and area of all its banks."""

    read_pj_per_byte: Interval
    write_pj_per_byte: Interval
    leakage_mw: Interval
    area_mm2: Interval


@cache
def sram_table() -> SramTable:
    """Return CACTI's figures and what is multiplied onto them."""
    return read_table("sram-cacti7", SramTable)


@lru_cache(maxsize=4096)  # energy, area and leakage of every frame ask for the same few
def sram(capacity_bytes: float, word_bits: float, node_nm: float, cell: str) -> Sram:
    """Return the cost of one single-ported memory.

    Raises :class:`ConfigError` for capacities and words outside :data:`CAPACITY_BYTES` and
    :data:`WORD_BITS`, an unknown cell, and a node that no scaling method covers.
    """
    table = sram_table()
    _check(capacity_bytes, CAPACITY_BYTES, "capacity", "bytes")
    _check(word_bits, WORD_BITS, "word", "bits")
    if cell not in table.cells:
        raise ConfigError(f"no SRAM cell {cell!r}", remedy=f"use one of: {', '.join(table.cells)}")
    nearest = off_table(node_nm, cell) or node_nm
    figures = [_at(table, cell, nearest, capacity_bytes, column) for column in range(4)]
    accuracy = table.accuracy.interval
    width = word_bits / table.word_bits
    energy = energy_factor(nearest, node_nm) * accuracy
    off_node = Interval.exact(1.0) if nearest == node_nm else table.leakage_off_node.interval
    return Sram(
        read_pj=energy * figures[_READ] * _width_factor(table.read_width_share, width),
        write_pj=energy * figures[_WRITE] * _width_factor(table.write_width_share, width),
        leakage_mw=accuracy * figures[_LEAKAGE] * off_node,
        area_mm2=accuracy * figures[_AREA] * area_factor(nearest, node_nm),
    )


def off_table(node_nm: float, cell: str) -> float | None:
    """Return the node that figures are scaled from, ``None`` where the table spans the node."""
    nodes = sram_table().cells[cell]
    nearest = min(max(node_nm, min(nodes)), max(nodes))
    return None if nearest == node_nm else nearest


def buffer_cost(buffer: Buffer, node_nm: float, cell: str) -> BufferCost:
    """Return the cost of a buffer: as many memories as it has banks, twice that when double.

    They share its capacity. The range spans the ranges of capacity, banks and word; where a range
    of capacity over banks leaves the model, the smallest or largest memory of the model stands.
    """
    capacity, bits_per_word = buffer.capacity_bytes, buffer.word_bits
    copies = 2 if buffer.double else 1
    corners: list[tuple[Sram, float, float]] = []
    for bytes_ in dict.fromkeys((capacity.value, capacity.low, capacity.high)):
        for banks in dict.fromkeys((buffer.banks.value, buffer.banks.low, buffer.banks.high)):
            for bits in dict.fromkeys((bits_per_word.value, bits_per_word.low, bits_per_word.high)):
                arrays = copies * banks
                size = bytes_ / arrays
                if corners:  # the value itself must be covered
                    size = min(max(size, CAPACITY_BYTES[0]), CAPACITY_BYTES[1])
                corners.append((sram(size, bits, node_nm, cell), bits / 8, arrays))
    return BufferCost(
        read_pj_per_byte=_union([one.read_pj * (1 / word) for one, word, _ in corners]),
        write_pj_per_byte=_union([one.write_pj * (1 / word) for one, word, _ in corners]),
        leakage_mw=_union([one.leakage_mw * arrays for one, _, arrays in corners]),
        area_mm2=_union([one.area_mm2 * arrays for one, _, arrays in corners]),
    )


def port_cycles(
    buffer: Buffer, read_bytes: npt.ArrayLike, write_bytes: npt.ArrayLike
) -> npt.NDArray[np.float64]:
    """Return the cycles that a buffer's ports take at least to move so many bytes.

    A double buffer is written in one half while the other is read; the ports of a single one serve
    both.
    """
    read, write = np.asarray(read_bytes, np.float64), np.asarray(write_bytes, np.float64)
    moved = np.maximum(read, write) if buffer.double else read + write
    return np.asarray(moved * 8 / (buffer.word_bits.value * buffer.banks.value))


def _union(corners: list[Interval]) -> Interval:
    """Return the first interval's value with the range of all."""
    return Interval(corners[0].value, min(c.low for c in corners), max(c.high for c in corners))


def _check(value: float, span: tuple[int, int], what: str, unit: str) -> None:
    if not span[0] <= value <= span[1]:
        raise ConfigError(
            f"an SRAM with a {what} of {value:g} {unit} is outside the model's "
            f"{span[0]} to {span[1]} {unit}",
            remedy="split it into banks, or describe it as part of a unit (registers)",
        )


def _at(table: SramTable, cell: str, node_nm: float, capacity: float, column: int) -> float:
    """Return one figure, interpolated in log node between tabulated nodes."""
    by_node = table.cells[cell]
    nodes = sorted(by_node)
    logs = [math.log(_by_size(by_node[node], capacity, column)) for node in nodes]
    return math.exp(float(np.interp(math.log(node_nm), [math.log(n) for n in nodes], logs)))


def _by_size(
    rows: dict[int, tuple[float, float, float, float]], capacity: float, column: int
) -> float:
    """Return one figure by capacity, log-log linear; beyond the table by its end slopes."""
    kib = sorted(rows)
    size = [math.log(k * 1024) for k in kib]
    values = [math.log(rows[k][column]) for k in kib]
    at = math.log(capacity)
    upper = min(max(int(np.searchsorted(size, at)), 1), len(size) - 1)
    share = (at - size[upper - 1]) / (size[upper] - size[upper - 1])
    return math.exp(values[upper - 1] + share * (values[upper] - values[upper - 1]))


def _width_factor(share: Sourced, width: float) -> Interval:
    """Return the energy at ``width`` table words: the share grows with the word, the rest stays."""
    factors = [s * width + 1 - s for s in (share.value, share.low, share.high)]
    return Interval(factors[0], min(factors), max(factors))
