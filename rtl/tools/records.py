"""What a run of a component as a library takes and gives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from archsim.base.errors import ArchsimError
from archsim.rtl.tools.columns import Columns

__all__ = ["Memory", "RtlError", "Run", "StreamCounters"]


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
