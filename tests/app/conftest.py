"""Results of systems that never ran, with round numbers, to test what is made of results."""

from typing import Any

import numpy as np
import pytest

from archsim.base.interval import Interval
from archsim.sim.result import FrameResult, SystemResult

MS = 10**9  # picoseconds
MB = 10**6

#: system -> machine, mode, method, frame ms, stages (unit, start ms, finish ms, bytes),
#: energy mJ, streams MB, area mm2, PSNR
SYSTEMS: dict[str, tuple[Any, ...]] = {
    "orin-nx": (
        "orin-nx-16gb", "MAXN", "tile-raster", 100,
        [("preprocess", "sm", 0, 20, None), ("duplicate", "sm", 20, 30, None),
         ("sort", "sm", 30, 60, None), ("render", "sm", 60, 100, None),
         ("read Gaussians", "dram", 0, 18, 300), ("sort pairs", "dram", 31, 59, 900)],
        {"sm": (500, 300, 800), "dram": (200, 180, 220), "gpu/idle": (300, 200, 400)},
        {"gaussians/read": 300, "pairs/read": 500, "pairs/write": 400, "image/write": 10},
        None, None,
    ),
    "gscore": (
        "gscore", None, "gscore", 20,
        [("cull", "ccu", 0, 6, None), ("sort", "gsu", 5, 14, None), ("blend", "vru", 8, 20, None),
         ("read Gaussians", "dram", 0, 6, 250), ("write pairs", "dram", 4, 9, 120)],
        {"vru": (8, 6, 10), "gsu": (3, 2, 4), "sram": (5, 4, 6), "dram": (60, 50, 70)},
        {"gaussians/read": 250, "pairs/read": 60, "pairs/write": 60, "image/write": 5},
        {"ccu": (0.6, 0.5, 0.7), "gsu": (0.4, 0.3, 0.5), "vru": (1.5, 1.2, 1.8)}, None,
    ),
    "streaminggs": (
        "streaminggs", None, "streaminggs", 4,
        [("voxel sort", "vsu", 0, 1, None), ("coarse filter", "hfu", 0.2, 3.2, None),
         ("fine filter", "hfu-fine", 0.4, 3.5, None), ("sort", "gsu", 0.6, 3.7, None),
         ("blend", "vru", 0.8, 4, None), ("read voxels", "dram", 0, 3.4, 40)],
        {"vru": (4, 3, 5), "hfu": (2, 1.5, 3), "sram": (3, 2, 4), "dram": (10, 8, 12)},
        {"coarse/read": 15, "fine/read": 25, "image/write": 3},
        {"vsu": (0.1, 0.08, 0.2), "hfu": (0.8, 0.6, 1), "vru": (2.5, 2, 3)}, 34.2,
    ),
}  # fmt: skip


def image(seed: int, noise: float = 0.0, size: tuple[int, int] = (48, 64)) -> np.ndarray:
    y, x = np.mgrid[0 : size[0], 0 : size[1]] / max(size)
    plain = np.stack([x, y, 0.5 + 0.5 * np.sin(9 * x * y)], axis=2)
    drawn = np.random.default_rng(seed).normal(0, 1, plain.shape)
    return np.clip((plain + noise * drawn) * 255, 0, 255).astype(np.uint8)


def system_result(name: str, cameras: tuple[str, ...] = ("orbit-0",)) -> SystemResult:
    machine, mode, method, ms, stages, energy, streams, area, psnr = SYSTEMS[name]
    units = {unit for _, unit, *_ in stages}
    busy = {u: sum(int((b - a) * MS) for _, v, a, b, _ in stages if v == u) for u in units}
    frames = [
        FrameResult(
            camera=camera,
            time_ps=ms * MS,
            time_by_cause_ps={
                unit: {
                    "busy": busy[unit],
                    "starved": (ms * MS - busy[unit]) // 2,
                    "blocked": 0,
                    "memory": ms * MS - busy[unit] - (ms * MS - busy[unit]) // 2,
                }
                for unit in sorted(units)
            },
            stages=[
                {"stage": s, "unit": u, "tasks": 100, "busy_ps": int((b - a) * MS),
                 "start_ps": int(a * MS), "finish_ps": int(b * MS),
                 "bytes": None if size is None else size * MB}
                for s, u, a, b, size in stages
            ],
            dram_bytes_by_stream={stream: size * MB for stream, size in streams.items()},
            dram_counts={"activates": 1000, "read_bursts": 20000, "write_bursts": 500},
            energy_by_component_pj={
                part: Interval(*(float(mj) * 1e9 for mj in mjs)) for part, mjs in energy.items()
            },
            energy_by_rail_pj={} if mode is None else {
                "VDD_CPU_GPU_CV": Interval(0.8e12, 0.4e12, 1.2e12),
                "VDD_SOC": Interval(0.2e12, 0.1e12, 0.4e12),
            },
            actions={f"{stages[0][1]}/items": 1000},
            buffers=[{"buffer": "pixel", "unit": "bytes", "capacity": 16384, "peak": 12288,
                      "mean": 8192.5}],
            bounds=[{"unit": stages[0][1], "what": "Gaussians", "items": 90_000,
                     "interval_cycles": 10.0, "servers": 16, "bound_ps": ms * MS // 2},
                    {"unit": "dram", "what": "bytes at the pins' peak", "items": 43 * MB,
                     "interval_cycles": None, "servers": None, "bound_ps": ms * MS // 4}],
            quality={"exact": psnr is None, "psnr_db": psnr and psnr + i,
                     "ssim": 1.0 if psnr is None else 0.97 + i / 100,
                     "errors": {} if psnr is None else
                     {"order": {"psnr_db": 36.0 + i, "what": "voxels out of order"}}},
        )
        for i, camera in enumerate(cameras)
    ]  # fmt: skip
    return SystemResult(
        name=name,
        machine=machine,
        mode=mode,
        method={"kind": method},
        frames=frames,
        area_mm2=None if area is None else {part: Interval(*mm2) for part, mm2 in area.items()},
        quality={"exact": psnr is None, "psnr_db": psnr, "ssim": 1.0 if psnr is None else 0.97,
                 "errors": {} if psnr is None else
                 {"order": {"psnr_db": 36.0, "what": "voxels out of order"}}},
        workload_counts={"gaussians": 90_000, "visible": 60_000, "pairs": 1_200_000},
        dram_device="lpddr4-3200",
        dram_peak_bytes_per_s=51.2e9,
        fidelity={"kernel": "event", "dram": "row: within 5 % of the cycle model"},
        assumed={f"machines/{machine}: issue_efficiency": "0.75 [0.5, 0.95]: guess for a kernel"},
        notes=["a note about this system"] if name == "gscore" else [],
        images={camera: image(1, 0 if psnr is None else 0.02) for camera in cameras},
    )  # fmt: skip


@pytest.fixture
def results() -> list[SystemResult]:
    return [system_result(name) for name in SYSTEMS]


@pytest.fixture
def two_views() -> list[SystemResult]:
    return [system_result(name, ("a", "b")) for name in SYSTEMS]
