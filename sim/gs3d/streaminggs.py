"""StreamingGS (DAC 2025): voxels streamed in ray order through two filters, sort and render.

The algorithm is executed by :mod:`archsim.traces.gs3d.streaminggs`; this is its timing.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from archsim.arch.machine import Accelerator, Gpu
from archsim.base.errors import ConfigError
from archsim.base.hashing import hash_path
from archsim.sim.gs3d.gscore_constants import CONSTANTS as GSCORE_CONSTANTS
from archsim.sim.gs3d.streaminggs_constants import CONSTANTS, SHARED
from archsim.sim.gs3d.streaminggs_filter import FilterRule
from archsim.sim.gs3d.streaminggs_program import build_program
from archsim.sim.program import Program
from archsim.traces.cache import TraceCache
from archsim.traces.gs3d.finetune.load import load_tuned
from archsim.traces.gs3d.streaminggs.codebooks import CodebookSizes
from archsim.traces.gs3d.streaminggs.grid import voxel_length
from archsim.traces.gs3d.streaminggs.order import OrderRule
from archsim.traces.gs3d.streaminggs.parameters import StreamingGsParameters, VqKind
from archsim.traces.gs3d.streaminggs.record import record_streaminggs
from archsim.traces.gs3d.workload import find_path
from archsim.traces.trace import Detail, Trace

__all__ = ["METHOD", "StreamingGs", "StreamingGsConfig"]


class CodebookEntries(BaseModel):
    """Entries of each codebook; the defaults make the published 250 KB at SH degree 3."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scale: int = Field(default=4096, ge=1, le=65_536, description="entries of scales")
    rotation: int = Field(default=4096, ge=1, le=65_536, description="entries of rotations")
    dc: int = Field(default=4096, ge=1, le=65_536, description="entries of DC colours")
    sh: int = Field(
        default=512, ge=1, le=65_536, description="entries of spherical harmonics of degree 1 to 3"
    )


class StreamingGsConfig(BaseModel):
    """Parameters of the streaminggs method."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["streaminggs"] = "streaminggs"
    voxel_size: str | float = Field(
        default="extent/16",
        description="edge of a voxel: a length in scene units, or extent/K of the largest extent",
    )
    group: tuple[int, int] = Field(
        default=(64, 64), description="width and height of a pixel group, multiples of 16"
    )
    order: OrderRule = Field(
        default="dag",
        description="order of a group's voxels: dag (topological, as the voxel sorting unit), "
        "dag-depth (topological, least view depth first), l1, l2, linf, xyz to zyx (distance in "
        "cells from the camera's voxel), centre (distance from the camera) or depth (view depth; "
        "rays may meet voxels in another order)",
    )
    ray_stride: int = Field(default=1, description="rays through every so many pixels in x and y")
    rays_abreast: int = Field(
        default=16,
        description="neighbouring rays that walk through the grid side by side, as many as "
        "samplers or a multiple; it matters to a machine with a pair_filter alone",
    )
    vq: VqKind = Field(
        default="trained",
        description="vector quantisation of what the fine filter reads: trained (codebooks by "
        "k-means on the scene), palette (a SOG's own palette for the harmonics, the others "
        "trained) or none",
    )
    codebooks: CodebookEntries = Field(
        default_factory=CodebookEntries,
        description="entries of each codebook. Example: {sh: 1024}",
    )
    codebook_seed: int = Field(
        default=0, ge=0, description="seed of the codebooks' training; other seeds show its spread"
    )
    alignment_bytes: int = Field(
        default=32, ge=1, le=4096, description="a voxel starts on a multiple of it in DRAM"
    )
    filter: FilterRule = Field(
        default="both",
        description="filters in front of the sort: both; fine (no coarse filter: all records of a "
        "voxel are read and projected); none (all of them are sorted, too). The image is the same",
    )
    finetuned: str | None = Field(
        default=None,
        description="scene.ply of archsim finetune for the workload's scene: this method streams "
        "it, while other systems and the reference image use the scene itself. "
        "Example: archsim-out/playbot-finetuned/scene.ply",
    )
    max_tasks: int = Field(
        default=60_000,
        ge=1000,
        description="tasks simulated per frame, about; beyond it consecutive voxels of a group "
        "go through the pipeline together",
    )

    @field_validator("voxel_size")
    @classmethod
    def _is_length(cls, value: str | float) -> str | float:
        _as_value_error(lambda: voxel_length(value, 1.0))
        return value

    @field_validator("group")
    @classmethod
    def _is_made_of_tiles(cls, value: tuple[int, int]) -> tuple[int, int]:
        _as_value_error(StreamingGsParameters(group=value).check)
        return value

    @field_validator("ray_stride")
    @classmethod
    def _is_positive(cls, value: int) -> int:
        if value < 1:
            raise ValueError(f"found {value}, expected a whole number of pixels, at least 1")
        return value

    @field_validator("rays_abreast")
    @classmethod
    def _walk_together(cls, value: int) -> int:
        _as_value_error(StreamingGsParameters(rays_abreast=value).check)
        return value

    @field_validator("finetuned")
    @classmethod
    def _is_file(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None:
            return None
        folder = (info.context or {}).get("folder") if isinstance(info.context, dict) else None
        path = find_path(value, folder)
        if not Path(path).is_file():
            raise ValueError(f"no such file {value}; give the scene.ply of archsim finetune")
        return path

    def parameters(self) -> StreamingGsParameters:
        """Return what the trace depends on."""
        return StreamingGsParameters(
            self.voxel_size, self.group, self.order, self.ray_stride, self.rays_abreast, self.vq,
            CodebookSizes(**self.codebooks.model_dump()), self.codebook_seed, self.alignment_bytes,
        )  # fmt: skip


def _as_value_error(check: Any) -> None:
    """Let pydantic name the place of a parameter that the recorder rejects."""
    try:
        check()
    except ConfigError as error:
        raise ValueError(f"{error.message}; {error.remedy}") from error


class StreamingGs:
    """StreamingGS on an accelerator."""

    kind = "streaminggs"
    config: type[BaseModel] = StreamingGsConfig
    machine_kind: Literal["gpu", "accelerator"] = "accelerator"

    def record(
        self, scene: Any, camera: Any, reference: Any, config: Any, *,
        cache: TraceCache | None = None, progress: Callable[[int, int], None] | None = None,
        detail: Detail = "full",
    ) -> Trace:  # fmt: skip
        """Execute the voxel pipeline on the frame and record its work, image and errors."""
        tuned = None if config.finetuned is None else load_tuned(Path(config.finetuned), scene)
        return record_streaminggs(
            scene, camera, reference, config.parameters(), tuned=tuned, cache=cache,
            progress=progress, detail=detail,
        )  # fmt: skip

    def trace_parameters(self, config: Any, detail: Detail = "full") -> dict[str, Any]:
        """Return grid, groups, order, rays, codebooks and the tuned scene's content."""
        tuned = None if config.finetuned is None else hash_path(Path(config.finetuned))
        less = {} if detail == "full" else {"detail": detail}
        return {**config.parameters().meta(), "finetuned": tuned, **less}

    def program(self, trace: Trace, machine: Accelerator | Gpu, mode: str | None,
                config: Any) -> Program:  # fmt: skip
        """Return the frame as a program for the accelerator."""
        if not isinstance(machine, Accelerator):
            raise ConfigError(
                f"method streaminggs runs on an accelerator, and {machine.name} is a GPU",
                place="machine",
                remedy="choose the machine streaminggs",
            )
        return build_program(trace, machine, config.max_tasks, config.filter)

    def fidelity(self) -> str:
        """Return what the timing model is and is not."""
        return (
            "task graph of voxels per pixel group: stages overlap and stall on buffers and DRAM; "
            "units hand over whole voxels, and several together beyond max_tasks: 6,000 or 1,500 "
            "tasks instead of 60,000 gave frames of two scenes 3 to 6 % shorter; ports bound "
            "stages, bank conflicts are left out; survivors of a voxel that do not fit on chip go "
            "through DRAM (assumed); voxels that may come next are taken nearest first, which "
            "needs distances that the published sorting unit is not said to have; "
            "codebooks decode as fast as their ports allow, within the fine filter's time; filter "
            "units cost the same per item at every SH degree; not compared with RTL"
        )

    def assumed(self) -> dict[str, str]:
        """Return the method's own assumed constants: place -> value, range and source."""
        constants = {**CONSTANTS, **{name: GSCORE_CONSTANTS[name] for name in SHARED}}
        return {
            f"method.{name}": f"{c.value:g} ({c.low:g} to {c.high:g}): {c.source}"
            for name, c in constants.items()
            if c.assumed
        }


METHOD = StreamingGs()
