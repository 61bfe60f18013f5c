"""Tile raster: 3D Gaussian Splatting as INRIA's CUDA kernels run it, on a GPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from archsim.arch.machine import Accelerator, Gpu
from archsim.base.errors import ConfigError
from archsim.sim.gpu.device import Device
from archsim.sim.gpu.program import fidelity, gpu_program
from archsim.sim.gs3d.tile_raster_costs import assumed_costs
from archsim.sim.gs3d.tile_raster_kernels import Sort, tile_raster_kernels
from archsim.sim.program import Program
from archsim.traces.cache import TraceCache
from archsim.traces.gs3d.tile_raster import record_tile_raster
from archsim.traces.trace import Detail, Trace

__all__ = ["METHOD", "TileRaster", "TileRasterConfig"]


class TileRasterConfig(BaseModel):
    """Parameters of the tile-raster method."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["tile-raster"] = "tile-raster"
    sort: Sort = Field(
        default="onesweep",
        description="CUB's radix sort: onesweep (8-bit digits, 2n traffic per pass) or two-sweep "
        "(7-bit digits, 3n)",
    )


class TileRaster:
    """INRIA's rasteriser on a GPU; its image is the reference."""

    kind = "tile-raster"
    config: type[BaseModel] = TileRasterConfig
    machine_kind: Literal["gpu", "accelerator"] = "gpu"

    def record(
        self, scene: Any, camera: Any, reference: Any, config: Any, *,
        cache: TraceCache | None = None, progress: Callable[[int, int], None] | None = None,
        detail: Detail = "full",
    ) -> Trace:  # fmt: skip
        """Record the frame's work from the reference render."""
        return record_tile_raster(scene, camera, reference)

    def trace_parameters(self, config: Any, detail: Detail = "full") -> dict[str, Any]:
        """Return no parameters: the sort changes the program, not the trace."""
        return {}

    def program(self, trace: Trace, machine: Accelerator | Gpu, mode: str | None,
                config: Any) -> Program:  # fmt: skip
        """Return the frame's kernels as a program for the GPU in ``mode``."""
        if not isinstance(machine, Gpu):
            raise ConfigError(
                f"method tile-raster runs on a GPU, and {machine.name} is an accelerator",
                place="machine",
                remedy="choose a machine of kind gpu",
            )
        device = Device.of(machine, mode)
        return gpu_program(tile_raster_kernels(trace, device, config.sort), device)

    def fidelity(self) -> str:
        """Return what the timing model is and is not."""
        return fidelity()

    def assumed(self) -> dict[str, str]:
        """Return the method's own assumed constants: place -> value, range and source."""
        return assumed_costs()


METHOD = TileRaster()
