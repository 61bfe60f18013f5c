"""A component with its reset from inside."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import ClockDomain, ClockSignal, DomainRenamer, Module, ResetSignal
from amaranth.lib import wiring

__all__ = ["RegisteredReset"]


class RegisteredReset(wiring.Component):
    """A component whose reset comes from a flip-flop, a cycle later than the outer one.

    A reset that is an input drags the next-state logic of all registers into what Verilator
    evaluates whenever an input changes.
    """

    def __init__(self, inner: Any):
        self.inner = inner
        super().__init__(inner.signature)

    def elaborate(self, platform: object) -> Module:
        """Connect the component through."""
        m = Module()
        m.domains.inside = ClockDomain("inside")
        m.submodules.inner = DomainRenamer("inside")(self.inner)
        m.d.comb += ClockSignal("inside").eq(ClockSignal("sync"))
        m.d.sync += ResetSignal("inside").eq(ResetSignal("sync"))
        wiring.connect(m, wiring.flipped(self), self.inner)
        return m
