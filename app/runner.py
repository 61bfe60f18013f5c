"""A run: scene, cameras, one trace per method and camera, one program per system, simulated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from archsim.base.hashing import hash_data
from archsim.config import ResolvedRun, SystemPlan
from archsim.heatmap import heat_map
from archsim.progress import Reporter
from archsim.sim.area import area_mm2
from archsim.sim.engine import Engine
from archsim.sim.program import Program
from archsim.sim.provenance import assumed_constants
from archsim.sim.result import FrameResult, SystemResult
from archsim.sim.simulate import fidelity, row_dram, simulate
from archsim.traces.cache import TraceCache, trace_key
from archsim.traces.gs3d.camera import Camera
from archsim.traces.gs3d.cameras import Bounds, bounds_of
from archsim.traces.gs3d.images import to_uint8
from archsim.traces.gs3d.reference import Reference, render_reference
from archsim.traces.gs3d.scene import Scene
from archsim.traces.gs3d.statistics import scene_warnings
from archsim.traces.gs3d.workload import load_cameras, load_scene, scene_key
from archsim.traces.trace import Detail, Trace

__all__ = ["Outcome", "Recorder", "mean_quality", "run_programs", "run_systems"]

_REFERENCE = "reference"
_DOUBT = "No evidence"  # how a method's note begins when its figures say little for this workload


@dataclass
class Outcome:
    """What a run gave.

    Attributes
    ----------
    results
        One per system, in the configuration's order.
    scene
        Facts of the scene for reports: name, gaussians, sh_degree, source.
    inputs
        Content hashes of the scene and of each camera.
    images : name of a file without ``.png`` -> (H, W, 3) uint8
        ``<system>-<camera>``, ``<system>-<camera>-<cause>`` and ``reference-<camera>``; with
        ``-error`` behind it the map of an image's error.
    notes
        Warnings a user should see with the result: of the scene and of the methods.
    traces_recorded, traces_reused
        How many traces were recorded now, and how many came from the cache.
    engines : name of a system -> the executors that its frames were simulated with
    """

    results: list[SystemResult]
    scene: dict[str, Any]
    inputs: dict[str, Any]
    images: dict[str, npt.NDArray[np.uint8]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    traces_recorded: int = 0
    traces_reused: int = 0
    engines: dict[str, list[str]] = field(default_factory=dict)


def run_systems(run: ResolvedRun, *, cache: TraceCache, reporter: Reporter,
                engine: Engine = "auto") -> Outcome:  # fmt: skip
    """Run every system of a configuration on every camera.

    The scene is decoded, and a camera's reference rendered, only when a trace is missing.
    """
    recorder = Recorder(run, cache, reporter)
    cameras = recorder.cameras()
    frames: dict[str, list[FrameResult]] = {plan.name: [] for plan in run.systems}
    metas: dict[str, list[dict[str, Any]]] = {plan.name: [] for plan in run.systems}
    images: dict[str, npt.NDArray[np.uint8]] = {}
    for camera in cameras:
        for plan in run.systems:
            trace = recorder.trace(plan, camera)
            with reporter.step(f"simulating {plan.name}, {camera.name}") as progress:
                program = plan.method.program(trace, plan.machine, plan.mode, plan.config)
                frame = simulate(
                    program, plan.machine, plan.mode, camera.name, engine=engine, progress=progress
                )
            frames[plan.name].append(replace(frame, quality=trace.meta["quality"]))
            metas[plan.name].append(trace.meta)
            images |= _images(f"{plan.name}-{camera.name}", trace)
        images[f"{_REFERENCE}-{camera.name}"] = recorder.reference_image(camera)
        recorder.forget_camera()
    results = [_system(plan, frames[plan.name], metas[plan.name]) for plan in run.systems]
    return Outcome(
        results,
        recorder.facts,
        {"scene": recorder.scene_key, "cameras": {c.name: _camera_data(c) for c in cameras}},
        images,
        [f"warning: {text}" for text in recorder.facts["warnings"]] + _method_notes(metas),
        recorder.recorded,
        recorder.reused,
        {name: sorted({frame.engine for frame in mine}) for name, mine in frames.items()},
    )


def run_programs(
    run: ResolvedRun, *, cache: TraceCache, reporter: Reporter
) -> Iterator[tuple[SystemPlan, Camera, Program, bool]]:
    """Give the program of every system and camera, and whether its trace had to be recorded."""
    recorder = Recorder(run, cache, reporter)
    for camera in recorder.cameras():
        for plan in run.systems:
            recorded = recorder.recorded
            trace = recorder.trace(plan, camera)
            program = plan.method.program(trace, plan.machine, plan.mode, plan.config)
            yield plan, camera, program, recorder.recorded > recorded
        recorder.forget_camera()


class Recorder:
    """Gives traces: from memory, from the cache, or by recording them."""

    def __init__(self, run: ResolvedRun, cache: TraceCache, reporter: Reporter,
                 detail: Detail = "full"):  # fmt: skip
        self._detail: Detail = detail
        self._run, self._cache, self._reporter = run, cache, reporter
        self._workload, self._seed = run.config.workload, run.config.seed
        self._scene: Scene | None = None
        self._reference: tuple[str, Reference] | None = None  # of the camera rendered last
        self._here: dict[str, Trace] = {}  # traces of the present camera
        self.recorded = self.reused = 0
        with reporter.step("reading the scene's identity"):
            self.scene_key = scene_key(self._workload, self._seed)
        facts = self._facts()
        self.facts = facts.meta
        self._bounds = Bounds(facts.columns["low"], facts.columns["high"])

    def cameras(self) -> list[Camera]:
        """Return the cameras, without the scene."""
        return load_cameras(self._workload, self._bounds)

    def trace(self, plan: SystemPlan, camera: Camera) -> Trace:
        """Return the trace of a system's method for a camera."""
        parameters = plan.method.trace_parameters(plan.config, self._detail)
        key = self._key(plan.method.kind, camera, parameters)
        if key in self._here:
            return self._here[key]
        trace = self._cache.load(key)
        if trace is None:
            with self._cache.recording(key):
                trace = self._cache.load(key)  # another process may have recorded it meanwhile
                if trace is None:
                    trace = self._record(plan, camera)
                    self._cache.store(key, trace)
                    self.recorded += 1
                else:
                    self.reused += 1
        else:
            self.reused += 1
        self._here[key] = trace
        return trace

    def reference_image(self, camera: Camera) -> npt.NDArray[np.uint8]:
        """Return the reference image of a camera."""
        key = self._key(_REFERENCE, camera, {})
        trace = self._cache.load(key)
        if trace is None:
            image = to_uint8(self._rendered(camera).image)
            trace = Trace(f"gs3d/{_REFERENCE}", {}, {"image": image})
            self._cache.store(key, trace)
        return trace.columns["image"]

    @property
    def held_bytes(self) -> int:
        """Size of the traces in memory."""
        return sum(c.nbytes for trace in self._here.values() for c in trace.columns.values())

    def forget_camera(self) -> None:
        """Free what belongs to the present camera."""
        self._reference = None
        self._here.clear()

    def _key(self, what: str, camera: Camera, parameters: dict[str, Any]) -> str:
        return trace_key(
            {
                "what": what,
                "scene": self.scene_key,
                "camera": _camera_data(camera),
                "parameters": parameters,
            }
        )

    def _facts(self) -> Trace:
        """Return what runs need of a scene besides its traces: bounds, name, size."""
        key = trace_key({"what": "facts", "scene": self.scene_key})
        facts = self._cache.load(key)
        if facts is None:
            scene = self._decoded()
            bounds = bounds_of(scene)
            meta = {
                "name": scene.name,
                "gaussians": len(scene),
                "sh_degree": scene.sh_degree,
                "source": scene.source,
                "warnings": scene_warnings(scene),
            }
            facts = Trace("gs3d/facts", meta, {"low": bounds.low, "high": bounds.high})
            self._cache.store(key, facts)
        return facts

    def _decoded(self) -> Scene:
        if self._scene is None:
            with self._reporter.step("reading the scene") as progress:
                self._scene = load_scene(
                    self._workload,
                    seed=self._seed,
                    memory_limit_bytes=self._run.config.memory_limit,
                    cache=self._cache,
                    progress=progress,
                )
        return self._scene

    def _rendered(self, camera: Camera) -> Reference:
        key = self._key(_REFERENCE, camera, {})
        if self._reference is None or self._reference[0] != key:
            scene = self._decoded()
            with self._reporter.step(f"rendering the reference, {camera.name}") as progress:
                image = render_reference(
                    scene, camera, progress=lambda share: progress(round(share * 1000), 1000)
                )
            self._reference = key, image
        return self._reference[1]

    def _record(self, plan: SystemPlan, camera: Camera) -> Trace:
        scene, reference = self._decoded(), self._rendered(camera)
        with self._reporter.step(f"recording {plan.method.kind}, {camera.name}") as progress:
            return plan.method.record(
                scene, camera, reference, plan.config, cache=self._cache, progress=progress,
                detail=self._detail,
            )  # fmt: skip


def _method_notes(metas: dict[str, list[dict[str, Any]]]) -> list[str]:
    """Return the methods' notes that doubt this very workload; others hold for every run."""
    found: dict[str, None] = {}
    for name, traces in metas.items():
        for text in (text for meta in traces for text in meta.get("notes", [])):
            if text.startswith(_DOUBT):
                found[f"warning: {name}: {text}"] = None
    return list(found)


def _camera_data(camera: Camera) -> dict[str, Any]:
    return {
        "size": [camera.width, camera.height],
        "intrinsics": [camera.fx, camera.fy, camera.cx, camera.cy],
        "pose": hash_data(np.asarray(camera.world_to_camera, np.float64).tolist()),
    }


def _images(name: str, trace: Trace) -> dict[str, npt.NDArray[np.uint8]]:
    """Return a trace's images: the frame, renders with one error each, and maps of the errors."""
    found = {}
    for column, values in trace.columns.items():
        kind, _, cause = column.partition(".")
        named = f"{name}-{cause}" if cause else name
        if kind == "image":
            found[named] = values
        elif kind == "error":
            found[f"{named}-error"] = heat_map(values)
    return found


def _system(
    plan: SystemPlan, frames: list[FrameResult], metas: list[dict[str, Any]]
) -> SystemResult:
    machine = plan.machine
    return SystemResult(
        name=plan.name,
        machine=machine.name,
        mode=plan.mode,
        method=plan.config.model_dump(mode="json"),
        frames=frames,
        area_mm2=area_mm2(machine),
        quality=mean_quality([meta["quality"] for meta in metas]),
        workload_counts=_mean_counts([meta["counts"] for meta in metas]),
        fidelity={"method": plan.method.fidelity(), **fidelity(machine)},
        dram_device=machine.memory.device,
        dram_peak_bytes_per_s=row_dram(machine, plan.mode).peak_bytes_per_s,
        assumed={**assumed_constants(machine, plan.mode), **plan.method.assumed()},
        notes=list(
            dict.fromkeys([*machine.notes, *(n for m in metas for n in m.get("notes", []))])
        ),
    )


def mean_quality(frames: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the mean over frames; PSNR over the frames that are not exact."""
    psnr = [f["psnr_db"] for f in frames if f["psnr_db"] is not None]
    causes = dict.fromkeys(cause for f in frames for cause in f["errors"])
    return {
        "exact": all(f["exact"] for f in frames),
        "psnr_db": sum(psnr) / len(psnr) if psnr else None,
        "ssim": sum(f["ssim"] for f in frames) / len(frames),
        "errors": {
            cause: _mean_error([f["errors"].get(cause) for f in frames]) for cause in causes
        },
    }


def _mean_error(frames: list[dict[str, Any] | None]) -> dict[str, Any]:
    known = [f for f in frames if f is not None]
    psnr = [f["psnr_db"] for f in known if f["psnr_db"] is not None]
    return {"psnr_db": sum(psnr) / len(psnr) if psnr else None, "what": known[0]["what"]}


def _mean_counts(frames: list[dict[str, Any]]) -> dict[str, Any]:
    if len(frames) == 1:
        return dict(frames[0])
    return {
        name: sum(f[name] for f in frames) / len(frames)
        if isinstance(value, (int, float))
        else value
        for name, value in frames[0].items()
    }
