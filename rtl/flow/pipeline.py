"""A graph as a pipeline: stream in, stream out, one item every so many cycles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from archsim.rtl.blocks.skid_buffer import SkidBuffer
from archsim.rtl.flow.control import SIMULATION, Control
from archsim.rtl.flow.graph import Graph, Node
from archsim.rtl.flow.schedule import Schedule, schedule
from archsim.rtl.flow.units import build_unit, compute
from archsim.rtl.format import FLOAT

__all__ = ["Pipeline"]

I64 = npt.NDArray[np.int64]

_UNITS_PER_CONTROL = 4  # a few hundred slices, which a register reaches in a cycle
_RING_TURNS = 4  # from here on a memory of one LUT a bit is smaller than the registers


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

    Attributes
    ----------
    halted : Signal
        Another pipeline that shares the work waits with a result: this one stands still, too. Zero
        where none shares it.
    """

    def __init__(self, graph: Graph, *, interval: int):
        if not (isinstance(interval, int) and interval >= 1):
            raise ValueError(f"interval must be a positive integer, not {interval!r}")
        self.graph = graph
        self.interval = interval
        self.plan: Schedule = schedule(graph, interval)
        self.halted = Signal()
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
        live = Signal(turns)  # which of the items in flight are real
        underway = Signal()  # whether any but the last is
        coming = Cat(self.i.valid, live)[:turns]
        ahead, stall = Signal(), Signal()
        alone = platform == SIMULATION
        copies = 1 if alone else -(-sum(plan.units.values()) // _UNITS_PER_CONTROL) or 1
        controls = [
            Control(m, interval, ahead, stall, self.i.valid, alone=alone) for _ in range(copies)
        ]
        here = controls[0].here
        m.d.comb += [
            self.i.ready.eq(here[-1]),
            ahead.eq(self.i.valid | underway),
            out.i.valid.eq(live[turns - 1] & here[plan.end % interval]),
            # a result that waits holds the pipeline up from its second cycle on
            stall.eq((self.o.valid & ~self.o.ready) | self.halted),
        ]
        with m.If(here[-1]):
            m.d.sync += [live.eq(coming), underway.eq(coming[:-1].any())]
        values = _Values(m, controls, plan, self)
        for name, node in self.graph.outputs.items():
            m.d.comb += out.i.payload[name].eq(values.read(node, plan.end))
        values.hold()
        return m


class _Values:
    """Where every value is in every cycle: units, registers and their copies."""

    def __init__(self, m: Module, controls: list[Control], plan: Schedule, pipeline: Pipeline):
        self.m, self.plan, self.pipeline = m, plan, pipeline
        self.direct: dict[Node, Value] = {}
        self.copies: dict[Node, dict[int, Signal]] = {}  # by how many turns ago it was made
        self.places: dict[tuple[Control, int, int], Signal] = {}
        self.control: dict[Node, Control] = {}  # of the registers that hold a value
        self._declare_units(controls)
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
        held = self.copies.setdefault(node, {})
        if number not in held:
            held[number] = Signal(node.shape.shape(), reset_less=True, name="copy")
        return held[number]

    def hold(self) -> None:
        """Fill the registers that were asked for."""
        for node, held in self.copies.items():
            source, before = self.direct[node], -1
            for number in sorted(held):
                self._delay(node, source, number - before, held[number])
                source, before = held[number], number

    def _delay(self, node: Node, source: Value, turns: int, target: Signal) -> None:
        """Drive ``target`` with a value of so many turns ago: by registers, or a memory's ring."""
        m, control = self.m, self.control[node]
        turn = self.plan.produced(node) % self.plan.interval
        when = control.at[turn]
        if turns < _RING_TURNS or control.alone:
            for _ in range(turns - 1):
                copy = Signal.like(target)
                with m.If(when):
                    m.d.sync += copy.eq(source)
                source = copy
            with m.If(when):
                m.d.sync += target.eq(source)
            return
        depth = turns - 1
        place = self.places.get((control, turn, depth))
        if place is None:
            self.places[control, turn, depth] = place = Signal(range(depth), name="place")
            with m.If(when):
                m.d.sync += place.eq(Mux(place == depth - 1, 0, place + 1))
        ring = Memory(shape=unsigned(len(target)), depth=depth, init=[])
        m.submodules += ring
        write, read = ring.write_port(), ring.read_port()
        m.d.comb += [
            write.addr.eq(place), write.en.eq(when), write.data.eq(source),
            read.addr.eq(place), read.en.eq(when), target.eq(read.data),
        ]  # fmt: skip

    def _declare_units(self, controls: list[Control]) -> None:
        """Give every shared unit operand registers that a later step drives, and a control."""
        plan = self.plan
        self.operands: dict[tuple[Any, ...], list[Signal]] = {}
        users: dict[tuple[Any, ...], list[Node]] = {}
        for node, unit in plan.unit.items():
            assert node.resource is not None
            users.setdefault((*node.resource, unit), []).append(node)
        self.users = users
        order = {node: number for number, node in enumerate(self.pipeline.graph.nodes)}
        keys = sorted(users, key=lambda key: sum(order[n] for n in users[key]) / len(users[key]))
        for number, key in enumerate(keys):
            nodes = users[key]
            control = controls[min(number // _UNITS_PER_CONTROL, len(controls) - 1)]
            first = nodes[0]
            operands = [Signal(arg.shape.shape(), reset_less=True) for arg in first.args]
            self.operands[key] = operands
            result = build_unit(
                self.m, control.awake, key[:-1], list(operands), retimed=control.alone
            )
            for node in nodes:
                self.direct[node] = result
                self.control[node] = control
        # other values are held where they are used
        for node in reversed(self.pipeline.graph.nodes):
            control = self.control.setdefault(node, controls[0])
            for arg in node.args:
                self.control.setdefault(arg, control)

    def _connect_units(self) -> None:
        # operations without a unit are read through registers that exist only once asked for
        for node in self.pipeline.graph.nodes:
            if not (node.resource or node.is_source or node.is_wire):
                self.direct[node] = Signal(node.shape.shape())
        for key, nodes in self.users.items():
            control = self.control[nodes[0]]
            phase = control.count(self.m)
            for position, operand in enumerate(self.operands[key]):
                choices = {
                    self.plan.start[n] % self.plan.interval: self.read(
                        n.args[position], self.plan.start[n]
                    )
                    for n in nodes
                }
                with self.m.If(control.awake):
                    self.m.d.sync += operand.eq(_choose(phase, choices))

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
