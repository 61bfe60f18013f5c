"""Wall time and peak memory of the main job: one frame on all systems of configs/streaminggs.yaml.

    ARCHSIM_DATA=<folder> python benchmarks/main_job.py

Three runs of the same command, each a fresh process: nothing cached (with compilation), compiled
code cached, traces cached too. Then a composed scene of 5 million Gaussians at 1920x1080.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

GIB = 2**30


@dataclass(frozen=True)
class Measurement:
    name: str
    seconds: float
    peak_bytes: int
    limit_s: float | None
    limit_bytes: float

    @property
    def met(self) -> bool:
        in_time = self.limit_s is None or self.seconds <= self.limit_s
        return in_time and self.peak_bytes <= self.limit_bytes


def run_archsim(arguments: list[str], cache: Path, out: Path) -> tuple[float, int]:
    """Return wall seconds and peak resident bytes of one ``archsim run``."""
    command = [sys.executable, "-P", "-m", "archsim", "run", *arguments, "--out", str(out)]
    environment = os.environ | {"ARCHSIM_CACHE": str(cache)}
    environment.pop("NUMBA_CACHE_DIR", None)
    started = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed with status {process.returncode}")
    return seconds, usage.ru_maxrss * 1024


def measure(scene: Path, folder: Path) -> list[Measurement]:
    cache = folder / "cache"
    main_job = ["streaminggs", "--set", f"workload.scene={scene}", "--set", "workload.lod=0"]
    cases: list[tuple[str, list[str], float | None, float]] = [
        ("nothing cached", main_job, 90, 4 * GIB),
        ("compiled code cached", main_job, 15, 4 * GIB),
        ("traces cached too", main_job, 5, 4 * GIB),
        ("5 M Gaussians composed, 1920x1080", ["room-5m"], None, 8 * GIB),
    ]
    rows = []
    for name, arguments, limit_s, limit_bytes in cases:
        if name == "compiled code cached":
            shutil.rmtree(cache / "traces")
        seconds, peak = run_archsim(arguments, cache, folder / "out" / name.replace(" ", "-"))
        rows.append(Measurement(name, seconds, peak, limit_s, limit_bytes))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    default = Path(os.environ.get("ARCHSIM_DATA", ".")) / "gs3d/playcanvas/playbot/lod-meta.json"
    parser.add_argument("--scene", type=Path, default=default)
    scene = parser.parse_args().scene
    if not scene.exists():
        raise SystemExit(f"{scene} not found: name a scene with --scene, or set ARCHSIM_DATA")
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(scene, Path(folder))
    table = Table("run", "wall s", "target s", "peak GiB", "target GiB", "verdict")
    for row in rows:
        limit_s = "-" if row.limit_s is None else f"{row.limit_s:g}"
        sizes = f"{row.peak_bytes / GIB:.2f}", f"{row.limit_bytes / GIB:g}"
        verdict = "met" if row.met else "MISSED"
        table.add_row(row.name, f"{row.seconds:.1f}", limit_s, *sizes, verdict)
    Console().print(table)


if __name__ == "__main__":
    main()
