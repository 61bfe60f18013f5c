"""Clocks that stop for registers that rest: which do, and that no beat or cycle differs."""

import re
from typing import Any

import numpy as np
import pytest

pytest.importorskip("amaranth")

from archsim.rtl.blocks.sorter import BitonicSorter
from archsim.rtl.flow.graph import Graph
from archsim.rtl.flow.pipeline import Pipeline
from archsim.rtl.format import Q
from archsim.rtl.tools.gated_clocks import gate_clocks, gated_clocks
from archsim.rtl.tools.library import build_library
from archsim.rtl.tools.verilog import generate_fast_verilog

pytestmark = pytest.mark.rtl

#: What Yosys writes: enables, resets, words of memories, and processes that always write.
VERILOG = r"""
module top(clk, rst, o);
  input clk;
  always @(posedge clk)
    if (\inner.unit.awake ) \inner.unit.a [3:0] <= \inner.unit.b ;
  always @(posedge clk)
    if (\inner.unit.awake$12 )
      if (\inner.x ) \inner.unit.c  <= 1'h0;
      else \inner.unit.c  <= \inner.unit.d ;
  always @(posedge clk)
    if (rst) \inner.idle.a  <= 1'h0;
    else if (\inner.idle.more ) \inner.idle.a  <= \inner.idle.b ;
  always @(posedge clk) begin
    if (\inner.idle.en ) begin
      _0_ <= \inner.idle.memory [\inner.idle.addr ];
    end
  end
  always @(posedge clk)
    if (rst) \inner.idle.always  <= 1'h0;
    else \inner.idle.always  <= \inner.idle.b ;
  always @(posedge clk)
    \inner.idle.free  <= \inner.idle.b ;
  always @(posedge clk)
    if (\inner.idle.more ) \inner.idler.a  <= \inner.idle.b ;
endmodule
"""


def test_a_register_gets_the_clock_of_all_its_enables_and_others_keep_theirs() -> None:
    gated = gate_clocks(VERILOG, "top", ["idle"])
    clocks = re.findall(r"posedge (\w+)", gated)
    assert clocks == ["gated_clk_0"] * 2 + ["gated_clk_1"] * 2 + ["clk"] * 3
    assert "module top(clk, rst, o, gated_clk_0, gate_0, gated_clk_1, gate_1);" in gated
    assert r"assign gate_0 = (\inner.unit.awake ) | (\inner.unit.awake$12 );" in gated
    assert r"assign gate_1 = (rst) | (\inner.idle.more ) | (\inner.idle.en );" in gated
    assert gated_clocks(gated) == 2
    assert gate_clocks(VERILOG.replace("awake", "woken"), "top").count("posedge clk") == 7


def pipeline() -> tuple[Pipeline, dict[str, Any], int]:
    graph = Graph()
    a, b = graph.input("a"), graph.input("b")
    total = graph.add(graph.multiply(a, b), graph.reciprocal(b))
    for _ in range(4):  # long enough that hardware holds a value in a ring, simulation in registers
        total = graph.multiply(graph.add(total, a), b)
    graph.output("o", total)
    graph.output("root", graph.inverse_root(total))
    fixed = Q(5, 6, signed=True)
    graph.output("back", graph.from_fixed(graph.to_fixed(total, fixed)))
    words = np.random.default_rng(5).integers(0, 1 << 24, (2, 400))
    return Pipeline(graph, interval=4), {"a": words[0], "b": words[1]}, 1


def sorter() -> tuple[BitonicSorter, dict[str, Any], int]:
    rng = np.random.default_rng(6)
    last = rng.random(600) < 0.05
    last[-1] = True
    component = BitonicSorter(key_bits=20, value_bits=6, entries=256)
    component.resting = ("network", "merger")
    items = {"key": rng.integers(0, 1 << 20, 600), "value": np.arange(600) % 64, "last": last}
    return component, items, 2


@pytest.mark.parametrize("made", [pipeline, sorter])
def test_beats_and_cycles_are_those_of_one_clock(made: Any) -> None:
    component, items, gates = made()
    assert gated_clocks(generate_fast_verilog(component, checks=False)) == gates
    count = len(next(iter(items.values())))
    plain, gated = (
        build_library(made()[0], fast=fast, checks=not fast).run(
            {"i": items}, expect={"o": count}, stall_percent={"i": 80, "o": 20}, times=("i", "o")
        )
        for fast in (False, True)
    )
    assert plain.packed["o"].tobytes() == gated.packed["o"].tobytes()
    for name in ("i", "o"):
        np.testing.assert_array_equal(plain.times[name], gated.times[name])
