"""Speed of fine-tuning: playbot LOD 2, 16 views at 400 x 400; target 300 steps in 15 minutes.

Run as ``python -P benchmarks/finetune.py SCENE [--lod N] [--steps N]``; without a scene a built-in
one of as many Gaussians. Prints CPU and wall seconds of the parts, and of 300 steps.
"""

import argparse
import time
from contextlib import contextmanager

from archsim.traces.gs3d.finetune.settings import Settings
from archsim.traces.gs3d.finetune.trainer import Trainer
from archsim.traces.gs3d.finetune.views import make_views, orbit_split
from archsim.traces.gs3d.workload import Gs3dWorkload, load_scene

_STEPS = 300
_TARGET_S = 900


@contextmanager
def timed(what, found):
    cpu, wall = time.process_time(), time.perf_counter()
    yield
    found[what] = (time.process_time() - cpu, time.perf_counter() - wall)
    print(f"{what:28} {found[what][0]:8.1f} s CPU {found[what][1]:8.1f} s wall", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scene", nargs="?", default="builtin:object")
    parser.add_argument("--lod", type=int)
    parser.add_argument("--steps", type=int, default=30, help="steps measured, of 300")
    given = parser.parse_args()
    builtin = {"gaussians": 125_000, "sh_degree": 2} if given.scene.startswith("builtin:") else {}
    workload = Gs3dWorkload(scene=given.scene, lod=given.lod, **builtin)
    scene = load_scene(workload, seed=0)
    print(f"{scene.name}: {len(scene):,} Gaussians, SH degree {scene.sh_degree}")
    split = orbit_split(scene, 16, (400, 400))
    found = {}
    with timed("compiling, one small step", found):
        some = make_views(scene, split.training[:1], None)
        Trainer(scene, some, Settings(steps=1, quantise=False)).train_step()
    with timed("16 training views", found):
        views = make_views(scene, split.training, None)
    with timed("codebooks and weights", found):
        trainer = Trainer(scene, views, Settings(steps=_STEPS))
    with timed(f"{given.steps} steps", found):
        for _ in range(given.steps):
            trainer.train_step()
    cpu, wall = (
        found["16 training views"][i] + found["codebooks and weights"][i]
        + found[f"{given.steps} steps"][i] * _STEPS / given.steps
        for i in range(2)
    )  # fmt: skip
    verdict = "within" if wall < _TARGET_S else "over"
    print(f"{_STEPS} steps, all but judging: {cpu:.0f} s CPU, {wall:.0f} s wall; "
          f"{verdict} the target of {_TARGET_S} s")  # fmt: skip


if __name__ == "__main__":
    main()
