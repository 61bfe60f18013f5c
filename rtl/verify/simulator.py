"""Benches in Amaranth's own simulator: nothing is built, so that small blocks take a second."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import ClockDomain, Module, Value
from amaranth.sim import Simulator

from archsim.rtl.verify.bench import Bench, Stimulus
from archsim.rtl.verify.drivers import Block
from archsim.rtl.verify.jobs import job_of

__all__ = ["run_in_simulator"]

_PERIOD_S = 1e-8


def run_in_simulator(bench: Bench, stimulus: Stimulus, *, seed: int = 0) -> int:
    """Stall a block at random, reset it in mid-stream, and let it finish; return the cycles.

    Raises ``AssertionError`` for a wrong beat, a broken contract or a hang.
    """
    component = bench.make()
    job = job_of(bench, component, stimulus, seed)
    m = Module()
    m.domains.sync = domain = ClockDomain()
    m.submodules.block = component
    cycles = 0

    async def drive(context: Any) -> None:
        nonlocal cycles
        block = Block(_Ports(context, component), _Clock(context, domain), job)
        await block.verify()
        cycles = block.cycles

    simulator = Simulator(m)
    simulator.add_clock(_PERIOD_S)
    simulator.add_testbench(drive)
    simulator.run()
    return cycles


class _Port:
    """A port as cocotb shows it: a handle with a value."""

    def __init__(self, context: Any, signal: Value):
        self._context, self._signal = context, signal

    @property
    def value(self) -> int:
        return int(self._context.get(self._signal))

    @value.setter
    def value(self, value: int) -> None:
        self._context.set(self._signal, value)


class _Ports:
    """A component's ports by their Verilog names; a constant handshake is none."""

    def __init__(self, context: Any, component: Any):
        self._context = context
        flat = component.signature.flatten(component)
        self._signals = {"__".join(map(str, path)): Value.cast(value) for path, _, value in flat}

    def __getattr__(self, name: str) -> _Port:
        signal = self._signals.get(name)
        if signal is None or not hasattr(signal, "name"):
            raise AttributeError(name)
        return _Port(self._context, signal)


class _Clock:
    """The domain's clock, which the simulator drives, and its reset."""

    def __init__(self, context: Any, domain: ClockDomain):
        self._context, self._reset = context, domain.rst

    def reset(self, level: int) -> None:
        self._context.set(self._reset, level)

    async def fall(self) -> None:
        """Nothing to do: a tick is a whole cycle."""

    async def settle(self) -> None:
        """Nothing to do: what is read has settled."""

    async def rise(self) -> None:
        await self._context.tick()
