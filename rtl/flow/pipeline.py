"""A graph as a pipeline: stream in, stream out, one item every so many cycles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from archsim.rtl.blocks.skid_buffer import SkidBuffer
from archsim.rtl.flow.graph import Graph, Node
from archsim.rtl.flow.schedule import Schedule, schedule
from archsim.rtl.flow.units import build_unit, compute
from archsim.rtl.format import FLOAT

__all__ = ["Pipeline"]

I64 = npt.NDArray[np.int64]


class Pipeline(wiring.Component):
    """A graph in hardware, with its operations dealt to as few units as the interval allows.

    Items advance in step and leave through a skid buffer: while a result waits, everything waits, a
    cycle later. An item that arrives when the pipeline is empty is taken at once, another in the
    first cycle of the next turn. No register's enable depends on an input of the same cycle but
    those that take the item.

    Parameters
    ----------
    graph
        What is computed.
    interval
        Cycles between two items (the initiation interval).

    Members
    -------
    i, o : stream
        Fields as the graph's inputs and outputs.
    one plain input for each of the graph's ports
    """

    def __init__(self, graph: Graph, *, interval: int):
        if not (isinstance(interval, int) and interval >= 1):
            raise ValueError(f"interval must be a positive integer, not {interval!r}")
        self.graph = graph
        self.interval = interval
        self.plan: Schedule = schedule(graph, interval)
        fields = data.StructLayout(
            {name: node.shape.shape() for name, node in graph.inputs.items()}
        )
        results = data.StructLayout(
            {name: node.shape.shape() for name, node in graph.outputs.items()}
        )
        super().__init__(
            {
                "i": In(stream.Signature(fields)),
                "o": Out(stream.Signature(results)),
                **{name: In(node.shape.shape()) for name, node in graph.ports.items()},
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from the transfer of an item at ``i`` to its transfer at ``o``, without stalls."""
        return self.plan.latency

    def model(self, columns: Mapping[str, I64], ports: Mapping[str, int] = {}) -> dict[str, I64]:
        """Return the output columns of n items."""
        return self.graph.evaluate(columns, ports)

    def elaborate(self, platform: Any) -> Module:
        """Build the pipeline."""
        m = Module()
        interval, plan = self.interval, self.plan
        turns = plan.end // interval + 1
        m.submodules.out = out = SkidBuffer(shape=self.o.payload.shape())
        wiring.connect(m, out.o, wiring.flipped(self.o))
        turn = Signal(interval, init=1 << (interval - 1))  # one-hot; the same as a number:
        phase = Signal(range(interval), init=interval - 1)
        live, busy = Signal(turns), Signal()  # which of the items in flight are real; any
        leave, waited = Signal(), Signal()
        go, take = Signal(), Signal()
        awake = Signal()  # by this name a simulator may stop the units' clock (tools/gated_clocks)
        m.d.comb += [
            leave.eq(live[turns - 1] & turn[plan.end % interval]),
            go.eq(~waited),
            self.i.ready.eq(go & turn[-1]),
            take.eq(self.i.ready & self.i.valid),
            # an empty pipeline rests in its last phase: less power, less work for a simulator
            awake.eq(go & busy),
            out.i.valid.eq(leave & go),
        ]
        # a result that waits holds the pipeline up from its second cycle on, and so puts pipelines
        # that take turns back into step
        m.d.sync += waited.eq(self.o.valid & ~self.o.ready)
        ahead = take | live[:-1].any()
        with m.If(go & turn[-1]):
            m.d.sync += [live.eq(Cat(take, live)[:turns]), busy.eq(ahead)]
        with m.If(go & (~turn[-1] | ahead)):
            m.d.sync += [turn.eq(turn.rotate_left(1)), phase.eq(Mux(turn[-1], 0, phase + 1))]
        at = [Signal(name=f"at{k}") for k in range(interval)]
        for k, here in enumerate(at):
            wakes = busy | self.i.valid if k == interval - 1 else Const(1)
            m.d.comb += here.eq(turn[k] & go & wakes)
        values = _Values(m, awake, at, phase, plan, self)
        for name, node in self.graph.outputs.items():
            m.d.comb += out.i.payload[name].eq(values.read(node, plan.end))
        return m


class _Values:
    """Where every value is in every cycle: units, registers and their copies."""

    def __init__(self, m: Module, go: Signal, at: list[Signal], phase: Signal, plan: Schedule,
                 pipeline: Pipeline):  # fmt: skip
        self.m, self.go, self.at, self.phase = m, go, at, phase
        self.plan, self.pipeline = plan, pipeline
        self.direct: dict[Node, Value] = {}
        self.copies: dict[Node, list[Signal]] = {}
        self._declare_units()
        for node in pipeline.graph.nodes:
            if node.kind == "input":
                self.direct[node] = pipeline.i.payload[node.name]
        self._connect_units()
        self._compute_rest()

    def read(self, node: Node, time: int) -> Value:
        """Return a value as it can be read in cycle ``time`` of its item."""
        if node.kind == "port":
            return getattr(self.pipeline, node.name)
        if node.kind == "constant":
            return Const(node.value, FLOAT.width)
        if node.kind == "negate":
            base = Value.cast(self.read(node.args[0], time))
            return Cat(base[:-1], ~base[-1])
        if node.kind == "magnitude":
            return Cat(Value.cast(self.read(node.args[0], time))[:-1], Const(0, 1))
        made = self.plan.produced(node)
        if node.resource and time == made:
            return self.direct[node]
        return self._copy(node, (time - made - 1) // self.plan.interval)

    def _copy(self, node: Node, number: int) -> Signal:
        """Return the register that holds a value ``number`` turns after it was made."""
        held = self.copies.setdefault(node, [])
        when = self.at[self.plan.produced(node) % self.plan.interval]
        while len(held) <= number:
            copy = Signal(node.shape.shape(), reset_less=True)
            with self.m.If(when):
                self.m.d.sync += copy.eq(held[-1] if held else self.direct[node])
            held.append(copy)
        return held[number]

    def _declare_units(self) -> None:
        """Give every shared unit operand registers that a later step drives."""
        plan = self.plan
        self.operands: dict[tuple[Any, ...], list[Signal]] = {}
        users: dict[tuple[Any, ...], list[Node]] = {}
        for node, unit in plan.unit.items():
            assert node.resource is not None
            users.setdefault((*node.resource, unit), []).append(node)
        self.users = users
        for key, nodes in users.items():
            first = nodes[0]
            operands = [Signal(arg.shape.shape(), reset_less=True) for arg in first.args]
            self.operands[key] = operands
            result = build_unit(self.m, self.go, key[:-1], list(operands))
            for node in nodes:
                self.direct[node] = result

    def _connect_units(self) -> None:
        # operations without a unit are read through registers that exist only once asked for
        for node in self.pipeline.graph.nodes:
            if not (node.resource or node.is_source or node.is_wire):
                self.direct[node] = Signal(node.shape.shape())
        for key, nodes in self.users.items():
            for position, operand in enumerate(self.operands[key]):
                choices = {
                    self.plan.start[n] % self.plan.interval: self.read(
                        n.args[position], self.plan.start[n]
                    )
                    for n in nodes
                }
                with self.m.If(self.go):
                    self.m.d.sync += operand.eq(_choose(self.phase, choices))

    def _compute_rest(self) -> None:
        for node in self.pipeline.graph.nodes:
            if node.resource or node.is_source or node.is_wire:
                continue
            start = self.plan.start[node]
            args = [Value.cast(self.read(arg, start)) for arg in node.args]
            target = self.direct[node]
            assert isinstance(target, Signal)
            self.m.d.comb += target.eq(compute(node.kind, args, node.value))


def _choose(phase: Value, choices: dict[int, Value]) -> Value:
    """Return the choice of the present phase, any in phases that have none.

    A tree over the phase's bits is what an FPGA's wide multiplexers do, and the form that a
    simulator evaluates fastest.
    """
    if len(choices) == 1:
        return next(iter(choices.values()))
    half = 1 << (len(phase) - 1)
    low = {turn: value for turn, value in choices.items() if turn < half}
    high = {turn - half: value for turn, value in choices.items() if turn >= half}
    if not low or not high:
        return _choose(phase[:-1], low or high)
    return Mux(phase[-1], _choose(phase[:-1], high), _choose(phase[:-1], low))
