"""What a study explores: a run configuration whose systems are evaluated one by one.

A *system* (method x machine) is what is computed and stored: points that share one, such as all
points the same baseline, share its record. Its key holds what its numbers depend on: the scene's
content, the cameras, the machine file's content and what is changed in it, the method.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from archsim.arch.load import load_machine, machine_data, power_mode
from archsim.base.hashing import hash_data, hash_path, hash_sources
from archsim.base.yaml_places import Places, set_value
from archsim.config import RunConfig, SystemPlan, load_run, run_model
from archsim.explore.problem import Job
from archsim.progress import Silent
from archsim.runner import Recorder, mean_quality
from archsim.sim.area import area_mm2
from archsim.sim.result import FrameResult, SystemResult
from archsim.sim.simulate import row_dram, simulate
from archsim.summary import RATIOS, measured_quantities
from archsim.traces.cache import TraceCache
from archsim.traces.gs3d.workload import scene_key
from archsim.traces.trace import Detail

__all__ = ["RunProblem", "evaluate_system", "model_version"]

_ROOMS = ("base", "arch", "traces", "sim")
#: Raise when rows hold other things than before: stored ones are then computed anew.
_ROWS = 1
_MOST_HELD_BYTES = 1_000_000_000  # of traces, in a worker
_MOST_WORKLOADS = 2  # whose scenes a worker keeps
_MOST_CONFIGURATIONS = 500  # validated ones, kept


def model_version() -> str:
    """Return the hash of everything in archsim that a row depends on."""
    return hash_data({
        "rows": _ROWS,
        "sources": hash_sources(_ROOMS, (".py", ".yaml")),
        "libraries": {name: version(name) for name in ("numpy", "numba")},
    })  # fmt: skip


class RunProblem:
    """A run configuration to be changed by points.

    Parameters
    ----------
    data, places
        The configuration as read, with the study's own changes made.
    folder
        Where relative paths of scenes are looked for first.
    detail
        How much is recorded; counts of the images' errors are in rows only with ``full``.
    """

    def __init__(self, data: dict[str, Any], places: Places, folder: Path | None,
                 detail: Detail = "work"):  # fmt: skip
        self.version = model_version()
        self.evaluate: Callable[[Any], dict[str, Any]] = evaluate_system
        self._data, self._places, self._folder = data, places, folder
        self._configs: OrderedDict[str, RunConfig] = OrderedDict()
        self._workloads: dict[str, str] = {}
        self._detail: Detail = detail
        self.baseline = str(self.config({}).baseline)

    def config(self, settings: Mapping[str, Any]) -> RunConfig:
        """Return the configuration with these settings; :class:`ConfigError` for a wrong one."""
        key = json.dumps(settings, sort_keys=True)
        found = self._configs.get(key)
        if found is None:
            found = load_run(self.data(settings), folder=self._folder).config
            self._configs[key] = found
            if len(self._configs) > _MOST_CONFIGURATIONS:
                self._configs.popitem(last=False)
        return found

    def data(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Return the configuration with these settings as plain data, as users write it."""
        places = replace(self._places, lines=dict(self._places.lines), overrides={})
        data: Any = self._data
        for path, value in settings.items():
            data = set_path(data, places, path, value, f"{path} = {value}")
        return dict(data)

    def jobs(self, settings: Mapping[str, Any]) -> dict[str, Job]:
        """Return one job per system; :class:`ConfigError` where there is no such configuration."""
        plain: dict[str, Any] = {}
        machines: dict[str, dict[str, Any]] = {}
        for path, value in settings.items():
            system, dotted = split_machine_path(path)
            if system is None:
                plain[path] = value
            else:
                machines.setdefault(system, {})[dotted] = value
        config = self.config(plain)
        workload = self._workload(config)
        return {
            name: self._job(config, name, machines.get(name, {}), workload)
            for name in config.systems
        }

    def columns(self, rows: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        """Return ``<system>.<column>`` of every system, and ratios to the baseline."""
        found = {f"{name}.{key}": value for name, row in rows.items() for key, value in row.items()}
        base = rows.get(self.baseline, {})
        for name, row in rows.items():
            for ratio, key in RATIOS.items():
                if base.get(key) and row.get(key):
                    found[f"{name}.{ratio}"] = base[key] / row[key]
        return found

    def check(self, settings: Mapping[str, Any]) -> None:
        """Raise :class:`ConfigError` when these settings are no valid configuration."""
        load_run(self.data(settings), folder=self._folder)

    def _job(self, config: RunConfig, name: str, changes: dict[str, Any], workload: str) -> Job:
        system = config.systems[name]
        changes = {**(system.set or {}), **changes}
        method = system.method.model_dump(mode="json")
        content = {"workload": workload, "machine": _data_hash(system.machine), "changes": changes,
                   "mode": system.mode, "method": method, "detail": self._detail}  # fmt: skip
        payload = {
            "run": {
                "workload": _absolute(_plain(config.workload.model_dump(mode="json"))),
                "systems": {name: {"machine": _anywhere(system.machine), "mode": system.mode,
                                   "method": method}},
                "baseline": name, "seed": config.seed, "memory_limit": config.memory_limit,
            },
            "changes": changes,
            "detail": self._detail,
        }  # fmt: skip
        return Job(hash_data(content), payload)

    def _workload(self, config: RunConfig) -> str:
        """Return the hash of scene, cameras and seed."""
        plain = config.workload.model_dump(mode="json")
        key = json.dumps([plain, config.seed], sort_keys=True)
        if key not in self._workloads:
            file = config.workload.cameras.file
            self._workloads[key] = hash_data({
                "scene": scene_key(config.workload, config.seed), "cameras": plain["cameras"],
                "camera_file": file and hash_path(Path(file)), "resolution": plain["resolution"],
                "seed": config.seed,
            })  # fmt: skip
        return self._workloads[key]


def split_machine_path(path: str) -> tuple[str | None, str]:
    """Return system and dotted path of ``systems.NAME.set.DOTTED``, else ``None`` and the path."""
    steps = path.split(".", 3)
    if len(steps) == 4 and steps[0] == "systems" and steps[2] == "set":
        return steps[1], steps[3]
    return None, path


def set_path(data: Any, places: Places, path: str, value: Any, argument: str) -> Any:
    """Return ``data`` with a value set, as ``--set`` does; what a machine has set beside stays."""
    system, dotted = split_machine_path(path)
    if system is None:
        return set_value(run_model(), data, places, tuple(path.split(".")), value, argument)
    steps = ("systems", system, "set")
    present = data.get("systems", {}).get(system) if isinstance(data, dict) else None
    beside = (present.get("set") if isinstance(present, dict) else None) or {}
    return set_value(run_model(), data, places, steps, {**beside, dotted: value}, argument)


def _plain(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _plain(value) for key, value in data.items() if value is not None}
    return data


def _anywhere(name: str) -> str:
    """Return a file's absolute path, for workers elsewhere; other names unchanged."""
    return str(Path(name).absolute()) if Path(name).exists() else name


def _absolute(workload: dict[str, Any]) -> dict[str, Any]:
    """Return a workload whose files are found from any folder."""
    found = dict(workload)
    scene = found["scene"]
    if isinstance(scene, str):
        found["scene"] = _anywhere(scene)
    else:
        parts = [{**part, "scene": _anywhere(part["scene"])} for part in scene["compose"]]
        found["scene"] = {**scene, "compose": parts}
    if found["cameras"].get("file"):
        found["cameras"] = {**found["cameras"], "file": _anywhere(found["cameras"]["file"])}
    return found


@cache
def _data_hash(machine: str) -> str:
    return hash_data(machine_data(machine))


# --- in a worker --------------------------------------------------------------------------------


class _Bench:
    """What a worker keeps between systems: the workload's scene, cameras and traces."""

    def __init__(self, config: dict[str, Any], detail: Detail):
        run = load_run(config)
        self.recorder = Recorder(run, TraceCache.default(), Silent(), detail)
        self.cameras = self.recorder.cameras()


_benches: OrderedDict[str, _Bench] = OrderedDict()


def evaluate_system(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Simulate one system on all cameras; return its row of result columns.

    The row: the quantities of a result with ``_low`` and ``_high`` where they have a range,
    quality, bytes by stream, energy by component, shares of time by unit and cause, the
    recorded counts that are numbers, and the busiest unit as the bottleneck.
    """
    plan = _plan(json.dumps(payload["run"], sort_keys=True))
    if payload["changes"]:
        places = {k: (v, f"set {k} = {v}") for k, v in payload["changes"].items()}
        machine = load_machine(payload["run"]["systems"][plan.name]["machine"], changes=places)
        plan = replace(plan, machine=machine, mode=power_mode(machine, plan.mode))
    bench = _bench(payload["run"], payload["detail"])
    if bench.recorder.held_bytes > _MOST_HELD_BYTES:
        bench.recorder.forget_camera()
    frames: list[FrameResult] = []
    metas: list[dict[str, Any]] = []
    for camera in bench.cameras:
        trace = bench.recorder.trace(plan, camera)
        program = plan.method.program(trace, plan.machine, plan.mode, plan.config)
        frames.append(simulate(program, plan.machine, plan.mode, camera.name))
        metas.append(trace.meta)
    return _row(plan, frames, metas)


@lru_cache(maxsize=_MOST_CONFIGURATIONS)
def _plan(run: str) -> SystemPlan:
    return load_run(json.loads(run)).systems[0]


def _bench(run: Mapping[str, Any], detail: Detail) -> _Bench:
    parts = [run["workload"], run["seed"], run["memory_limit"], detail]
    key = json.dumps(parts, sort_keys=True)
    if key not in _benches:
        _benches[key] = _Bench(dict(run), detail)
        while len(_benches) > _MOST_WORKLOADS:
            _benches.popitem(last=False)
    _benches.move_to_end(key)
    return _benches[key]


def _row(plan: SystemPlan, frames: list[FrameResult], metas: list[dict[str, Any]]
         ) -> dict[str, Any]:  # fmt: skip
    machine = plan.machine
    quality = mean_quality([meta["quality"] for meta in metas])
    peak = row_dram(machine, plan.mode).peak_bytes_per_s
    result = SystemResult(
        name=plan.name, machine=machine.name, mode=plan.mode, method={}, frames=frames,
        area_mm2=area_mm2(machine), quality=quality, workload_counts={}, fidelity={},
        dram_device=machine.memory.device, dram_peak_bytes_per_s=peak,
    )  # fmt: skip
    row: dict[str, Any] = {}
    for name, value in measured_quantities(result).items():
        row[name] = value.value
        if value.low < value.high:
            row[f"{name}_low"], row[f"{name}_high"] = value.low, value.high
    row["energy_delay_js"] = row["energy_j"] * row["time_s"]
    row |= {"exact": quality["exact"], "psnr_db": quality["psnr_db"], "ssim": quality["ssim"]}
    row |= {"dram_device": machine.memory.device, "dram_peak_bytes_per_s": peak}
    count = len(frames)
    for frame in frames:
        for stream, size in frame.dram_bytes_by_stream.items():
            _add(row, f"dram_bytes_by_stream.{stream}", size / count)
        for part, energy in frame.energy_by_component_pj.items():
            _add(row, f"energy_by_component_j.{part}", energy.value * 1e-12 / count)
    busy = _shares(frames, row)
    row["bottleneck"] = max(busy, key=lambda unit: busy[unit], default="")
    for meta in metas:
        for name, number in meta["counts"].items():
            if isinstance(number, (int, float)) and not isinstance(number, bool):
                _add(row, f"counts.{name}", number / count)
    return row


def _shares(frames: list[FrameResult], row: dict[str, Any]) -> dict[str, float]:
    """Add each unit's share of time by cause to the row; return the busy ones."""
    totals: dict[tuple[str, str], int] = {}
    for frame in frames:
        for unit, causes in frame.time_by_cause_ps.items():
            for cause, ps in causes.items():
                totals[unit, cause] = totals.get((unit, cause), 0) + ps
    busy = {}
    for unit in dict.fromkeys(unit for unit, _ in totals):
        whole = sum(ps for (other, _), ps in totals.items() if other == unit)
        for (other, cause), ps in totals.items():
            if other == unit:
                row[f"share.{unit}.{cause}"] = ps / whole if whole else 0.0
        busy[unit] = row.get(f"share.{unit}.busy", 0.0)
    return busy


def _add(row: dict[str, Any], name: str, value: float) -> None:
    row[name] = row.get(name, 0.0) + value
