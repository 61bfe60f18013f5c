"""What cocotb has to do, as plain numbers in a file: the simulator is a process of its own."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from archsim.rtl.tools.cocotb_runner import build_bench, run_bench
from archsim.rtl.tools.columns import Columns, count, leaves, pack
from archsim.rtl.tools.interface import Interface, Stream, describe
from archsim.rtl.tools.library import Memory
from archsim.rtl.verify.assembly import Assembly
from archsim.rtl.verify.bench import Bench, Stimulus, expected

__all__ = ["JOBS_VARIABLE", "JobResult", "job_of", "read_jobs", "run_jobs", "write_result"]

JOBS_VARIABLE = "ARCHSIM_RTL_JOBS"
_MODULE = "archsim.rtl.verify.cocotb_streams"


@dataclass(frozen=True)
class JobResult:
    """What cocotb says about one block; ``error`` is empty when it passed.

    ``beats`` are those of its busiest stream.
    """

    error: str
    cycles: int
    beats: int
    cpu_s: float


def run_jobs(
    given: Iterable[tuple[Bench, Stimulus]], folder: Path, *, seed: int = 0
) -> dict[str, JobResult]:
    """Run stimuli of several blocks in one simulator and return the results by block.

    Each block is stalled at random in changing proportions, and reset once in mid-stream.
    """
    rows = list(given)
    blocks = {_member(bench): bench.make() for bench, _ in rows}
    jobs = [
        job_of(bench, blocks[_member(bench)], stimulus, seed, prefix=f"{_member(bench)}__")
        for bench, stimulus in rows
    ]
    build = build_bench(Assembly(blocks))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "jobs.pickle").write_bytes(pickle.dumps(jobs))
    run_bench(build, _MODULE, folder, {JOBS_VARIABLE: str(folder)})
    results = {}
    for bench, _ in rows:
        file = folder / f"{bench.name}.pickle"
        found = pickle.loads(file.read_bytes()) if file.exists() else None
        results[bench.name] = JobResult(**found) if found else JobResult("did not run", 0, 0, 0)
    return results


def read_jobs(folder: Path) -> list[dict[str, Any]]:
    """Return the jobs that :func:`run_jobs` wrote."""
    jobs: list[dict[str, Any]] = pickle.loads((folder / "jobs.pickle").read_bytes())
    return jobs


def write_result(folder: Path, name: str, result: JobResult) -> None:
    """Write a job's result where :func:`run_jobs` looks for it."""
    (folder / f"{name}.pickle").write_bytes(pickle.dumps(asdict(result)))


def _member(bench: Bench) -> str:
    return bench.name.replace("-", "_")


def job_of(
    bench: Bench, component: Any, stimulus: Stimulus, seed: int, *, prefix: str = ""
) -> dict[str, Any]:
    """Return what a simulator has to do with a block, as plain numbers.

    ``prefix`` stands before the names of its ports.
    """
    interface = describe(component)
    must = expected(bench, component, stimulus)
    return {
        "name": bench.name,
        "prefix": prefix,
        "inputs": _numbers(interface, "in", stimulus.inputs),
        "outputs": _numbers(interface, "out", must),
        "compared": {s.name: _compared(s, must[s.name]) for s in interface.side("out")},
        "may_skip": bench.may_skip,
        "late_reset": bench.late_reset,
        "ports": dict(stimulus.ports),
        "first": stimulus.first,
        "memories": [_memory(interface, memory) for memory in stimulus.memories],
        "seed": seed,
        "limit": bench.limit_cycles_per_beat * (max(map(count, must.values())) + 100),
    }


def _memory(interface: Interface, memory: Memory) -> dict[str, Any]:
    """Return a memory as its beats by address, without zeros, and a request's fields' places."""
    streams = {s.name: s for s in interface.streams}
    fields = {
        str(leaf): (leaf.offset, leaf.width) for leaf in leaves(streams[memory.request].shape)
    }
    beats = memory.data.reshape(-1, streams[memory.response].bytes)
    return {
        "request": memory.request,
        "response": memory.response,
        "fields": fields,
        "beats": {
            int(at): int.from_bytes(beats[at].tobytes(), "little")
            for at in np.flatnonzero(beats.any(axis=1))
        },
    }


def _numbers(interface: Interface, side: Any, batches: Mapping[str, Columns]) -> dict[str, Any]:
    return {s.name: _payloads(s, batches.get(s.name)) for s in interface.side(side)}


def _payloads(stream: Stream, columns: Columns | None) -> list[int]:
    if columns is None:
        return []
    raw: np.ndarray[Any, Any] = pack(stream.shape, columns)
    return [int.from_bytes(beat.tobytes(), "little") for beat in raw]


def _compared(stream: Stream, columns: Columns) -> list[int]:
    """Return the bits of each beat that the model does not mask."""
    known = [(1 << stream.width) - 1] * count(columns)
    for leaf in leaves(stream.shape) if stream.width else []:
        part: Any = columns
        for name in leaf.names:
            part = part[name]
        place: tuple[Any, ...] = (slice(None), *leaf.indices)
        masked = np.ma.getmaskarray(part)[place]
        for beat in np.unique(np.nonzero(masked)[0]):
            known[beat] &= ~(((1 << leaf.width) - 1) << leaf.offset)
    return known
