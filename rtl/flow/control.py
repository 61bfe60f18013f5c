"""Which turn of its interval a pipeline is in, and so which of its registers load."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value

__all__ = ["SIMULATION", "Control"]

#: Platform of hardware that is only simulated: no wire is long there, and a copy only costs time.
SIMULATION = "simulation"


class Control:
    """One of several copies of a pipeline's control, in step for ever, each with its registers.

    A single one would drive thousands of registers all over an FPGA. Each copy follows from its own
    state, so that no tool finds it to be the same as another and merges them; and what it drives
    comes from flip-flops, computed a cycle ahead.

    Parameters
    ----------
    interval
        Turns.
    ahead
        In the last turn: an item is in flight or there to be taken. If not, the pipeline rests in
        this turn: less power, less work for a simulator.
    stall
        The next cycle is none of the pipeline's: everything stays as it is.
    offered
        An item is there to be taken.
    alone
        There are no other copies, and one counter serves all: a simulation.

    Attributes
    ----------
    turn
        One-hot.
    here
        The same; zero in a stalled cycle.
    awake
        Units advance. By this name a simulator may stop their clock (tools/gated_clocks).
    at
        By turn: registers load what is made in it.
    """

    def __init__(self, m: Module, interval: int, ahead: Value, stall: Value, offered: Value,
                 *, alone: bool):  # fmt: skip
        self.alone = alone
        self._phase: Signal | None = None
        first = 1 << (interval - 1)
        self.turn = Signal(interval, init=first, name="turn")
        self.here = Signal(interval, init=first, name="here")
        # kept: it is also the enable of memories, and a net has one name in what Yosys writes
        self.awake = Signal(name="awake", attrs={"keep": 1})
        busy, busy_next = Signal(name="busy"), Signal(name="busy_next")
        following = Signal(interval, name="following")
        last = self.here[-1]
        m.d.comb += [
            following.eq(Mux(self.here.any(), self.turn.rotate_left(1), self.turn)),
            busy_next.eq(Mux(last, ahead, busy)),
        ]
        with m.If(last & ~ahead):
            m.d.comb += following.eq(self.turn)
        m.d.sync += [
            self.turn.eq(following),
            self.here.eq(Mux(stall, 0, following)),
            busy.eq(busy_next),
            self.awake.eq(busy_next & ~stall),
        ]
        self.at: list[Value] = [*self.here[:-1], last & (busy | offered)]

    def count(self, m: Module) -> Signal:
        """Return the turn as a number, right while ``awake``; a counter of each caller's own."""
        if self.alone and self._phase is not None:
            return self._phase
        self._phase = phase = Signal(range(len(self.turn)), name="phase")
        with m.If(self.here[-1]):
            m.d.sync += phase.eq(0)
        with m.Elif(self.awake):
            m.d.sync += phase.eq(phase + 1)
        return phase
