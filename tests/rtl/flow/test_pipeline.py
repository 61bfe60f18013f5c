"""Pipelines in Amaranth's simulator against the numpy evaluation of the same graph."""

import numpy as np
import pytest

pytest.importorskip("amaranth")
from amaranth.sim import Simulator

from archsim.rtl.flow.graph import Graph
from archsim.rtl.flow.pipeline import Pipeline
from archsim.rtl.flow.schedule import schedule
from archsim.rtl.format import FLOAT, Q


def everything() -> Graph:
    g = Graph()
    a, b = g.input("a"), g.input("b")
    fixed = g.input("fixed", Q(4, 10, signed=True))
    port = g.port("port")
    total = g.add(a, b, g.from_fixed(fixed), g.constant(1.5))
    product = g.multiply(g.multiply(a, port), g.negate(b))
    g.output("sum", total)
    g.output("pair", g.add(a, b))
    g.output("product", product)
    g.output("reciprocal", g.reciprocal(a))
    g.output("root", g.inverse_root(total))
    g.output("scaled", g.scale(g.magnitude(a), -3))
    g.output("less", g.both(g.less(a, b), g.either(g.less(total, b), g.less(b, product))))
    g.output("large", g.maximum(a, total))
    g.output("small", g.minimum(b, product))
    g.output("first", g.first_positive(a, total))
    g.output("second", g.first_positive(g.negate(product), b))
    g.output("signed", g.to_fixed(product, Q(6, 9, signed=True)))
    g.output("wide", g.to_fixed(total, Q(6, 14)))
    g.output("unsigned", g.to_fixed(total, Q(2, 14)))
    return g


def floats(rng: np.random.Generator, count: int) -> np.ndarray:
    """All exponents: zeros, tiny and huge values, and close pairs for cancellation."""
    wide = rng.integers(0, 1 << FLOAT.width, count)
    usual = FLOAT.quantize(rng.normal(0, 4, count))
    return np.where(rng.random(count) < 0.3, wide, usual)


def simulate(dut: Pipeline, columns: dict, ports: dict, stall: float, seed: int) -> tuple:
    rng = np.random.default_rng(seed)
    count = len(next(iter(columns.values())))
    results: list[dict[str, int]] = []
    times = []

    async def drive(ctx):
        for name, value in ports.items():
            ctx.set(getattr(dut, name), value)
        for n in range(count):
            while rng.random() < stall:
                await ctx.tick()
            ctx.set(dut.i.valid, 1)
            for name, column in columns.items():
                ctx.set(dut.i.payload[name], int(column[n]))
            await ctx.tick().until(dut.i.ready)
            ctx.set(dut.i.valid, 0)

    async def check(ctx):
        cycle = 0
        while len(results) < count:
            ctx.set(dut.o.ready, int(rng.random() >= stall))
            _, _, valid, ready, *values = await ctx.tick().sample(
                dut.o.valid, dut.o.ready, *(dut.o.payload[n] for n in dut.graph.outputs)
            )
            if valid and ready:
                results.append(dict(zip(dut.graph.outputs, values, strict=True)))
                times.append(cycle)
            cycle += 1

    sim = Simulator(dut)
    sim.add_clock(1e-8)
    sim.add_testbench(drive, background=True)
    sim.add_testbench(check)
    sim.run()
    return {n: np.array([r[n] for r in results]) for n in dut.graph.outputs}, np.array(times)


@pytest.mark.parametrize("interval", [1, 3, 8])
@pytest.mark.parametrize("stall", [0.0, 0.4])
def test_pipeline_equals_its_model(interval: int, stall: float) -> None:
    rng = np.random.default_rng(interval)
    count = 120
    a, b = floats(rng, count), floats(rng, count)
    b[:20] = FLOAT.negate(a[:20]) ^ rng.integers(0, 4, 20)
    a[20:30], b[20:30] = rng.integers(0, 1 << FLOAT.m, (2, 10))  # zero, whatever the fraction
    columns = {"a": a, "b": b, "fixed": rng.integers(-(1 << 14), 1 << 14, count)}
    dut = Pipeline(everything(), interval=interval)
    ports = {"port": int(FLOAT.quantize(-0.7))}
    got, times = simulate(dut, columns, ports, stall, seed=5)
    expected = dut.model(columns, ports)
    for name, column in expected.items():
        np.testing.assert_array_equal(got[name], column, err_msg=name)
    if not stall:
        assert (np.diff(times) == interval).all()


def test_units_are_no_more_than_the_operations_need() -> None:
    assert set(schedule(everything(), 8).units.values()) == {1}
    assert schedule(everything(), 1).units["multiply",] == 2


def test_wrong_interval_is_named() -> None:
    with pytest.raises(ValueError, match="interval must be a positive integer, not 0"):
        Pipeline(everything(), interval=0)
