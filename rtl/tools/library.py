"""A component as a shared library that takes and returns numpy batches: a million cycles a second.

``build_library(component)`` translates a component with Verilator; :meth:`Library.run` feeds its
input streams, drains its output streams, stalls both at random from a seed, answers its memory
requests, and counts. The same batch gives the same payloads at any stall rate, or the component
is wrong.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from archsim.base.errors import ArchsimError
from archsim.rtl.tools.columns import Columns, Leaf, leaves, pack, storage_bytes, unpack
from archsim.rtl.tools.compile import compile_library
from archsim.rtl.tools.interface import Interface, Plain, Stream, describe
from archsim.rtl.tools.verilog import TOP, generate_fast_verilog, generate_verilog

__all__ = ["Library", "Memory", "RtlError", "Run", "StreamCounters", "build_library"]

_RESET_CYCLES = 4
_LOAD_CYCLES = 8  #: after a table's last beat, until it is surely in
_SLICE_CYCLES = 100_000  #: cycles between returns to Python: progress, Ctrl-C
_DONE, _ASSERTION, _UNSTABLE, _BAD_ADDRESS = 1, 2, 3, 4

#: Called with the cycle reached.
Progress = Callable[[int], None]


class RtlError(ArchsimError):
    """The hardware did something that it must never do, or hangs."""

    exit_code = 9


@dataclass(frozen=True)
class Memory:
    """A memory behind a request stream (out of the component) and a response stream (into it).

    Requests are served in order. A request's payload is a struct with ``address``, in beats of
    the response's width, and ``count``, its number of beats; a plain payload asks for one beat.

    Parameters
    ----------
    data
        Its bytes (uint8), as many as whole beats.
    request, response
        Names of the streams.
    latency_cycles
        From a request taken to its first beat offered, at least 1; or one number per request in
        their order (the last one serves all further ones): recorded responses.
    bytes_per_cycle
        What it delivers at most; None: a beat in every cycle.
    outstanding
        Requests that wait or are served at once.
    """

    data: np.ndarray[Any, np.dtype[np.uint8]]
    request: str = "mem_request"
    response: str = "mem_response"
    latency_cycles: int | np.ndarray[Any, Any] = 1
    bytes_per_cycle: float | None = None
    outstanding: int = 8


@dataclass(frozen=True)
class StreamCounters:
    """Cycles of a run by the state of one stream, and when its first and last beat moved."""

    beats: int
    stalled: int  #: valid and not ready
    starved: int  #: ready and not valid
    idle: int  #: neither
    first: int  #: cycle of the first beat, -1 without one
    last: int


@dataclass(frozen=True)
class Run:
    """What a run gave.

    Attributes
    ----------
    outputs
        Columns of each output stream, memory requests among them.
    cycles
        Cycles until all was taken, without those that looked for surplus beats.
    streams
        Counters of every stream.
    ports
        Plain output ports at the end.
    times
        Cycle of each beat, for the streams that were asked for.
    """

    outputs: dict[str, Columns]
    cycles: int
    streams: dict[str, StreamCounters]
    ports: dict[str, int]
    times: dict[str, np.ndarray[Any, np.dtype[np.int64]]] = field(default_factory=dict)
    packed: dict[str, np.ndarray[Any, np.dtype[np.uint8]]] = field(default_factory=dict)


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
        with _Session(self) as session:
            return session.run(
                dict(inputs), dict(expect or {}), stall_percent, seed, limit_cycles, settle_cycles,
                memories, dict(ports or {}), first, times, wave, progress,
            )  # fmt: skip


class _Session:
    """One instance of the model, from power-up to its end."""

    def __init__(self, library: Library):
        self._library = library
        self._call = library._call
        self._inputs = library.interface.side("in")
        self._outputs = library.interface.side("out")
        self._alive: list[Any] = []  # arrays that the library reads while it runs

    def __enter__(self) -> _Session:
        self._handle = ctypes.c_void_p(self._call.archsim_open())
        return self

    def __exit__(self, *_: object) -> None:
        self._call.archsim_close(self._handle)

    def run(
        self, inputs: dict[str, Columns], expect: dict[str, int],
        stall_percent: float | Mapping[str, float], seed: int, limit_cycles: int,
        settle_cycles: int, memories: tuple[Memory, ...], ports: dict[str, int],
        first: tuple[str, ...], times: tuple[str, ...], wave: tuple[Path, int, int] | None,
        progress: Progress | None,
    ) -> Run:  # fmt: skip
        named = {s.name for s in self._library.interface.streams}
        answered = {name for m in memories for name in (m.request, m.response)}
        stalls = stall_percent if isinstance(stall_percent, Mapping) else {}
        _check_known({*inputs, *expect, *stalls, *first, *times, *answered}, named, "stream")
        common = 0.0 if isinstance(stall_percent, Mapping) else float(stall_percent)
        self._call.archsim_begin(self._handle, ctypes.c_int64(settle_cycles))
        for side, streams in enumerate((self._inputs, self._outputs)):
            for index, stream in enumerate(streams):
                raw = self._packed(stream, inputs.get(stream.name)) if side == 0 else None
                total = len(raw) if raw is not None else expect.get(stream.name, -1)
                chance = int(stalls.get(stream.name, common) / 100 * 2**32)
                self._call.archsim_stream(
                    self._handle, _int(side), _int(index), _pointer(raw), _int(total),
                    ctypes.c_uint64(chance), ctypes.c_uint64(_seed(seed, stream.name)),
                    _int(stream.name in times), _int(stream.name in first),
                )  # fmt: skip
        for memory in memories:
            self._connect(memory)
        self._set_ports(ports)
        if wave is not None:
            self._open_wave(*wave)
        self._call.archsim_reset(self._handle)
        self._advance(limit_cycles, settle_cycles, expect, progress)
        return self._result(expect, times, answered)

    def _packed(self, stream: Stream, columns: Columns | None) -> np.ndarray[Any, Any]:
        if columns is None:
            return np.zeros((0, max(1, stream.bytes)), dtype=np.uint8)
        try:
            raw = pack(stream.shape, columns)
        except ValueError as error:
            raise ValueError(f"stream {stream.name!r}: {error}") from None
        self._alive.append(raw)
        return raw

    def _connect(self, memory: Memory) -> None:
        request = next(s for s in self._outputs if s.name == memory.request)
        response = next(s for s in self._inputs if s.name == memory.response)
        if response.width % 8 or response.bytes * 8 != response.width:
            raise ValueError(f"{response.name}: a beat of {response.width} bits is not whole bytes")
        data = np.ascontiguousarray(memory.data)
        if data.dtype != np.uint8 or data.size % response.bytes:
            raise ValueError(f"a memory is uint8, in whole beats of {response.bytes} bytes")
        latencies = np.atleast_1d(np.asarray(memory.latency_cycles, dtype=np.int64)).copy()
        if latencies.size == 0 or latencies.min() < 1:
            raise ValueError("a memory's latency is at least one cycle")
        self._alive += [data, latencies]
        address, count = _request_fields(request)
        rate = memory.bytes_per_cycle
        interval = 1024 if rate is None else max(1024, round(1024 * response.bytes / rate))
        self._call.archsim_memory(
            self._handle, _int(self._outputs.index(request)), _int(self._inputs.index(response)),
            _pointer(data), _int(data.size // response.bytes), _int(response.bytes),
            _int(address.offset), _int(address.width), _int(count.offset if count else 0),
            _int(count.width if count else 0), _pointer(latencies), _int(latencies.size),
            _int(interval), _int(memory.outstanding),
        )  # fmt: skip

    def _set_ports(self, ports: dict[str, int]) -> None:
        plains = self._library.interface.plain_side("in")
        _check_known(set(ports), {p.name for p in plains}, "input port")
        for index, plain in enumerate(plains):
            value = ports.get(plain.name, 0)
            raw = _bytes(value, plain)
            self._call.archsim_set(self._handle, _int(index), raw)

    def _open_wave(self, path: Path, start: int, stop: int) -> None:
        if self._library.trace is None:
            raise ValueError("the library was built without waves")
        self._call.archsim_wave(self._handle, str(path).encode(), _int(start), _int(stop))

    def _advance(
        self, limit_cycles: int, settle_cycles: int, expect: dict[str, int],
        progress: Progress | None,
    ) -> None:  # fmt: skip
        status = 0
        while status == 0:
            now = self._call.archsim_cycle(self._handle)
            if now >= limit_cycles + settle_cycles:
                raise RtlError(f"not done after {limit_cycles} cycles: {self._waiting(expect)}")
            left = limit_cycles + settle_cycles - now
            status = self._call.archsim_advance(self._handle, _int(min(_SLICE_CYCLES, left)))
            if progress is not None:
                progress(self._call.archsim_cycle(self._handle))
        if status != _DONE:
            what = {
                _ASSERTION: "an assertion failed",
                _UNSTABLE: "an offered beat is not stable",
                _BAD_ADDRESS: "a request leaves the memory",
            }[status]
            said = self._call.archsim_message(self._handle).decode(errors="replace").strip()
            if status == _UNSTABLE:
                index = int(said.split()[1])
                said = said.replace(f"output {index}", self._outputs[index].name, 1)
            cycle = self._call.archsim_cycle(self._handle) - 1
            raise RtlError(f"{what} in cycle {cycle}: {said}")

    def _waiting(self, expect: dict[str, int]) -> str:
        parts = []
        for side, streams in enumerate((self._inputs, self._outputs)):
            for index, stream in enumerate(streams):
                counters = self._counters(side, index)
                wanted = f" of {expect[stream.name]}" if stream.name in expect else ""
                parts.append(f"{stream.name} moved {counters.beats}{wanted}")
        return ", ".join(parts)

    def _counters(self, side: int, index: int) -> StreamCounters:
        values = (ctypes.c_int64 * 6)()
        self._call.archsim_counters(self._handle, _int(side), _int(index), values)
        return StreamCounters(*values)

    def _result(self, expect: dict[str, int], times: tuple[str, ...], answered: set[str]) -> Run:
        outputs: dict[str, Columns] = {}
        packed: dict[str, np.ndarray[Any, Any]] = {}
        counters: dict[str, StreamCounters] = {}
        cycles_of: dict[str, np.ndarray[Any, Any]] = {}
        for side, streams in enumerate((self._inputs, self._outputs)):
            for index, stream in enumerate(streams):
                one = counters[stream.name] = self._counters(side, index)
                if stream.name in times:
                    where = self._call.archsim_times(self._handle, _int(side), _int(index))
                    cycles_of[stream.name] = _copied(where, (one.beats,), np.int64)
                if side == 1:
                    where = self._call.archsim_kept(self._handle, _int(index))
                    raw = _copied(where, (one.beats, stream.bytes), np.uint8)
                    packed[stream.name] = raw
                    outputs[stream.name] = unpack(stream.shape, raw)
                    if one.beats > expect.get(stream.name, one.beats):
                        raise RtlError(f"{stream.name}: {one.beats} beats instead of "
                                       f"{expect[stream.name]}")  # fmt: skip
        ends = [c.last + 1 for c in counters.values()]
        return Run(outputs, max(ends, default=0), counters, self._get_ports(), cycles_of, packed)

    def _get_ports(self) -> dict[str, int]:
        values = {}
        for index, plain in enumerate(self._library.interface.plain_side("out")):
            raw = ctypes.create_string_buffer(storage_bytes(plain.width))
            self._call.archsim_get(self._handle, _int(1), _int(index), raw)
            values[plain.name] = int.from_bytes(raw.raw, "little")
        return values


def build_library(
    component: Any,
    *,
    trace: Literal["fst", "vcd"] | None = None,
    checks: bool = True,
    fast: bool = False,
    optimise: str = "-O1",
) -> Library:
    """Translate a component and return its library; the build is cached by its content.

    Parameters
    ----------
    trace
        Format of the waves that it can write; None is an eighth faster.
    checks
        Whether the assertions in the hardware are checked.
    fast
        Whether Yosys simplifies the hardware first, for long runs; see
        :func:`~archsim.rtl.tools.verilog.generate_fast_verilog`.
    optimise
        The C++ compiler's level: ``-O1`` builds fast, ``-O2`` runs whole frames.
    """
    interface = describe(component)
    verilog = generate_fast_verilog(component) if fast else generate_verilog(component)
    harness = _harness(interface, verilog, trace)
    path = compile_library(verilog, harness, TOP, trace=trace, checks=checks, optimise=optimise)
    return Library(interface, path, trace)


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


def _request_fields(request: Stream) -> tuple[Leaf, Leaf | None]:
    fields = {str(leaf): leaf for leaf in leaves(request.shape)}
    if list(fields) == [""]:
        return fields[""], None
    if not {"address", "count"} <= fields.keys():
        raise ValueError(f"{request.name}: a memory request has the fields address and count")
    return fields["address"], fields["count"]


def _check_known(names: set[str], known: set[str], what: str) -> None:
    if unknown := sorted(names - known):
        raise ValueError(f"unknown {what} {unknown[0]!r}; there are {', '.join(sorted(known))}")


def _bytes(value: int, plain: Plain) -> Any:
    if not -(1 << plain.width) <= value < 1 << plain.width:
        raise ValueError(f"{plain.name}: {value} does not fit {plain.width} bits")
    raw = (value & (1 << plain.width) - 1).to_bytes(storage_bytes(plain.width), "little")
    return ctypes.create_string_buffer(raw, len(raw))


def _seed(seed: int, name: str) -> int:
    """Return a stream's own seed: the stalls of one do not depend on which others there are."""
    import hashlib

    return int.from_bytes(hashlib.sha256(f"{seed}/{name}".encode()).digest()[:8], "little")


def _copied(address: int | None, shape: tuple[int, ...], dtype: Any) -> np.ndarray[Any, Any]:
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    if not size or not address:
        return np.zeros(shape, dtype=dtype)
    raw = (ctypes.c_uint8 * size).from_address(address)
    return np.frombuffer(raw, dtype=dtype).reshape(shape).copy()


def _int(value: int) -> ctypes.c_int64:
    return ctypes.c_int64(int(value))


def _pointer(array: np.ndarray[Any, Any] | None) -> ctypes.c_void_p:
    return ctypes.c_void_p(None if array is None else array.ctypes.data)
