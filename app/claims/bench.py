"""The bench that claims are measured on: systems run on scenes, each once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from archsim.base.errors import ConfigError
from archsim.base.problems import one_of
from archsim.claims.claim import Claims, ClaimScene
from archsim.config import load_run
from archsim.progress import Reporter
from archsim.runner import run_systems
from archsim.sim.result import SystemResult
from archsim.summary import summarize
from archsim.traces.cache import TraceCache

__all__ = ["Bench"]

_WORKLOAD_OF = "streaminggs"  # run configuration whose workload a scene starts from

_INDEX = ("lod-meta", "meta", "point_cloud")  # files that their folder names

#: A system as a run configuration has it.
System = Mapping[str, Any]


class Bench:
    """Runs systems on scenes when they are asked for, and remembers the results.

    ``scene`` replaces all scenes by one, with the frame size of the first of each class, ``lod``
    chooses its level of detail; ``data`` is the folder of real scenes, ``finetuned`` the file of a
    fine-tuned scene, which becomes the system of that name and streams in ``order``.
    """

    def __init__(self, claims: Claims, *, cache: TraceCache, reporter: Reporter,
                 scene: str | None = None, lod: int | None = None, data: Path | None = None,
                 finetuned: Path | None = None, order: str = "dag"):  # fmt: skip
        if lod is not None and scene is None:
            raise ConfigError("--lod: of which scene?", remedy="name it with --scene")
        if finetuned is not None and scene is None:
            raise ConfigError(
                "--finetuned: of which scene?", remedy="name with --scene what it was made from"
            )
        self.claims, self.data = claims, data
        self.cache, self.reporter = cache, reporter
        self._scene, self._lod = scene, {} if lod is None else {"lod": lod}
        self._systems: dict[str, System] = {}
        for run in claims.runs:
            for name, system in load_run(run).config.systems.items():
                dumped = system.model_dump(mode="json", exclude_unset=True)
                self._systems.setdefault(name, dumped)
        if finetuned is not None:
            method = {"kind": "streaminggs", "finetuned": str(finetuned), "order": order}
            self.add("finetuned", {"machine": "streaminggs", "method": method})
        self._results: dict[tuple[str, str], SystemResult] = {}

    def scenes(self, kind: str) -> list[ClaimScene]:
        """Return the scenes of a class; real ones only where their folder is given."""
        listed = list(self.claims.scenes[kind])
        if self._scene is not None:
            size = {key: listed[0].workload[key] for key in ("resolution",)
                    if key in listed[0].workload}  # fmt: skip
            path = Path(self._scene)
            name = path.parent.name if path.stem in _INDEX else path.stem
            name = (name or path.stem).removeprefix("builtin:")
            workload = {"scene": self._scene, **self._lod, **size}
            return [ClaimScene(name=name, workload=workload)]
        return [one for one in listed if one.data is None or self._real(one) is not None]

    def left_out(self, kind: str) -> list[str]:
        """Return the scenes of a class that are not at hand, none where one was asked for."""
        if self._scene is not None:
            return []
        here = {one.name for one in self.scenes(kind)}
        return [one.name for one in self.claims.scenes[kind] if one.name not in here]

    def workload(self, scene: ClaimScene) -> dict[str, Any]:
        """Return the workload of a scene as a run configuration has it."""
        plain = load_run(scene.run or _WORKLOAD_OF).config.workload
        workload = plain.model_dump(mode="json", exclude_none=True)
        real = self._real(scene)
        return workload | ({} if real is None else {"scene": str(real)}) | scene.workload

    def system(self, name: str) -> System:
        """Return a system by name; :class:`ConfigError` for one that no configuration has."""
        if name not in self._systems:
            raise ConfigError(
                f"no system {name!r} in {' or '.join(self.claims.runs)}",
                place=f"claims/{self.claims.system}.yaml",
                remedy=one_of(name, list(self._systems)),
            )
        return self._systems[name]

    def has(self, name: str) -> bool:
        """Return whether a configuration has a system of this name."""
        return name in self._systems

    def add(self, name: str, system: System) -> str:
        """Add a system that no configuration has, and return its name."""
        self._systems[name] = system
        return name

    def results(self, kind: str, systems: Iterable[str]) -> dict[str, dict[str, SystemResult]]:
        """Return scene -> system -> result, running what was not run before."""
        return {scene.name: self.on(scene, systems) for scene in self.scenes(kind)}

    def on(self, scene: ClaimScene, systems: Iterable[str]) -> dict[str, SystemResult]:
        """Return system -> result on one scene."""
        wanted = list(dict.fromkeys(systems))
        key = repr(self.workload(scene))
        missing = [name for name in wanted if (key, name) not in self._results]
        if missing:
            run = load_run(
                {
                    "workload": self.workload(scene),
                    "systems": {name: dict(self.system(name)) for name in missing},
                    "baseline": missing[0],
                }
            )
            outcome = run_systems(run, cache=self.cache, reporter=self.reporter)
            for result in outcome.results:
                self._results[key, result.name] = result
        return {name: self._results[key, name] for name in wanted}

    def summary(self, results: Mapping[str, SystemResult], baseline: str) -> dict[str, Any]:
        """Return systems of one scene as ``result.json`` has them, against ``baseline``."""
        summed = summarize(list(results.values()), baseline=baseline, seed=0, workload={}, scene={})
        systems: dict[str, Any] = summed["systems"]
        return systems

    def _real(self, scene: ClaimScene) -> Path | None:
        if scene.data is None or self.data is None:
            return None
        file = self.data / scene.data
        return file if file.exists() else None
