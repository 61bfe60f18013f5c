"""One run of a component's library: from power-up to its result, through ctypes."""

from __future__ import annotations

import ctypes
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from archsim.rtl.tools.columns import Columns, Leaf, leaves, pack, storage_bytes, unpack
from archsim.rtl.tools.interface import Interface, Plain, Stream
from archsim.rtl.tools.records import Memory, RtlError, Run, StreamCounters

__all__ = ["Progress", "Session"]

_SLICE_CYCLES = 100_000  #: cycles between returns to Python: progress, Ctrl-C
_DONE, _ASSERTION, _UNSTABLE, _BAD_ADDRESS = 1, 2, 3, 4

#: Called with the cycle reached.
Progress = Callable[[int], None]


class Session:
    """One instance of the model, from power-up to its end."""

    def __init__(self, library: ctypes.CDLL, interface: Interface, *, has_waves: bool):
        self._call = library
        self._interface = interface
        self._has_waves = has_waves
        self._inputs = interface.side("in")
        self._outputs = interface.side("out")
        self._alive: list[Any] = []  # arrays that the library reads while it runs

    def __enter__(self) -> Session:
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
        """Reset, feed and drain; see :meth:`archsim.rtl.tools.library.Library.run`."""
        named = {s.name for s in self._interface.streams}
        answered = {name for m in memories for name in (m.request, m.response)}
        stalls = stall_percent if isinstance(stall_percent, Mapping) else {}
        _check_known({*inputs, *expect, *stalls, *first, *times, *answered}, named, "stream")
        common = 0.0 if isinstance(stall_percent, Mapping) else float(stall_percent)
        self._call.archsim_begin(self._handle, ctypes.c_int64(settle_cycles))
        for side, streams in enumerate((self._inputs, self._outputs)):
            for index, stream in enumerate(streams):
                raw = self._packed(stream, inputs.get(stream.name)) if side == 0 else None
                total = len(raw) if raw is not None else expect.get(stream.name, -1)
                held = stream.has_valid if side == 0 else stream.has_ready
                chance = int(stalls.get(stream.name, common) / 100 * 2**32) if held else 0
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
        plains = self._interface.plain_side("in")
        _check_known(set(ports), {p.name for p in plains}, "input port")
        for index, plain in enumerate(plains):
            value = ports.get(plain.name, 0)
            raw = _bytes(value, plain)
            self._call.archsim_set(self._handle, _int(index), raw)

    def _open_wave(self, path: Path, start: int, stop: int) -> None:
        if not self._has_waves:
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
        for index, plain in enumerate(self._interface.plain_side("out")):
            raw = ctypes.create_string_buffer(storage_bytes(plain.width))
            self._call.archsim_get(self._handle, _int(1), _int(index), raw)
            values[plain.name] = int.from_bytes(raw.raw, "little")
        return values


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
