"""The machine: slices side by side, each with tiles, memories and pixels of its own."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from archsim.rtl.blocks.slice import COUNTERS, MONITORED, Slice, frame_ports
from archsim.rtl.parameters import Parameters

__all__ = ["LOADS", "Machine", "make_machine"]

#: Streams that fill the tables, of all slices alike.
LOADS = ("load_cells", "load_voxels", "load_codebooks")
_OWN = ("tiles", "samples", "coarse_request", "coarse_response", "fine_request", "fine_response",
        "pixels")  # fmt: skip


def make_machine(parameters: Parameters) -> wiring.Component:
    """Return the top: a slice where there is one, else a :class:`Machine`."""
    return Slice(parameters) if parameters.slices == 1 else Machine(parameters)


class Machine(wiring.Component):
    """All slices of a size.

    Members are those of :class:`archsim.rtl.blocks.slice.Slice`: tables and constants once, all
    other streams and counters once per slice, with ``_0``, ``_1``, ... behind the name.
    """

    def __init__(self, parameters: Parameters):
        self.slices = [Slice(parameters) for _ in range(parameters.slices)]
        self.resting = [f"slice_{number}.{block}" for number in range(parameters.slices)
                        for block in Slice.resting]  # fmt: skip
        self.constants = [*frame_ports(parameters), "load_words"]
        self.counters = [f"{m}_{s}" for m in MONITORED for s in ("moved", "stalled", "starved")]
        self.counters += list(COUNTERS)
        members = self.slices[0].signature.members
        shared = {name: members[name] for name in (*LOADS, *self.constants)}
        own = {
            f"{name}_{number}": members[name]
            for number in range(parameters.slices)
            for name in (*_OWN, *self.counters)
        }
        super().__init__({**shared, **own})

    def elaborate(self, platform: Any) -> Module:
        """Give the tables to all slices, and every slice its own streams."""
        m = Module()
        for number, one in enumerate(self.slices):
            m.submodules[f"slice_{number}"] = one
            for name in self.constants:
                m.d.comb += getattr(one, name).eq(getattr(self, name))
            for name in LOADS:
                outer, inner = getattr(self, name), getattr(one, name)
                m.d.comb += [inner.valid.eq(outer.valid), inner.payload.eq(outer.payload)]
                m.d.comb += outer.ready.eq(1)  # a slice takes a word of a table in every cycle
            for name in _OWN:
                outer, inner = getattr(self, f"{name}_{number}"), getattr(one, name)
                if one.signature.members[name].flow == Out:
                    wiring.connect(m, inner, wiring.flipped(outer))
                else:
                    wiring.connect(m, wiring.flipped(outer), inner)
            for name in self.counters:
                m.d.comb += getattr(self, f"{name}_{number}").eq(getattr(one, name))
        return m
