"""Built-in scenes, made by formula: seeded, of any size and SH degree, shaped like trained ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches

from pydantic import BaseModel, ConfigDict, Field

from archsim.base.errors import ConfigError
from archsim.traces.gs3d.builtin import room as room_scene
from archsim.traces.gs3d.builtin import still_life
from archsim.traces.gs3d.builtin.gaussians import SCRATCH_BYTES_PER_GAUSSIAN, gaussians_on
from archsim.traces.gs3d.builtin.stage import Stage
from archsim.traces.gs3d.cameras import CameraPath, Keyframe
from archsim.traces.gs3d.scene import Scene

__all__ = ["BUILTINS", "BUILTIN_PREFIX", "BuiltinScene", "BuiltinViews", "builtin_scene"]

#: How configurations name a built-in scene: ``builtin:room``.
BUILTIN_PREFIX = "builtin:"


class BuiltinViews(BaseModel):
    """Views that belong to a built-in scene, along its own path."""

    model_config = ConfigDict(extra="forbid")

    views: int = Field(default=1, ge=1, description="Number of views along the path. Example: 4")
    fov_deg: float = Field(
        default=75.0, gt=0, lt=180, description="Horizontal field of view in degrees. Example: 75"
    )


@dataclass(frozen=True)
class BuiltinScene:
    """One of the family.

    Attributes
    ----------
    name, summary
        For configurations and lists.
    default_gaussians
        Gaussians when the configuration does not say.
    stage
        Returns the surfaces and lights for a seed.
    keyframes
        Position and target of the scene's own views.
    """

    name: str
    summary: str
    default_gaussians: int
    stage: Callable[[int], Stage]
    keyframes: tuple[Keyframe, ...]

    def scratch_bytes(self, gaussians: int) -> int:
        """Return the memory that making the scene needs beyond its arrays."""
        return SCRATCH_BYTES_PER_GAUSSIAN * gaussians

    def make(self, gaussians: int, sh_degree: int, seed: int) -> Scene:
        """Return the scene with exactly so many Gaussians; equal arguments, equal bytes."""
        source = {"format": "builtin", "name": self.name, "gaussians": gaussians,
                  "sh_degree": sh_degree, "seed": seed}  # fmt: skip
        means, scales, quats, opacities, sh = gaussians_on(
            self.stage(seed), gaussians, sh_degree, seed
        )
        return Scene(means, scales, quats, opacities, sh, self.name, source)

    def views(self, asked: BuiltinViews) -> CameraPath:
        """Return the scene's own camera path."""
        return CameraPath(keyframes=list(self.keyframes), views=asked.views, fov_deg=asked.fov_deg)


BUILTINS = {
    made.name: made
    for made in (
        BuiltinScene("object", "a still life on a round table", 100_000, still_life.stage,
                     still_life.KEYFRAMES),
        BuiltinScene("room", "a furnished living room, open at the front like a doll's house",
                     200_000, room_scene.stage, room_scene.KEYFRAMES),
    )
}  # fmt: skip


def builtin_scene(name: str) -> BuiltinScene:
    """Return a built-in by name; :class:`ConfigError` lists the names there are."""
    if name not in BUILTINS:
        near = get_close_matches(name, BUILTINS, n=1)
        raise ConfigError(
            f"no built-in scene {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""),
            place="workload.scene",
            remedy="use " + " or ".join(BUILTIN_PREFIX + n for n in BUILTINS),
        )
    return BUILTINS[name]
