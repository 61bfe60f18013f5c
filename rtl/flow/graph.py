"""An arithmetic block as a graph of operations, evaluated bit by bit in numpy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from archsim.rtl.format import FLOAT, Float, Q

__all__ = ["BIT", "LATENCY", "SHARED", "Graph", "Node"]

I64 = npt.NDArray[np.int64]
Shape = Q | Float

BIT = Q(1, 0)

#: Operations on units that a pipeline shares among its operations, and the units' latencies.
SHARED = ("multiply", "add", "reciprocal", "inverse_root", "from_fixed", "to_fixed")
LATENCY = {
    "multiply": 3, "add": 6, "reciprocal": 5, "inverse_root": 5, "from_fixed": 3, "to_fixed": 4,
}  # fmt: skip
_WIRES = ("negate", "magnitude")
_SOURCES = ("input", "port", "constant")


@dataclass(frozen=True, eq=False)
class Node:
    """One value: what makes it (``kind``) from which other values, and its format."""

    kind: str
    args: tuple[Node, ...]
    shape: Shape
    name: str = ""
    value: int = 0

    @property
    def is_wire(self) -> bool:
        """Whether it is only another reading of its argument's bits."""
        return self.kind in _WIRES

    @property
    def is_source(self) -> bool:
        """Whether nothing computes it."""
        return self.kind in _SOURCES

    @property
    def resource(self) -> tuple[Any, ...] | None:
        """The kind of shared unit that computes it, or None."""
        if self.kind not in SHARED:
            return None
        if self.kind == "from_fixed":
            return (self.kind, self.args[0].shape)
        return (self.kind, self.shape) if self.kind == "to_fixed" else (self.kind,)


@dataclass
class Graph:
    """Builds an arithmetic block; all floats have the format :data:`archsim.rtl.format.FLOAT`.

    Inputs arrive with every item; ports are held constant from outside while items are in flight.
    """

    inputs: dict[str, Node] = field(default_factory=dict)
    ports: dict[str, Node] = field(default_factory=dict)
    outputs: dict[str, Node] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    _constants: dict[int, Node] = field(default_factory=dict)

    def input(self, name: str, shape: Shape = FLOAT) -> Node:
        """Declare a field of the input stream."""
        self.inputs[name] = self._new("input", (), shape, name)
        return self.inputs[name]

    def port(self, name: str, shape: Shape = FLOAT) -> Node:
        """Declare a constant that a plain port provides."""
        self.ports[name] = self._new("port", (), shape, name)
        return self.ports[name]

    def constant(self, value: float) -> Node:
        """Return a float constant."""
        raw = int(FLOAT.quantize(value))
        if raw not in self._constants:
            self._constants[raw] = self._new("constant", (), FLOAT, value=raw)
        return self._constants[raw]

    def output(self, name: str, value: Node) -> None:
        """Declare a field of the output stream."""
        self.outputs[name] = value

    def multiply(self, a: Node, b: Node) -> Node:
        """Return a * b."""
        return self._new("multiply", (a, b), FLOAT)

    def add(self, *terms: Node) -> Node:
        """Return the sum, added in pairs."""
        level = list(terms)
        while len(level) > 1:
            pairs = [self._new("add", (a, b), FLOAT) for a, b in zip(level[::2], level[1::2])]
            level = pairs + level[len(pairs) * 2 :]
        return level[0]

    def subtract(self, a: Node, b: Node) -> Node:
        """Return a - b."""
        return self.add(a, self.negate(b))

    def dot(self, a: list[Node], b: list[Node]) -> Node:
        """Return the inner product."""
        return self.add(*(self.multiply(x, y) for x, y in zip(a, b, strict=True)))

    def square(self, a: Node) -> Node:
        """Return a * a."""
        return self.multiply(a, a)

    def reciprocal(self, a: Node) -> Node:
        """Return 1 / a."""
        return self._new("reciprocal", (a,), FLOAT)

    def inverse_root(self, a: Node) -> Node:
        """Return 1 / sqrt(|a|)."""
        return self._new("inverse_root", (a,), FLOAT)

    def from_fixed(self, a: Node) -> Node:
        """Return a fixed-point value as float."""
        return self._new("from_fixed", (a,), FLOAT)

    def to_fixed(self, a: Node, q: Q) -> Node:
        """Return a float as fixed point, saturating."""
        return self._new("to_fixed", (a,), q)

    def negate(self, a: Node) -> Node:
        """Return -a."""
        return self._new("negate", (a,), FLOAT)

    def magnitude(self, a: Node) -> Node:
        """Return the absolute value."""
        return self._new("magnitude", (a,), FLOAT)

    def scale(self, a: Node, power: int) -> Node:
        """Return a * 2**power."""
        return self._new("scale", (a,), FLOAT, value=power)

    def less(self, a: Node, b: Node) -> Node:
        """Return the bit a < b."""
        return self._new("less", (a, b), BIT)

    def maximum(self, a: Node, b: Node) -> Node:
        """Return the larger value."""
        return self._new("maximum", (a, b), FLOAT)

    def minimum(self, a: Node, b: Node) -> Node:
        """Return the smaller value."""
        return self._new("minimum", (a, b), FLOAT)

    def first_positive(self, a: Node, b: Node) -> Node:
        """Return a if it is positive, else b if that is, else zero: signs only, no comparison."""
        return self._new("first_positive", (a, b), FLOAT)

    def both(self, a: Node, b: Node) -> Node:
        """Return the conjunction of two bits."""
        return self._new("both", (a, b), BIT)

    def either(self, a: Node, b: Node) -> Node:
        """Return the disjunction of two bits."""
        return self._new("either", (a, b), BIT)

    def evaluate(
        self, inputs: Mapping[str, I64], ports: Mapping[str, int], *, cut: int = 0
    ) -> dict[str, I64]:
        """Return the outputs of n items, bit for bit what the hardware gives.

        ``cut`` clears so many last fraction bits of every float, to study narrower formats.
        """
        (count,) = {np.shape(inputs[name])[0] for name in self.inputs}
        value: dict[Node, I64] = {}
        for node in self.nodes:
            args = [value[a] for a in node.args]
            if node.kind == "input":
                result = np.asarray(inputs[node.name], np.int64)
            elif node.kind in ("port", "constant"):
                raw = ports[node.name] if node.kind == "port" else node.value
                result = np.full(count, raw, np.int64)
            elif node.kind == "scale":
                result = FLOAT.scale(args[0], node.value)
            elif node.kind == "from_fixed":
                shape = node.args[0].shape
                assert isinstance(shape, Q)
                result = FLOAT.from_fixed(args[0], shape)
            elif node.kind == "to_fixed":
                assert isinstance(node.shape, Q)
                result = FLOAT.to_fixed(args[0], node.shape)
            elif node.kind in ("both", "either"):
                result = args[0] & args[1] if node.kind == "both" else args[0] | args[1]
            else:
                result = getattr(FLOAT, node.kind)(*args)
            if cut and isinstance(node.shape, Float):
                result = result >> cut << cut
            value[node] = result
        return {name: value[node] for name, node in self.outputs.items()}

    def _new(
        self, kind: str, args: tuple[Node, ...], shape: Shape, name: str = "", value: int = 0
    ) -> Node:
        node = Node(kind, args, shape, name, value)
        self.nodes.append(node)
        return node
