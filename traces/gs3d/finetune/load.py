"""Read a fine-tuned scene back, and make sure that it belongs to the scene it stands for."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from archsim.base.errors import ConfigError
from archsim.base.hashing import hash_path
from archsim.traces.gs3d.formats import load_scene_file
from archsim.traces.gs3d.scene import Scene

__all__ = ["load_tuned"]

_PLACE = "method.finetuned"


def load_tuned(path: Path, scene: Scene) -> Scene:
    """Return the fine-tuned scene of ``path``, a scene file with ``scene``'s centres.

    Raises :class:`ConfigError` for one of another count, other centres or another SH degree, and
    :class:`InputError` for a file that cannot be used.
    """
    tuned = _load(path, hash_path(path) if path.is_file() else "")
    remedy = f"fine-tune this scene (archsim finetune), or leave {_PLACE} out"
    if len(tuned) != len(scene):
        raise ConfigError(
            f"{path} has {len(tuned):,} Gaussians and scene {scene.name} has {len(scene):,}: it "
            "was tuned from another scene or level of detail",
            place=_PLACE, remedy=remedy,
        )  # fmt: skip
    if not np.array_equal(tuned.means, scene.means):
        moved = int(np.any(tuned.means != scene.means, axis=1).sum())
        raise ConfigError(
            f"{moved:,} of {len(scene):,} centres of {path} are not those of scene {scene.name}: "
            "fine-tuning does not move them, so it was tuned from another scene",
            place=_PLACE, remedy=remedy,
        )  # fmt: skip
    if tuned.sh_degree != scene.sh_degree:
        raise ConfigError(
            f"{path} has spherical harmonics of degree {tuned.sh_degree} and scene {scene.name} "
            f"of degree {scene.sh_degree}",
            place=_PLACE, remedy=remedy,
        )  # fmt: skip
    return tuned


@lru_cache(maxsize=1)
def _load(path: Path, _content: str) -> Scene:
    return load_scene_file(path)
