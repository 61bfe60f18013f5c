"""Where an address lies: channel, then bank, row and column by a named mapping.

Channels take turns every ``interleave_bytes``; what is left of the address, the address inside a
channel, is cut into bursts. From the least significant bit up, a mapping splits the burst's number
into *low column* bits, *spread* bits (part of the bank), the remaining *column* bits, the
remaining *bank* bits and the *row*:

======================== =========== ======================= ================================
name                     low columns spread                  good for
======================== =========== ======================= ================================
row-bank-column          all         none                    gathers: neighbouring bursts stay
                                                             in one row of one bank
row-bank-column-group    none        bank group              streams on devices with bank
                                                             groups, where a group alone cannot
                                                             fill the data bus; gathers activate
                                                             a row in every group
row-column-bank          none        bank group and bank     streams; a gather activates a row
                                                             in every bank it touches
row-bank-column-group-2  2 bits      bank group              both: pieces of four bursts stay
                                                             in a row, longer ones use all
                                                             groups
======================== =========== ======================= ================================

In the notation of the DRAM simulators' configurations, from the least significant bit up:
row-bank-column is ``bgco``'s order (column, bank group, bank, row), row-bank-column-group is
``cobg`` (bank group, column, bank, row), and row-column-bank is ``coba`` (bank, column, row) where
there are no groups. :meth:`Mapping.fields` spells any of them out.

Bank numbers have the bank group in their low bits. On devices without bank groups the mappings
named ``group`` equal row-bank-column.
"""

from __future__ import annotations

from dataclasses import dataclass

from archsim.arch.dram import DramDevice
from archsim.base.errors import ConfigError

__all__ = ["MAPPINGS", "Mapping", "map_device"]

MAPPINGS = (
    "row-bank-column",
    "row-bank-column-group",
    "row-column-bank",
    "row-bank-column-group-2",
)


@dataclass(frozen=True)
class Mapping:
    """Bits of a burst's number inside a channel, from the least significant one up."""

    low_column_bits: int
    spread_bits: int
    column_bits: int
    bank_bits: int
    group_bits: int

    @property
    def fields(self) -> tuple[tuple[str, int], ...]:
        """The same as ``(field, bits)``, fields ``col``, ``bg`` and ``ba``; the row is the rest."""
        groups = min(self.group_bits, self.spread_bits)
        parts = (
            ("col", self.low_column_bits),
            ("bg", groups),
            ("ba", self.spread_bits - groups),
            ("col", self.column_bits),
            ("bg", self.group_bits - groups),
            ("ba", self.bank_bits - (self.group_bits - groups)),
        )
        return tuple((name, bits) for name, bits in parts if bits)


def map_device(name: str, device: DramDevice) -> Mapping:
    """Return the mapping ``name`` for ``device``; :class:`ConfigError` lists the known ones."""
    if name not in MAPPINGS:
        raise ConfigError(
            f"there is no DRAM mapping {name!r}", remedy=f"use one of: {', '.join(MAPPINGS)}"
        )
    columns = _bits(int(device.organisation.page_bytes.value) // device.burst_bytes)
    banks = _bits(device.banks)
    groups = _bits(int(device.organisation.bank_groups.value))
    low, spread = {
        "row-bank-column": (columns, 0),
        "row-bank-column-group": (0, groups),
        "row-column-bank": (0, banks),
        "row-bank-column-group-2": (2, groups),
    }[name]
    if not spread:
        low = columns
    return Mapping(low, spread, columns - low, banks - spread, groups)


def _bits(number: int) -> int:
    if number < 1 or number & (number - 1):
        raise ConfigError(f"a DRAM device has {number} banks, groups or bursts per page, which is "
                          "not a power of two")  # fmt: skip
    return number.bit_length() - 1
