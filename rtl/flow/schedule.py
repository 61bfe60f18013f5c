"""Modulo scheduling: when each operation starts, and on which copy of which unit."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import Any

from archsim.rtl.flow.graph import LATENCY, Graph, Node

__all__ = ["Schedule", "schedule"]


@dataclass(frozen=True)
class Schedule:
    """A pipeline that takes an item every ``interval`` cycles.

    Attributes
    ----------
    start
        Cycle in which an operation reads its arguments, counted from the item's first.
    unit
        Copy of the shared unit that each shared operation runs on.
    units
        Copies of each kind of shared unit.
    end
        Cycle in which the outputs are read into the output register.
    """

    interval: int
    start: dict[Node, int]
    unit: dict[Node, int]
    units: dict[tuple[Any, ...], int]
    end: int

    @property
    def latency(self) -> int:
        """Cycles from the transfer of an item at the input to its transfer at the output."""
        return self.end + 2

    def produced(self, node: Node) -> int:
        """Return the cycle in which a value is first visible or, if not shared, computed."""
        if node.kind == "input":
            return -1
        return self.start[node] + (LATENCY[node.kind] if node.resource else 0)

    def ready(self, node: Node) -> int:
        """Return the first cycle in which a value may be read."""
        if node.kind in ("port", "constant"):
            return 0
        if node.is_wire:
            return self.ready(node.args[0])
        return self.produced(node) + (0 if node.resource else 1)


def schedule(graph: Graph, interval: int) -> Schedule:
    """Place every operation as early as its arguments and the units allow.

    As many units are used as the operations fill: ceil(operations / interval) of each kind.
    Operations with the longest way to the end go first. Of the units that are free, an operation
    gets the one whose other operations are most alike: fewer and shorter wires.
    """
    height: dict[Node, int] = dict.fromkeys(graph.nodes, 0)
    waiting = {node: len(node.args) for node in graph.nodes}
    users: dict[Node, list[Node]] = {node: [] for node in graph.nodes}
    for node in graph.nodes:
        for arg in node.args:
            users[arg].append(node)
    for node in reversed(graph.nodes):
        own = LATENCY[node.kind] if node.resource else int(not (node.is_wire or node.is_source))
        height[node] = own + max((height[u] for u in users[node]), default=0)
    counts: dict[tuple[Any, ...], int] = {}
    for node in graph.nodes:
        if node.resource:
            counts[node.resource] = counts.get(node.resource, 0) + 1
    units = {resource: -(-count // interval) for resource, count in counts.items()}
    bindings = {
        resource: [_Binding(interval) for _ in range(count)] for resource, count in units.items()
    }
    towards = _outputs_reached(graph, users)
    plan = Schedule(interval, {}, {}, units, 0)
    order = {node: number for number, node in enumerate(graph.nodes)}
    heap = [(-height[n], order[n], n) for n in graph.nodes if not n.args]
    heapq.heapify(heap)
    while heap:
        _, _, node = heapq.heappop(heap)
        if not (node.is_source or node.is_wire):
            time = max(plan.ready(arg) for arg in node.args)
            if node.resource:
                time, plan.unit[node] = _slot(node, time, bindings[node.resource], towards[node])
            plan.start[node] = time
        for user in users[node]:
            waiting[user] -= 1
            if waiting[user] == 0:
                heapq.heappush(heap, (-height[user], order[user], user))
    end = max(plan.ready(node) for node in graph.outputs.values())
    return Schedule(interval, plan.start, plan.unit, units, end)


def _outputs_reached(graph: Graph, users: dict[Node, list[Node]]) -> dict[Node, frozenset[str]]:
    reached: dict[Node, set[str]] = {node: set() for node in graph.nodes}
    for name, node in graph.outputs.items():
        reached[node].add(name)
    for node in reversed(graph.nodes):
        reached[node].update(*(reached[user] for user in users[node]))
    return {node: frozenset(names) for node, names in reached.items()}


class _Binding:
    """The operations on one copy of a unit: their turns, arguments and what they lead to."""

    def __init__(self, interval: int):
        self.free = [True] * interval
        self.args: set[Node] = set()
        self.towards: list[frozenset[str]] = []

    def likeness(self, node: Node, towards: frozenset[str]) -> float:
        """Return arguments shared, and outputs shared on the average; an empty unit is between."""
        if not self.towards:
            return 0.5
        alike = [len(towards & other) / len(towards | other) for other in self.towards]
        return sum(alike) / len(alike) + len(self.args.intersection(node.args))


def _slot(
    node: Node, time: int, copies: list[_Binding], towards: frozenset[str]
) -> tuple[int, int]:
    """Take the first free turn of any copy from ``time`` on, of the likest where there are more."""
    interval = len(copies[0].free)
    while True:
        turn = time % interval
        free = [unit for unit, copy in enumerate(copies) if copy.free[turn]]
        if free:
            unit = max(free, key=lambda unit: copies[unit].likeness(node, towards))
            copies[unit].free[turn] = False
            copies[unit].args.update(node.args)
            copies[unit].towards.append(towards)
            return time, unit
        time += 1
