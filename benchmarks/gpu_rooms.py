"""3DGS on Orin modules: the two composed rooms, and what published figures would imply.

    python -P benchmarks/gpu_rooms.py [--keep FOLDER] [--markdown]

Prints, for room-near and room-far at the resolution of each published figure (QHD and full HD; the
rooms' own 1280x720 beside them), FPS, DRAM bytes, the stages' shares of time and of bytes, bytes
per pair and per visible Gaussian; and the number of pairs at which the model, scaled from the room
at that resolution, would give each published figure. There is no tolerance: nobody here has the
scenes of those figures. Recording takes minutes and up to 4 GiB of memory; --keep stores the
recorded traces, --markdown prints the tables of docs/gpu.md.
"""

from __future__ import annotations

import argparse
import pickle
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from archsim.arch.load import load_machine
from archsim.base.shipped import read_shipped
from archsim.sim.method import load_method
from archsim.sim.result import FrameResult
from archsim.sim.simulate import simulate
from archsim.traces.gs3d.reference import render_reference
from archsim.traces.gs3d.workload import Gs3dWorkload, load_cameras, load_scene
from archsim.traces.trace import Trace

ROOMS = ("room-near", "room-far")
HD, FULL_HD, QHD = (1280, 720), (1920, 1080), (2560, 1440)
NX, NX_15W = ("orin-nx-16gb", "MAXN"), ("orin-nx-16gb", "15W")
XAVIER_NX = ("xavier-nx", "15W")
NANO, AGX, RTX_3090 = ("orin-nano-8gb", "15W"), ("agx-orin-64gb", "MAXN"), ("rtx-3090", None)
#: resolution -> the systems that are simulated at it
SYSTEMS = {
    HD: (NX, NX_15W, NANO, XAVIER_NX),
    FULL_HD: (NX, NX_15W, NANO, RTX_3090),
    QHD: (NX, NX_15W, AGX),
}
#: machine and mode, resolution, what was published, frames per second or GB of a frame
PUBLISHED = (
    (NX, FULL_HD, "2 FPS (StreamingGS, second-hand)", "fps", 2.0),
    (NX, FULL_HD, "9 FPS (StreamingGS, second-hand)", "fps", 9.0),
    (NX, FULL_HD, "7 FPS (GBU, HPCA 2025)", "fps", 7.0),
    (NX, FULL_HD, "17 FPS (GBU, HPCA 2025)", "fps", 17.0),
    (AGX, QHD, "9.9 FPS at QHD (Neo, ASPLOS 2026, derived)", "fps", 9.9),
    (AGX, QHD, "5.8 GB a frame at QHD (Neo)", "gb", 5.8),
    (RTX_3090, FULL_HD, "Truck 1080p, 8.21 ms (FlashGS, second-hand)", "fps", 1 / 8.21e-3),
    (RTX_3090, FULL_HD, "Train 1080p, 7.82 ms (FlashGS, second-hand)", "fps", 1 / 7.82e-3),
)
#: Orin Nano, MipNeRF-360: shares of projection, sort and raster (axis-shared 3DGS, ISCA 2026)
NANO_SPLIT = "14 / 25 / 61 %"
#: Xavier NX, the same shares (GSCore, figure 2b, second-hand)
XAVIER_SPLIT = "4-15 / 20-35 / 55-75 %"
STAGES = ("projection", "sort", "raster")
#: stage of a kernel or stream's first word; all others are projection
_STAGE = {"sort": "sort", "ranges": "sort", "render": "raster"}


def record(room: str, size: tuple[int, int], keep: Path | None) -> Trace:
    """Return the recorded frame of a room at a resolution."""
    file = keep / f"{room}-{size[0]}x{size[1]}.pkl" if keep else None
    if file is not None and file.exists():
        trace: Trace = pickle.loads(file.read_bytes())
        return trace
    data, _ = read_shipped("archsim.configs", room)
    workload = Gs3dWorkload.model_validate({**data["workload"], "resolution": list(size)})
    scene = load_scene(workload, seed=0)
    camera = load_cameras(workload, scene)[0]
    method = load_method("tile-raster")
    trace = method.record(scene, camera, render_reference(scene, camera), method.config())
    if file is not None:
        file.write_bytes(pickle.dumps(trace))
    return trace


@dataclass(frozen=True)
class Row:
    """A simulated frame: what the tables show of it."""

    room: str
    size: tuple[int, int]
    system: tuple[str, str | None]
    seconds: float
    moved_bytes: float
    pairs: int
    visible: int
    time_split: dict[str, float]
    byte_split: dict[str, float]
    cpu_s: float


def simulated(room: str, size: tuple[int, int], trace: Trace) -> Iterator[Row]:
    """Yield a row for each system of the resolution."""
    method, counts = load_method("tile-raster"), trace.meta["counts"]
    for system in SYSTEMS[size]:
        machine = load_machine(system[0])
        start = time.process_time()
        program = method.program(trace, machine, system[1], method.config())
        result = simulate(program, machine, system[1], "view")
        took = time.process_time() - start
        yield Row(
            room, size, system, result.time_ps * 1e-12,
            sum(result.dram_bytes_by_stream.values()), counts["pairs"], counts["visible"],
            _shares(_stage_times(result)), _shares(_stage_bytes(result)), took,
        )  # fmt: skip


def _stage_times(result: FrameResult) -> dict[str, float]:
    """Return the time from the end of the stage before to the stage's own, by group."""
    found = dict.fromkeys(STAGES, 0.0)
    previous = 0
    of_kernels = [s for s in result.stages if s["unit"] == "sm"]
    for stage in sorted(of_kernels, key=lambda s: s["finish_ps"]):
        found[_group(stage["stage"])] += stage["finish_ps"] - previous
        previous = stage["finish_ps"]
    return found


def _stage_bytes(result: FrameResult) -> dict[str, float]:
    found = dict.fromkeys(STAGES, 0.0)
    for stream, size in result.dram_bytes_by_stream.items():
        found[_group(stream)] += size
    return found


def _group(name: str) -> str:
    return _STAGE.get(name.replace(".", " ").split()[0], "projection")


def _shares(parts: dict[str, float]) -> dict[str, float]:
    total = sum(parts.values())
    return {name: part / total for name, part in parts.items()}


def _split(shares: dict[str, float]) -> str:
    return " / ".join(f"{100 * shares[name]:.0f}" for name in STAGES) + " %"


def _name(system: tuple[str, str | None]) -> str:
    return " ".join(part for part in system if part)


def frames_table(rows: list[Row]) -> list[list[str]]:
    """Return a line for each frame."""
    head = ["room", "resolution", "system", "FPS", "GB/frame", "time", "DRAM", "B/pair",
            "B/visible", "CPU s"]  # fmt: skip
    return [head, *(
        [row.room, f"{row.size[0]}x{row.size[1]}", _name(row.system), f"{1 / row.seconds:.1f}",
         f"{row.moved_bytes / 1e9:.2f}", _split(row.time_split), _split(row.byte_split),
         f"{row.moved_bytes / row.pairs:.0f}", f"{row.moved_bytes / row.visible:.0f}",
         f"{row.cpu_s:.1f}"]
        for row in rows
    )]  # fmt: skip


def implied_table(rows: list[Row]) -> list[list[str]]:
    """Return, for each published figure, the million pairs of either room that would give it."""
    table = [["published", "resolution", *(f"M pairs, as {room}" for room in ROOMS)]]
    for system, size, what, unit, value in PUBLISHED:
        cells = []
        for room in ROOMS:
            row = next(r for r in rows if (r.room, r.size, r.system) == (room, size, system))
            ours = row.moved_bytes / 1e9 if unit == "gb" else row.seconds
            factor = (value if unit == "gb" else 1 / value) / ours
            cells.append(f"{factor * row.pairs / 1e6:.1f}")
        table.append([f"{_name(system)}: {what}", f"{size[0]}x{size[1]}", *cells])
    return table


def show(table: list[list[str]], *, markdown: bool) -> None:
    """Print a table, aligned or as Markdown."""
    if markdown:
        ruled = [table[0], ["---"] * len(table[0]), *table[1:]]
        print("\n".join(f"| {' | '.join(cells)} |" for cells in ruled), end="\n\n")
        return
    widths = [max(len(cells[i]) for cells in table) for i in range(len(table[0]))]
    for cells in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)))
    print()


def main() -> None:
    """Print the figures of both rooms."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--keep", type=Path, help="folder of recorded traces")
    arguments.add_argument("--markdown", action="store_true", help="print the tables as Markdown")
    chosen = arguments.parse_args()
    rows: list[Row] = []
    for room in ROOMS:
        for size in SYSTEMS:
            trace = record(room, size, chosen.keep)
            counts = trace.meta["counts"]
            print(f"{room} {size[0]}x{size[1]}: {counts['gaussians']:,} Gaussians, "
                  f"{counts['visible']:,} visible, {counts['pairs']:,} pairs")  # fmt: skip
            rows += simulated(room, size, trace)
    print("\nshares of time and of DRAM bytes: projection / sort / raster; published for Orin Nano "
          f"on MipNeRF-360: {NANO_SPLIT} of the time, for Xavier NX: {XAVIER_SPLIT}\n")  # fmt: skip
    show(frames_table(rows), markdown=chosen.markdown)
    show(implied_table(rows), markdown=chosen.markdown)


if __name__ == "__main__":
    main()
