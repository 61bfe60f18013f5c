"""Whole sweeps on a real study: killed 50 times, and on 1, 2, 4 workers and a Dask cluster."""

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

STUDY: dict[str, Any] = {
    "base": {
        "workload": {"kind": "gs3d", "scene": "builtin:object", "gaussians": 2000,
                     "resolution": [96, 64]},
        "systems": {
            "orin": {"machine": "orin-nx-16gb", "method": {"kind": "tile-raster"}},
            "sgs": {"machine": "streaminggs", "method": {"kind": "streaminggs", "group": [32, 32]}},
        },
        "baseline": "orin",
    },
    "space": {
        "cfu": {"path": "systems.sgs.set.units.cfu.count.value", "values": [2, 4, 8, 16, 32]},
        "ffu": {"path": "systems.sgs.set.units.ffu.count.value", "values": [1, 2, 4, 8]},
        "vru": {"path": "systems.sgs.set.units.vru.count.value", "values": [16, 32, 64, 128]},
        "voxel": {"path": "systems.sgs.method.voxel_size", "values": ["extent/4", "extent/8"]},
        "pixel": {"path": "systems.sgs.set.buffers.pixel.capacity_bytes.value",
                  "values": [4096, 16384, 65536]},
    },
    "objectives": {"sgs.time_s": "minimize", "sgs.area_mm2": "minimize"},
    "constraints": {"sgs.psnr_db": {"at_least": 10}},
    "search": {"kind": "nsga2", "population": 16},
    "budget": {"points": 220},
    "compare_random": 60,
}  # fmt: skip
ONE_PROCESS = """
import sys
from archsim.explore.fleets import here
from archsim.sweep_api import sweep
study, out, store = sys.argv[1:]
sweep(study, out=out, store=store, resume=True, fleet=here())
"""
COMMAND = "from archsim.cli import main; main()"
DASK = """
import sys
if __name__ == "__main__":
    from distributed import LocalCluster
    from archsim.cli import main
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        sys.argv += ["--cluster", cluster.scheduler_address]
        main()
"""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    file = tmp_path / "small.yaml"
    file.write_text(json.dumps(STUDY))
    return file


def exported(out: Path) -> bytes:
    return (out / "points.parquet").read_bytes()


def run(code: str, *arguments: object) -> None:
    shown = subprocess.run([sys.executable, "-c", code, *map(str, arguments)], check=False,
                           capture_output=True, text=True)  # fmt: skip
    assert shown.returncode == 0, shown.stderr


def kill_while_it_writes(
    command: list[str], store: Path, growth_bytes: int, pause_s: float
) -> bool:
    """Kill a sweep once its log has grown by so much, and a moment; return whether it lived."""

    def size() -> int:
        return sum(file.stat().st_size for file in store.rglob("*.log"))

    before = size()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while child.poll() is None and size() < before + growth_bytes:
        time.sleep(0.0005)
    time.sleep(pause_s)
    child.kill()
    return child.wait() != 0


def test_killed_at_50_moments_the_export_is_the_same_to_the_byte(
    study: Path, tmp_path: Path
) -> None:
    run(ONE_PROCESS, study, tmp_path / "whole", tmp_path / "store-whole")
    out, store = tmp_path / "killed", tmp_path / "store-killed"
    store.mkdir()
    alone = [sys.executable, "-c", ONE_PROCESS, str(study), str(out), str(store)]
    crew = [sys.executable, "-c", COMMAND, "sweep", str(study), "--jobs", "2", "--resume",
            "--out", str(out), "--store", str(store)]  # fmt: skip
    moments = random.Random(7)
    killed = torn = 0
    while killed < 50:
        command = crew if killed % 5 == 4 else alone
        growth = moments.choice([0, 1, moments.randint(2, 12_000)])
        assert kill_while_it_writes(command, store, growth, moments.random() * 0.01), (
            f"the sweep ended after {killed} kills: make it longer"
        )
        killed += 1
        torn += any(file.read_bytes()[-1:] != b"\n" for file in store.rglob("*.log"))
    run(ONE_PROCESS, study, out, store)
    assert exported(out) == exported(tmp_path / "whole")
    assert not list(out.rglob(".*"))  # nothing half-written is left
    print(f"{killed} kills, {torn} of them in the middle of a record")


def test_workers_and_clusters_give_the_same_export(study: Path, tmp_path: Path) -> None:
    exports = {}
    for jobs in (1, 2, 4):
        out = tmp_path / f"jobs-{jobs}"
        run(COMMAND, "sweep", study, "--jobs", jobs, "--out", out, "--store", tmp_path / str(jobs))
        exports[f"{jobs} processes"] = exported(out)
    script = tmp_path / "on_dask.py"
    script.write_text(DASK)
    out = tmp_path / "dask"
    subprocess.run(
        [sys.executable, script, "sweep", study, "--out", out, "--store", tmp_path / "d"],
        check=True, capture_output=True, env=os.environ | {"COLUMNS": "100"},
    )  # fmt: skip
    exports["Dask"] = exported(out)
    assert len(set(exports.values())) == 1, {name: len(data) for name, data in exports.items()}
