"""The contract of a stream, stated in the hardware: what is offered stays until it is taken."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Assert, Module, Signal, Value

__all__ = ["assert_stable"]


def assert_stable(m: Module, stream: Any, name: str) -> None:
    """Assert that a stream holds its payload and its valid while it is not taken.

    The same statement fails a simulation and is proved by the formal runs; synthesis drops it
    with the registers that only it reads.
    """
    payload = Value.cast(stream.payload)
    waiting = Signal(name=f"{name}_waiting")
    offered = Signal(len(payload), name=f"{name}_offered", reset_less=True)
    m.d.sync += [waiting.eq(stream.valid & ~stream.ready), offered.eq(payload)]
    with m.If(waiting):
        m.d.comb += [
            Assert(stream.valid, f"{name} withdraws what it offered"),
            Assert(payload == offered, f"{name} changes what it offered"),
        ]
