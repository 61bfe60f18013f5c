"""What a method is to the rest of archsim, and the registry of methods."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, Literal, Protocol

from pydantic import BaseModel

from archsim.arch.machine import Accelerator, Gpu
from archsim.sim.program import Program
from archsim.traces.cache import TraceCache
from archsim.traces.trace import Detail, Trace

__all__ = ["METHODS", "Method", "load_method"]


class Method(Protocol):
    """The algorithm half of a co-design: records a trace, and turns it into a program.

    Attributes
    ----------
    kind
        Name in configurations, e.g. ``tile-raster``.
    config
        pydantic model of the method's parameters (with ``kind``); forbids unknown keys.
    machine_kind
        The kind of machine the method runs on.
    """

    kind: str
    config: type[BaseModel]
    machine_kind: Literal["gpu", "accelerator"]

    def record(
        self, scene: Any, camera: Any, reference: Any, config: Any, *,
        cache: TraceCache | None = None, progress: Callable[[int, int], None] | None = None,
        detail: Detail = "full",
    ) -> Trace:  # fmt: skip
        """Execute the method on the workload and record it.

        ``reference`` is the reference render of the same frame. The trace's ``meta`` holds
        ``quality`` (exact, psnr_db, ssim, errors) and ``counts`` (totals for reports); its
        columns hold ``image``, (H, W, 3) uint8, and where that is not exact ``error``, (H, W)
        float16; ``image.<cause>`` and ``error.<cause>`` may show causes apart. ``cache`` keeps what
        several frames share; ``progress`` is called with steps done and in total. With ``detail``
        ``work`` a method may leave out images and what explains their errors. The trace depends
        on the scene, the camera and those parameters that :meth:`trace_parameters` returns, and on
        nothing else.
        """
        ...

    def trace_parameters(self, config: Any, detail: Detail = "full") -> dict[str, Any]:
        """Return the JSON-able parameters that the trace depends on (its cache key).

        ``detail`` is among them where the method records less for it.
        """
        ...

    def program(self, trace: Trace, machine: Accelerator | Gpu, mode: str | None,
                config: Any) -> Program:  # fmt: skip
        """Turn a trace into the program that ``machine`` (in power mode ``mode``) executes."""
        ...

    def fidelity(self) -> str:
        """Return what the method's timing model is and is not, for reports."""
        ...

    def assumed(self) -> dict[str, str]:
        """Return the method's own assumed constants: place -> value, range and source."""
        ...


#: kind -> module that holds the method as ``METHOD``
METHODS: dict[str, str] = {
    "tile-raster": "archsim.sim.gs3d.tile_raster",
    "gscore": "archsim.sim.gs3d.gscore",
    "streaminggs": "archsim.sim.gs3d.streaminggs",
}


def load_method(kind: str) -> Method:
    """Return the method of this kind (a key of :data:`METHODS`)."""
    method: Method = importlib.import_module(METHODS[kind]).METHOD
    return method
