"""What each number format of the RTL costs: PSNR on real tiles, one format changed at a time.

    python benchmarks/rtl_formats.py SCENE... [--tiles 64] [--voxel extent/16]

Against the float renderer, from the same stored scene and in the same order of voxels; over the
tiles that any Gaussian reaches, the busiest of a view of 800x800.
"""

from __future__ import annotations

import argparse
import math

import numpy as np

from archsim.rtl.arithmetic.falloff import widths
from archsim.rtl.arithmetic.fine import COLOUR, MEAN, SLOPE
from archsim.rtl.golden import Variant, golden_tiles
from archsim.rtl.parameters import load_parameters
from archsim.rtl.quality import float_tiles
from archsim.rtl.scene_image import build_image
from archsim.traces.cache import TraceCache
from archsim.traces.gs3d.workload import Gs3dWorkload, load_cameras, load_scene


def variants() -> dict[str, Variant]:
    w = widths()
    rows: dict[str, Variant] = {"as built": Variant()}
    for bits in (8, 10, 12, 14):
        rows[f"filters' floats: {bits} fraction bits"] = Variant(float_cut=16 - bits)
    for bits in (2, 3, 4, 5):
        cut = dict.fromkeys(("mean_x", "mean_y"), MEAN.f - bits)
        rows[f"mean: .{bits}"] = Variant(feature_cut=cut)
    for bits in (4, 6, 8):
        rows[f"slope: .{bits}"] = Variant(feature_cut={"slope": SLOPE.f - bits})
    for bits in (8, 10, 12):
        cut = dict.fromkeys(("sharp_x", "sharp_y"), 14 - bits + 2)
        rows[f"sharpness: {bits} bits"] = Variant(feature_cut=cut)
    for bits in (4, 6):
        cut = dict.fromkeys(("red", "green", "blue"), COLOUR.f - bits)
        rows[f"colour: .{bits}"] = Variant(feature_cut=cut)
    for bits in (8, 10, 14):
        changed = w._replace(alpha_f=bits, alpha_max=int(0.99 * 2**bits),
                             alpha_min=math.ceil(2**bits / 255))  # fmt: skip
        rows[f"alpha: .{bits}"] = Variant(widths=changed, alpha_bits=bits)
    for bits in (10, 12, 14, 20):
        changed = w._replace(opaque=1 << bits, t_min=math.ceil(1e-4 * 2**bits),
                             sum_high=(2 << bits) - 1)  # fmt: skip
        rows[f"transmittance, sums: .{bits}"] = Variant(widths=changed)
    for bits in (8, 10):
        changed = w._replace(distance_f=bits, distance_high=(4 << bits) - 1)
        rows[f"distance: .{bits}"] = Variant(widths=changed)
    for bits in (7, 8):
        changed = w._replace(falloff_f=bits, falloff_high=(16 << bits) - 1,
                             exponent_high=(8 << bits) - 1)  # fmt: skip
        rows[f"exponent: .{bits}"] = Variant(widths=changed)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenes", nargs="+")
    parser.add_argument("--tiles", type=int, default=64)
    parser.add_argument("--voxel", default="extent/16")
    arguments = parser.parse_args()
    p = load_parameters("streaminggs", "rtl-small")
    prepared = []
    for scene in arguments.scenes:
        workload = Gs3dWorkload.model_validate({"scene": scene, "resolution": [800, 800]})
        loaded = load_scene(workload, seed=0)
        camera = load_cameras(workload, loaded)[0]
        image = build_image(loaded, arguments.voxel, p, TraceCache.default())
        every = golden_tiles(image, camera, range(0, 2500, 3), p)
        work = np.bincount(every.visits.tile, every.visits.pixels, 834)
        tiles = sorted(int(t) * 3 for t in np.argsort(-work)[: arguments.tiles])
        floats = float_tiles(image, camera, golden_tiles(image, camera, tiles, p))
        prepared.append((image, camera, tiles, floats[..., :3]))
    print(f"{'':34}" + "".join(f"{s.rstrip('/').split('/')[-1]:>24}" for s in arguments.scenes))
    for name, variant in variants().items():
        cells = []
        for image, camera, tiles, floats in prepared:
            golden = golden_tiles(image, camera, tiles, p, variant=variant)
            scale = 2.0 / (variant.widths.sum_high + 1)
            raw = golden.pixels[..., :3] * scale
            shaped = raw.reshape(-1, 2, 2, 8, 8, 3).transpose(0, 1, 3, 2, 4, 5)
            apart = shaped.reshape(-1, 16, 16, 3) - floats
            psnr = -10 * math.log10(float(np.mean(apart**2)))
            cells.append(f"{psnr:14.1f} dB {255 * float(np.abs(apart).max()):6.1f}")
        print(f"{name:34}" + "".join(cells), flush=True)


if __name__ == "__main__":
    main()
