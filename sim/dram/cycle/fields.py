"""Where a line lies in a channel: its bits cut into fields."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from archsim.arch.dram.standards import DramClocks
from archsim.base.errors import ConfigError

__all__ = ["FIELDS", "Fields", "encode", "locate"]

I64 = npt.NDArray[np.int64]

#: (field, bits) from the least significant bit up
Fields = Sequence[tuple[str, int]]
#: pseudo-channel or rank, bank group, bank in its group, row, column
FIELDS = ("pc", "bg", "ba", "row", "col")


def locate(line: I64, fields: Fields, device: DramClocks) -> tuple[I64, I64]:
    """Return the bank of each line, counted over ranks and groups, and its row.

    :class:`ConfigError` where the fields do not cover the device.
    """
    needed = {
        "pc": device.ranks,
        "bg": device.bank_groups,
        "ba": device.banks_per_group,
        "col": device.columns,
    }
    for name, count in needed.items():
        bits = sum(b for f, b in fields if f == name)
        if 1 << bits != count:
            raise ConfigError(
                f"the mapping gives {bits} bits to {name}, of which the {device.standard} device "
                f"has {count}",
                remedy="give each field as many bits as the device has of it",
            )
    value = {name: np.zeros_like(line) for name in FIELDS}
    taken = dict.fromkeys(FIELDS, 0)
    rest = line
    for name, bits in fields:
        if name not in value:
            raise ConfigError(
                f"there is no address field {name!r}", remedy=f"use {', '.join(FIELDS)}"
            )
        value[name] |= (rest & ((1 << bits) - 1)) << taken[name]
        taken[name] += bits
        rest = rest >> bits
    value["row"] |= rest << taken["row"]
    group = value["pc"] * device.bank_groups + value["bg"]
    return group * device.banks_per_group + value["ba"], value["row"]


def encode(place: dict[str, int], fields: Fields) -> int:
    """Return the line of a place, given by field."""
    line, shift, left = 0, 0, dict(place)
    for name, bits in fields:
        value = left.get(name, 0)
        line |= (value & ((1 << bits) - 1)) << shift
        left[name] = value >> bits
        shift += bits
    return line
