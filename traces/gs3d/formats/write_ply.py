"""Write a scene as INRIA's .ply, the layout that :mod:`inria_ply` reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from archsim.base.files import write_whole
from archsim.traces.gs3d.formats.scene_file import BLOCK
from archsim.traces.gs3d.scene import Scene

__all__ = ["write_inria_ply"]

#: Opacities 0 and 1 have no finite logit.
_CLOSEST = 1e-7


def write_inria_ply(scene: Scene, path: Path) -> None:
    """Write a scene, whole or not at all: 62 floats per Gaussian at degree 3, as INRIA's training.

    Normals are zero. Scales become logarithms and opacities logits in float32, so that reading
    gives values within rounding; equal values stay equal. Raises :class:`OutputError`.
    """
    rest = 3 * (scene.sh.shape[1] - 1)
    names = [
        *("x", "y", "z", "nx", "ny", "nz", "f_dc_0", "f_dc_1", "f_dc_2"),
        *(f"f_rest_{i}" for i in range(rest)),
        *("opacity", "scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3"),
    ]
    head = ["ply", "format binary_little_endian 1.0", f"element vertex {len(scene)}"]
    head += [f"property float {name}" for name in names]
    with write_whole(path) as stream:
        stream.write("\n".join([*head, "end_header", ""]).encode())
        for start in range(0, len(scene), BLOCK):
            part = slice(start, min(start + BLOCK, len(scene)))
            opacity = np.clip(scene.opacities[part].astype(np.float64), _CLOSEST, 1.0 - _CLOSEST)
            count = len(opacity)
            table = np.concatenate(
                [
                    scene.means[part],
                    np.zeros((count, 3)),
                    scene.sh[part, 0],
                    scene.sh[part, 1:].transpose(0, 2, 1).reshape(count, rest),
                    np.log(opacity / (1.0 - opacity))[:, None],
                    np.log(scene.scales[part].astype(np.float64)),
                    scene.quats[part],
                ],
                axis=1,
            )
            stream.write(table.astype("<f4").tobytes())
