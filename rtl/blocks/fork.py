"""One stream to several: each branch takes a payload when it can."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from amaranth.hdl import Const, Module, Signal, Value

__all__ = ["fork"]


def fork(m: Module, source: Any, branches: Iterable[tuple[Any, Any]]) -> None:
    """Offer a stream's payloads to several streams; each is taken once all who want it have it.

    A branch takes a payload as soon as it can; a register remembers that until the others have it,
    too. So no offer hangs on anybody's ``ready``, none is withdrawn and none is made twice.

    Parameters
    ----------
    source
        The stream that is read; its payload is for the caller to connect.
    branches
        Streams that are fed, each with whether it wants the present payload.
    """
    done: Value = Const(1)
    taken = Signal(name="fork_taken")
    for number, (branch, wanted) in enumerate(branches):
        had = Signal(name=f"fork_had_{number}")
        has = Signal(name=f"fork_has_{number}")
        m.d.comb += [
            branch.valid.eq(source.valid & wanted & ~had),
            has.eq(had | branch.ready | (Value.cast(wanted) == 0)),
        ]
        m.d.sync += had.eq(source.valid & has & ~taken)
        done &= has
    m.d.comb += [taken.eq(done), source.ready.eq(done)]
