"""Which executor runs a program."""

import numpy as np
import pytest

from archsim.base.errors import ConfigError
from archsim.sim.dram.row import RowDram
from archsim.sim.engine import check_engine, choose_engine, execute_with
from archsim.sim.program import MemoryRuns, Program, ProgramBuilder


def program(tasks: int) -> Program:
    builder = ProgramBuilder()
    builder.compute(builder.unit("u"), "x", np.ones(tasks))
    runs = MemoryRuns(np.array([0, 1]), np.array([0]), np.array([64]))
    builder.memory(builder.unit("dram", dram=True), "fetch", "data", runs, write=False)
    return builder.build()


def row_model() -> RowDram:
    return RowDram("lpddr4-3200", channels=2, interleave_bytes=256, mapping="row-bank-column")


def test_auto_compiles_large_programs_that_it_can(counting_dram):
    small, large = program(100), program(5_000)
    assert choose_engine("auto", small, row_model()) == "simpy"
    assert choose_engine("auto", large, row_model()) == "compiled"
    assert choose_engine("auto", large, counting_dram()) == "simpy"
    assert choose_engine("compiled", small, row_model()) == "compiled"
    assert choose_engine("simpy", large, row_model()) == "simpy"


def test_the_engine_asked_for_is_used_and_told():
    found = {engine: execute_with(engine, program(50), row_model())
             for engine in ("simpy", "compiled", "auto")}  # fmt: skip
    assert [used for _, used in found.values()] == ["simpy", "compiled", "simpy"]
    assert found["compiled"][0].finish_ps.tolist() == found["simpy"][0].finish_ps.tolist()


def test_a_model_that_compiled_code_cannot_serve_is_an_error_when_asked_for(counting_dram):
    with pytest.raises(ValueError, match="use the SimPy executor"):
        execute_with("compiled", program(1), counting_dram())


def test_an_unknown_engine_is_named():
    check_engine("auto")
    with pytest.raises(ConfigError) as caught:
        check_engine("compile")
    assert str(caught.value) == "no engine 'compile'\n  remedy: did you mean 'compiled'?"
