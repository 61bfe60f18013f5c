"""One bench for every block: its model says what must leave, whatever the stalls.

A block needs one row (:class:`Bench`): how it is made, random and directed payloads, what must
have happened (bins) and which port bits can never toggle. The same row runs through the library,
through cocotb and through Amaranth's own simulator, and must fail on every seeded bug.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from archsim.rtl.tools.columns import Columns, count, pack
from archsim.rtl.tools.interface import describe
from archsim.rtl.tools.library import Library, Memory, Run

__all__ = ["Bench", "Bin", "Seen", "Stimulus", "check", "compare", "expected"]

#: Columns by stream.
Batches: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Stimulus:
    """What a block is given: columns by input stream, plain ports, a memory behind it.

    The streams of ``first`` load tables: the others wait for them. ``leaves`` is what must leave,
    where that is found with the stimulus and not by the component's model.
    """

    inputs: Batches
    ports: dict[str, int] = field(default_factory=dict)
    first: tuple[str, ...] = ()
    memories: tuple[Memory, ...] = ()
    leaves: Batches | None = None


@dataclass(frozen=True)
class Seen:
    """What one run showed; bins look at it."""

    stimulus: Stimulus
    outputs: Batches
    run: Run
    packed: dict[str, np.ndarray[Any, Any]]  #: bytes of every stream's beats, inputs too
    cpu_s: float  #: of the hardware


#: Whether something worth testing has happened in a run.
Bin: TypeAlias = Callable[[Seen], bool]


@dataclass(frozen=True)
class Bench:
    """One row of the table of blocks.

    Parameters
    ----------
    make
        Returns a new component.
    random
        Returns a stimulus of about ``n`` beats from a generator.
    directed
        Returns the stimuli written by hand: corners, limits.
    bins
        What must have happened in one of the runs, by name.
    cannot_toggle
        Port bits that no stimulus can toggle, by leaf (``o.payload.colour[2]`` or
        ``o.payload.x:7`` for one bit), each with its reason.
    heavy
        Takes long to build: its cocotb run is for the full verification only.
    made_from
        What the component is made from, for blocks whose Verilog takes long to write; see
        :func:`~archsim.rtl.tools.library.build_library`.
    late_reset
        A stream and a number of its beats: once they have moved, the block is reset a second time
        in mid-stream, for state that the first reset is too early for.
    may_skip
        Output streams that may leave beats out, the others in order: memory requests that an early
        stop spares.
    beats
        Of random stimulus through the library; fewer for blocks of long intervals would be a
        weaker test, so that it stays as it is unless a reason stands beside it.
    """

    name: str
    make: Callable[[], Any]
    random: Callable[[np.random.Generator, int], Stimulus]
    directed: Callable[[], list[Stimulus]] = list
    bins: Mapping[str, Bin] = field(default_factory=dict)
    cannot_toggle: Mapping[str, str] = field(default_factory=dict)
    beats: int = 100_000
    limit_cycles_per_beat: int = 200
    heavy: bool = False
    made_from: str | None = None
    may_skip: tuple[str, ...] = ()
    late_reset: tuple[str, int] | None = None

    def __str__(self) -> str:
        return self.name


def expected(bench: Bench, component: Any, stimulus: Stimulus) -> Batches:
    """Return what the component's model says must leave, by output stream."""
    if stimulus.leaves is not None:
        return stimulus.leaves
    model = component.model
    more = {"ports": stimulus.ports} if "ports" in inspect.signature(model).parameters else {}
    interface = describe(component)
    if [s.name for s in interface.side("in")] == ["i"]:
        left = model(stimulus.inputs["i"], **more)
        return {"o": left} if [s.name for s in interface.side("out")] == ["o"] else dict(left)
    return dict(model(**stimulus.inputs, **more))


def check(
    bench: Bench, component: Any, library: Library, stimulus: Stimulus, *,
    stall_percent: float | Mapping[str, float] = 0, seed: int = 0,
    wave: tuple[Path, int, int] | None = None,
) -> Seen:  # fmt: skip
    """Run a stimulus through the library and raise ``AssertionError`` unless the model agrees."""
    must = expected(bench, component, stimulus)
    exact = {name: columns for name, columns in must.items() if name not in bench.may_skip}
    beats = max(count(c) for c in (*stimulus.inputs.values(), *must.values()))
    begin = time.process_time()
    run = library.run(
        stimulus.inputs, expect={name: count(c) for name, c in exact.items()},
        stall_percent=stall_percent, seed=seed, ports=stimulus.ports, first=stimulus.first,
        memories=stimulus.memories,
        limit_cycles=bench.limit_cycles_per_beat * (beats + 100), wave=wave,
    )  # fmt: skip
    seconds = time.process_time() - begin
    for name, columns in must.items():
        if name in exact:
            compare(columns, run.outputs[name], name)
        else:
            _compare_some(columns, run.outputs[name], name)
    inputs = {
        s.name: pack(s.shape, stimulus.inputs[s.name])
        for s in library.interface.side("in")
        if s.name in stimulus.inputs
    }
    width = {s.name: s.bytes for s in library.interface.streams}
    answers = {m.response: _answers(m, run.outputs, width) for m in stimulus.memories}
    return Seen(stimulus, run.outputs, run, {**inputs, **answers, **run.packed}, seconds)


def _answers(memory: Memory, outputs: Batches, width: Mapping[str, int]) -> np.ndarray[Any, Any]:
    """Return the bytes of a memory's beats, in the order of the requests that were made."""
    asked: Any = outputs[memory.request]
    beats = memory.data.reshape(-1, width[memory.response])
    parts = [beats[start : start + n] for start, n in zip(asked["address"], asked["count"])]
    return np.concatenate(parts)


def compare(wanted: Columns, got: Columns, name: str) -> None:
    """Raise ``AssertionError`` naming the first beat and field that differ.

    What the model masks (:mod:`numpy.ma`) may be anything.
    """
    if isinstance(wanted, Mapping):
        if not isinstance(got, Mapping) or wanted.keys() != got.keys():
            raise AssertionError(f"{name}: other fields than the model's {sorted(wanted)}")
        for key, columns in wanted.items():
            compare(columns, got[key], f"{name}.{key}")
        return
    left, right = np.ma.getdata(wanted), np.asarray(got)
    if left.shape != right.shape:
        raise AssertionError(f"{name}: {right.shape} instead of the model's {left.shape}")
    wrong = np.argwhere((left != right) & ~np.ma.getmaskarray(wanted))
    if len(wrong):
        first = tuple(wrong[0])
        raise AssertionError(
            f"{name}: beat {first[0]} of {len(left)} is {right[first]} instead of {left[first]} "
            f"(place {first[1:]}); {len({w[0] for w in wrong.tolist()})} beats differ"
        )


def _compare_some(wanted: Columns, got: Columns, name: str) -> None:
    """Raise ``AssertionError`` unless the beats are some of the model's, in its order."""
    rest = iter(_rows(wanted))
    for number, beat in enumerate(_rows(got)):
        if not any(one == beat for one in rest):
            raise AssertionError(f"{name}: beat {number} is {beat}, which the model has not there")


def _rows(columns: Columns) -> list[tuple[int, ...]]:
    """Return the beats of a struct of plain fields."""
    if not isinstance(columns, Mapping):
        raise TypeError("beats that may be left out are structs")
    return list(zip(*(np.asarray(column).tolist() for column in columns.values())))
