"""3DGS on Orin modules: the two composed rooms, and what published figures would imply.

    python -P benchmarks/gpu_rooms.py [--keep FOLDER]

Prints, for room-far and room-near on Orin NX in MAXN and in the shipped 15W mode, FPS, DRAM bytes,
the stages' shares of time and of bytes, bytes per pair and per visible Gaussian; and the number
of pairs at which the model, scaled from each room, would give each published figure. There is no
tolerance: nobody here has the scenes of those figures. --keep stores the recorded traces.
"""

from __future__ import annotations

import argparse
import pickle
import time
from importlib import resources
from pathlib import Path

from archsim.arch.load import load_machine
from archsim.base.yaml_places import parse_yaml
from archsim.sim.method import load_method
from archsim.sim.result import FrameResult
from archsim.sim.simulate import simulate
from archsim.traces.gs3d.reference import render_reference
from archsim.traces.gs3d.workload import Gs3dWorkload, load_cameras, load_scene
from archsim.traces.trace import Trace

ROOMS = ("room-far", "room-near")
SYSTEMS = (("orin-nx-16gb", "MAXN"), ("orin-nx-16gb", "15W"))
OTHERS = (("orin-nano-8gb", "15W"), ("agx-orin-64gb", "MAXN"), ("rtx-3090", None))
#: machine, mode, what was published, figure: frames per second, or GB of a frame
PUBLISHED = (
    ("orin-nx-16gb", "MAXN", "2 FPS (StreamingGS, second-hand)", "fps", 2.0),
    ("orin-nx-16gb", "MAXN", "9 FPS (StreamingGS, second-hand)", "fps", 9.0),
    ("orin-nx-16gb", "MAXN", "7 FPS (GBU, HPCA 2025)", "fps", 7.0),
    ("orin-nx-16gb", "MAXN", "17 FPS (GBU, HPCA 2025)", "fps", 17.0),
    ("agx-orin-64gb", "MAXN", "9.9 FPS at QHD (Neo, ASPLOS 2026, derived)", "fps", 9.9),
    ("agx-orin-64gb", "MAXN", "5.8 GB a frame at QHD (Neo)", "gb", 5.8),
    ("rtx-3090", None, "Truck 1080p, 8.21 ms (FlashGS, second-hand)", "fps", 1 / 8.21e-3),
    ("rtx-3090", None, "Train 1080p, 7.82 ms (FlashGS, second-hand)", "fps", 1 / 7.82e-3),
)
#: Orin Nano, MipNeRF-360: shares of projection, sort and raster (axis-shared 3DGS, ISCA 2026)
NANO_SPLIT = "14.2 / 25.3 / 60.5 %"


def record(room: str, keep: Path | None) -> Trace:
    """Return the recorded frame of a room."""
    file = keep / f"{room}.pkl" if keep else None
    if file is not None and file.exists():
        return pickle.loads(file.read_bytes())
    text = resources.files("archsim.configs").joinpath(f"{room}.yaml").read_text()
    data, _ = parse_yaml(text, room)
    workload = Gs3dWorkload.model_validate(data["workload"])
    scene = load_scene(workload, seed=0)
    camera = load_cameras(workload, scene)[0]
    method = load_method("tile-raster")
    trace = method.record(scene, camera, render_reference(scene, camera), method.config())
    if file is not None:
        file.write_bytes(pickle.dumps(trace))
    return trace


def frame(trace: Trace, machine: str, mode: str | None) -> tuple[FrameResult, float]:
    """Return the simulated frame and the CPU seconds that its simulation took."""
    method, loaded = load_method("tile-raster"), load_machine(machine)
    start = time.process_time()
    program = method.program(trace, loaded, mode, method.config())
    result = simulate(program, loaded, mode, "view")
    return result, time.process_time() - start


def groups(result: FrameResult) -> dict[str, float]:
    """Return seconds from the first task to the last of projection, sort and raster."""
    found: dict[str, float] = {}
    previous = 0
    for stage in sorted(
        (s for s in result.stages if s["unit"] == "sm"), key=lambda s: s["finish_ps"]
    ):
        name = stage["stage"]
        group = "raster" if name == "render" else "sort" if "sort" in name or name == "ranges" else "projection"  # fmt: skip # noqa: E501
        found[group] = found.get(group, 0.0) + (stage["finish_ps"] - previous) * 1e-12
        previous = stage["finish_ps"]
    return found


def main() -> None:
    """Print the figures of both rooms."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--keep", type=Path)
    keep = arguments.parse_args().keep
    for room in ROOMS:
        trace = record(room, keep)
        counts = trace.meta["counts"]
        pairs, visible = counts["pairs"], counts["visible"]
        print(f"\n{room}: {counts['gaussians']:,} Gaussians, {visible:,} visible, {pairs:,} pairs")
        figures = {}
        for machine, mode in (*SYSTEMS, *OTHERS):
            result, cpu = frame(trace, machine, mode)
            seconds = result.time_ps * 1e-12
            moved = sum(result.dram_bytes_by_stream.values())
            figures[machine, mode] = seconds, moved / 1e9
            split, total = groups(result), sum(groups(result).values())
            time_split = ", ".join(f"{name} {100 * s / total:.0f} %" for name, s in split.items())
            by_stage: dict[str, float] = {}
            for name, size in result.dram_bytes_by_stream.items():
                stage = name.split(".")[0]
                by_stage[stage] = by_stage.get(stage, 0.0) + size
            byte_split = ", ".join(f"{n} {100 * b / moved:.0f} %" for n, b in by_stage.items())
            print(f"  {machine} {mode or ''}: {1 / seconds:.1f} FPS, {moved / 1e9:.2f} GB/frame, "
                  f"{moved / pairs:.0f} B/pair, {moved / visible:.0f} B/visible; {cpu:.2f} CPU-s")  # fmt: skip # noqa: E501
            print(f"    time:  {time_split}")
            print(f"    bytes: {byte_split}")
        print(f"  published for Orin Nano on MipNeRF-360: {NANO_SPLIT}")
        for machine, mode, what, unit, value in PUBLISHED:
            seconds, gigabytes = figures[machine, mode]
            factor = 1 / value / seconds if unit == "fps" else value / gigabytes
            print(f"  {machine}: {what} implies {factor * pairs / 1e6:.1f} M pairs like these")


if __name__ == "__main__":
    main()
