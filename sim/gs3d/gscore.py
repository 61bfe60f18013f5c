"""GSCore: tile-based 3D Gaussian Splatting on the accelerator of Lee et al. (ASPLOS 2024)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from archsim.arch.machine import Accelerator, Gpu
from archsim.base.errors import ConfigError
from archsim.sim.gs3d.gscore_constants import assumed_constants
from archsim.sim.gs3d.gscore_program import build_program
from archsim.sim.program import Program
from archsim.traces.cache import TraceCache
from archsim.traces.gs3d.gscore.record import GscoreParameters, record_gscore
from archsim.traces.trace import Detail, Trace

__all__ = ["METHOD", "Gscore", "GscoreConfig"]


class GscoreConfig(BaseModel):
    """Parameters of the GSCore method."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["gscore"] = "gscore"
    subtile: Literal[4, 8, 16] = Field(
        default=8, description="side of a subtile in pixels; 16 is the tile: no subtile skipping"
    )
    chunk: int = Field(
        default=256, ge=16, le=4096, description="most entries of a precisely sorted depth chunk"
    )
    obb_min_aspect: float = Field(
        default=2.0, ge=1.0, description="ratio of a Gaussian's principal axes above which the "
        "oriented box is tested; below it, the axis-aligned one",
    )  # fmt: skip
    obb_sigmas: float = Field(
        default=3.0, gt=0.0, le=8.0, description="extent of the oriented box along each axis, in "
        "standard deviations",
    )  # fmt: skip

    def parameters(self) -> GscoreParameters:
        """Return what the trace depends on."""
        return GscoreParameters(self.subtile, self.chunk, self.obb_min_aspect, self.obb_sigmas)


class Gscore:
    """GSCore's algorithm and its mapping to an accelerator with GSCore's units."""

    kind = "gscore"
    config: type[BaseModel] = GscoreConfig
    machine_kind: Literal["gpu", "accelerator"] = "accelerator"

    def record(
        self, scene: Any, camera: Any, reference: Any, config: Any, *,
        cache: TraceCache | None = None, progress: Callable[[int, int], None] | None = None,
        detail: Detail = "full",
    ) -> Trace:  # fmt: skip
        """Execute GSCore's algorithm; see :func:`record_gscore` for the trace's columns."""
        return record_gscore(scene, camera, reference, config.parameters())

    def trace_parameters(self, config: Any, detail: Detail = "full") -> dict[str, Any]:
        """Return the parameters that the trace depends on: all but the kind."""
        parameters: dict[str, Any] = config.model_dump(exclude={"kind"})
        return parameters

    def program(self, trace: Trace, machine: Accelerator | Gpu, mode: str | None,
                config: Any) -> Program:  # fmt: skip
        """Turn a trace into a program; :class:`ConfigError` for a machine it does not fit."""
        if not isinstance(machine, Accelerator):
            raise ConfigError(
                f"gscore runs on an accelerator, {machine.name} is a {machine.kind}",
                place=f"machine {machine.name}",
                remedy="choose an accelerator such as gscore, or the method tile-raster",
            )
        if mode is not None:
            raise ConfigError(
                f"{machine.name} has no power modes, found {mode!r}",
                place=f"machine {machine.name}",
                remedy="leave mode out",
            )
        return build_program(trace, machine)

    def fidelity(self) -> str:
        """Return what the timing model is and is not."""
        return (
            "chunk-level tokens on the units of four cores, in order per core, with double buffers "
            "as credits; ports bound stages, bank conflicts are left out; Gaussians stream through "
            "the input FIFO, whose depth beyond two per conversion unit changes nothing; counts "
            "recorded from the scene; unit latencies and dataflow second-hand, not compared with "
            "GSCore's own simulator"
        )

    def assumed(self) -> dict[str, str]:
        """Return the method's own assumed constants: place -> value, range and source."""
        return assumed_constants()


METHOD = Gscore()
