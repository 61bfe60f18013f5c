from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import strategies as st

from archsim.sim.program import Edge, MemoryRuns, Program, ProgramBuilder

BURST = 8


@dataclass
class CountingDram:
    """A DRAM whose service time depends on nothing but the order of service: 0, 1, 2, 3, 0, ..."""

    served: int = 0
    log: list[tuple[int, bool]] = field(default_factory=list)
    burst_bytes: int = BURST
    channels: int = 1
    peak_bytes_per_s: float = float("inf")

    @property
    def served_bytes(self) -> int:
        return self.served * BURST

    def serve(self, now_ps: int, address, size, write: bool) -> int:
        assert (address >= 0).all()
        self.served += int(size.sum()) // BURST
        self.log.append((now_ps, write))
        return now_ps + (len(self.log) - 1) % 4

    def counts(self, elapsed_ps: int) -> dict[str, int]:
        return {"read_bursts": self.served, "write_bursts": 0}


@st.composite
def _programs(draw: st.DrawFn, acyclic_ids: bool = False) -> Program:
    """Draw a small program: durations 0..3, ids out of topological order, rooms, any servers."""
    builder = ProgramBuilder()
    units = [
        builder.unit(
            f"u{i}", servers=draw(st.integers(1, 3)), in_order=draw(st.booleans()), dram=dram
        )
        for i, dram in enumerate([*[False] * draw(st.integers(1, 3)), True])
    ]
    rooms = [builder.room(f"r{i}", draw(st.integers(1, 4)), "items") for i in range(2)]
    n = draw(st.integers(1, 12))
    for _ in range(n):
        unit = draw(st.sampled_from(units))
        if unit == units[-1]:
            runs = MemoryRuns(np.array([0, 1]), np.array([0]), np.array([BURST]))
            builder.memory(unit, "fetch", "data", runs, write=draw(st.booleans()))
        else:
            builder.compute(unit, f"work{unit}", draw(st.integers(0, 3)))
    # edges lead forwards in a hidden order of the tasks, not in the order of their ids
    hidden = list(range(n)) if acyclic_ids else draw(st.permutations(range(n)))
    pairs = st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)).filter(lambda p: p[0] < p[1])
    kinds = st.sampled_from(list(Edge))
    if n > 1:
        for (before, after), kind in draw(st.lists(st.tuples(pairs, kinds), max_size=14)):
            builder.edge(hidden[before], hidden[after], kind)
    capacity = [room.capacity for room in builder._rooms]
    for task in draw(st.lists(st.integers(0, n - 1), max_size=6, unique=True)):
        room = draw(st.sampled_from(rooms))
        last = draw(st.integers(task, n - 1))
        if last != task:
            builder.edge(hidden[task], hidden[last], Edge.DATA)
        amount = draw(st.integers(1, capacity[room]))
        builder.claim(np.array(hidden[task]), room, amount, hidden[last])
    return builder.build()


@pytest.fixture(scope="session")
def programs():
    return _programs


@pytest.fixture(scope="session")
def counting_dram():
    return CountingDram
