"""Codebook decoder: a fine record's indices become parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from archsim.rtl.arithmetic.falloff import OPACITY
from archsim.rtl.arithmetic.fine import harmonics_terms
from archsim.rtl.format import FLOAT

__all__ = ["RECORD_BITS", "TABLES", "CodebookDecoder", "record_layout", "table_widths"]

#: Codebooks in the order of their numbers at the load port.
TABLES = ("scale", "rotation", "base", "harmonics")
RECORD_BITS = 64


def table_widths(degree: int) -> dict[str, int]:
    """Return the floats of a word of each codebook."""
    return {"scale": 3, "rotation": 4, "base": 3, "harmonics": 3 * harmonics_terms(degree)}


def record_layout(entries: Mapping[str, int]) -> data.StructLayout:
    """Return the layout of a fine record: an index into each codebook and the opacity."""
    fields: dict[str, Any] = {name: range(entries[name]) for name in TABLES}
    fields["opacity"] = OPACITY.width
    used = sum(unsigned(8).width if n == "opacity" else (entries[n] - 1).bit_length()
               for n in fields)  # fmt: skip
    return data.StructLayout({**fields, "spare": RECORD_BITS - used})


class CodebookDecoder(wiring.Component):
    """Looks up the codebooks of a record, all at once, one record per cycle.

    Parameters
    ----------
    entries
        Words of each codebook, by name.
    degree
        Degree of the spherical harmonics.

    Members
    -------
    load : stream
        Writes float ``lane`` of word ``entry`` of codebook ``table``.
    i : stream
        Records.
    o : stream
        ``scale_0..``, ``rotation_0..``, ``base_0..``, ``harmonics_0..`` and ``opacity``.
    """

    def __init__(self, *, entries: Mapping[str, int], degree: int):
        for name in TABLES:
            if not 2 <= entries[name] <= 4096:
                raise ValueError(f"a codebook has 2 to 4096 words, not {entries[name]!r} ({name})")
        self.entries, self.degree = dict(entries), degree
        self.names = {
            table: [f"{table}_{k}" for k in range(count)]
            for table, count in table_widths(degree).items()
        }
        fields: dict[str, Any] = {n: FLOAT.width for names in self.names.values() for n in names}
        load = data.StructLayout({"table": 2, "entry": 12, "lane": 6, "value": FLOAT.width})
        super().__init__(
            {
                "load": In(stream.Signature(load)),
                "i": In(stream.Signature(record_layout(entries))),
                "o": Out(stream.Signature(data.StructLayout({**fields, "opacity": 8}))),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from a record to its parameters."""
        return 1

    def model(
        self, load: Mapping[str, npt.NDArray[np.int64]], i: Mapping[str, npt.NDArray[np.int64]]
    ) -> dict[str, Any]:
        """Return the parameters of records after a whole load."""
        result = {"opacity": np.asarray(i["opacity"], np.int64)}
        for number, (table, names) in enumerate(self.names.items()):
            words = np.zeros((len(names), self.entries[table]), np.int64)
            own = load["table"] == number
            words[load["lane"][own], load["entry"][own]] = load["value"][own]
            for lane, name in enumerate(names):
                result[name] = words[lane][i[table]]
        return {"o": result}

    def elaborate(self, platform: Any) -> Module:
        """Build one memory per float of a word."""
        m = Module()
        m.d.comb += self.load.ready.eq(1)
        taken = self.load.payload
        # one for each table: the enable of all is too far from some on an FPGA. Each follows from
        # its own state, so that no tool finds it to be the same as another and merges them
        valid = {table: Signal(name=f"valid_{table}") for table in self.names}
        for number, (table, names) in enumerate(self.names.items()):
            go = ~valid[table] | self.o.ready
            with m.If(go):
                m.d.sync += valid[table].eq(self.i.valid)
            if number == 0:
                m.d.comb += [self.i.ready.eq(go), self.o.valid.eq(valid[table])]
                with m.If(go & self.i.valid):
                    m.d.sync += self.o.payload.opacity.eq(self.i.payload.opacity)
            for lane, name in enumerate(names):
                memory = Memory(shape=unsigned(FLOAT.width), depth=self.entries[table], init=[])
                m.submodules[name] = memory
                write, read = memory.write_port(), memory.read_port()
                m.d.comb += [
                    write.addr.eq(taken.entry),
                    write.data.eq(taken.value),
                    write.en.eq(self.load.valid & (taken.table == number) & (taken.lane == lane)),
                    read.addr.eq(self.i.payload[table]),
                    read.en.eq(go & self.i.valid),
                    self.o.payload[name].eq(read.data),
                ]
        return m
