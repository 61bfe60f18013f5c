"""The two executors of a program, and which of them to use.

Both give the same schedule to the picosecond: the SimPy kernel defines what a program means, the
compiled executor is faster by orders of magnitude once its code is loaded.
"""

from __future__ import annotations

from typing import Literal, get_args

from archsim.base.errors import ConfigError
from archsim.base.problems import one_of
from archsim.sim.kernel import Dram, Progress, execute
from archsim.sim.program import Program
from archsim.sim.schedule import Schedule

__all__ = ["Engine", "check_engine", "choose_engine", "execute_with"]

Engine = Literal["auto", "simpy", "compiled"]

#: From so many tasks on, SimPy takes longer than loading the compiled code (about 25 ms).
_AUTO_COMPILED_TASKS = 5_000


def check_engine(name: str) -> None:
    """Raise :class:`ConfigError` for a name that is no engine's."""
    known = list(get_args(Engine))
    if name not in known:
        raise ConfigError(f"no engine {name!r}", remedy=one_of(name, known))


def choose_engine(engine: Engine, program: Program, dram: Dram | None
                  ) -> Literal["simpy", "compiled"]:  # fmt: skip
    """Return the engine that executes ``program``.

    ``auto`` is compiled for programs of 5,000 tasks and more with a DRAM model that it can serve.
    """
    if engine != "auto":
        return engine
    if program.tasks < _AUTO_COMPILED_TASKS:
        return "simpy"
    from archsim.sim.compiled.executor import can_compile

    return "compiled" if can_compile(program, dram) else "simpy"


def execute_with(engine: Engine, program: Program, dram: Dram | None = None, *,
                 progress: Progress | None = None) -> tuple[Schedule, str]:  # fmt: skip
    """Execute ``program``; return its schedule and the engine used.

    Parameters and errors are those of :func:`archsim.sim.kernel.execute`; in addition,
    ``ValueError`` when ``compiled`` was asked for and cannot serve the DRAM model.
    """
    used = choose_engine(engine, program, dram)
    if used == "simpy":
        return execute(program, dram, progress=progress), used
    from archsim.sim.compiled.executor import execute_compiled

    return execute_compiled(program, dram, progress=progress), used
