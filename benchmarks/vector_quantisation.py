"""Codebooks of real and built-in scenes: time to train and to assign, and what they cost in PSNR.

Usage: python -P benchmarks/vector_quantisation.py [SCENE ...]

Without arguments: the built-in room, and playbot and biker where ARCHSIM_DATA holds them. CPU
seconds are of all threads. Frames are 1280x720 of an orbit, the mean of two views.
"""

import os
import sys
import time
from pathlib import Path

import numpy as np

from archsim.traces.gs3d.quality import psnr_db
from archsim.traces.gs3d.reference import render_reference
from archsim.traces.gs3d.streaminggs.codebooks import train_codebooks
from archsim.traces.gs3d.streaminggs.parameters import StreamingGsParameters
from archsim.traces.gs3d.streaminggs.quantise import quantise
from archsim.traces.gs3d.streaminggs.record import record_streaminggs
from archsim.traces.gs3d.workload import Gs3dWorkload, load_cameras, load_scene


def timed(function, *arguments, **named):
    wall, cpu = time.perf_counter(), time.process_time()
    result = function(*arguments, **named)
    return result, f"{time.process_time() - cpu:6.1f} s CPU {time.perf_counter() - wall:6.1f} s"


def scenes():
    data = os.environ.get("ARCHSIM_DATA")
    if sys.argv[1:]:
        return sys.argv[1:]
    folder = Path(data or "") / "gs3d" / "playcanvas"
    real = [str(folder / "playbot"), str(folder / "biker.spz")] if data else []
    return [*real, "builtin:room"]


def measure(name):
    workload = Gs3dWorkload(scene=name, cameras={"orbit": {"views": 2}})
    scene = load_scene(workload, seed=0)
    cameras = load_cameras(workload, scene)
    references = [render_reference(scene, camera) for camera in cameras]
    print(f"{scene.name}: {len(scene):,} Gaussians, SH degree {scene.sh_degree}", flush=True)
    books, took = timed(train_codebooks, scene)
    print(f"  training          {took}", flush=True)
    quantised, took = timed(quantise, scene, books)
    print(f"  assignment        {took}", flush=True)
    decoded = quantised.decoded()
    psnr = [
        psnr_db(*(np.clip(image, 0, 1) for image in (render_reference(decoded, c).image, r.image)))
        for c, r in zip(cameras, references)
    ]
    print(f"  VQ alone          {np.mean(psnr):6.2f} dB", flush=True)
    for vq in ("none", "trained"):
        frame = (scene, cameras[0], references[0], StreamingGsParameters(vq=vq))
        record_streaminggs(*frame, codebooks=books)  # compiles
        trace, took = timed(record_streaminggs, *frame, codebooks=books)
        quality = trace.meta["quality"]
        apart = ", ".join(f"{cause} {e['psnr_db']:.2f}" for cause, e in quality["errors"].items())
        print(f"  recording {vq:8s}{took}  {quality['psnr_db']:.2f} dB: {apart}", flush=True)
        for count, value in trace.meta["counts"].items():
            if count.startswith(("vq_saving", "misordered", "filtered", "lost")):
                print(f"    {count:45s}{value:.4f}", flush=True)


for scene_name in scenes():
    measure(scene_name)
