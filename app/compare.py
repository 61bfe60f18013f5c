"""Finished runs side by side: their systems in one result, against one baseline."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from archsim.base.errors import ConfigError, InputError
from archsim.base.interval import Interval
from archsim.base.problems import one_of
from archsim.sim.result import SCHEMA_VERSION
from archsim.summary import RATIOS, SIMULATED, ratio_of

__all__ = ["Comparison", "compare_runs"]

Images = dict[str, npt.NDArray[np.uint8]]

#: parts of a workload that must be the same for a comparison of machines to mean anything
_WORKLOAD = ("scene", "lod", "gaussians", "sh_degree", "cameras", "resolution")


@dataclass(frozen=True)
class Comparison:
    """Several runs as one.

    Attributes
    ----------
    data
        As ``result.json``: every system as ``RUN/SYSTEM``, ratios to the one baseline.
    manifest
        Which runs, and how their configurations differ.
    images
        As of a run, when all have the same cameras.
    differences
        Dotted path of the configuration -> value in each run; ``None`` where a run has none.
    warnings
        What makes the comparison doubtful: different workloads, other versions of archsim.
    """

    data: dict[str, Any]
    manifest: dict[str, Any]
    images: Images
    differences: dict[str, list[Any]]
    warnings: list[str]


def compare_runs(folders: Sequence[Path], baseline: str | None = None) -> Comparison:
    """Return finished runs as one comparison.

    ``baseline`` is ``RUN/SYSTEM``, the first run's baseline without it. Raises
    :class:`InputError` for a folder that is no result and :class:`ConfigError` for an unknown
    baseline.
    """
    runs = dict(zip(_labels(folders), map(_read, folders)))
    systems = {
        f"{label}/{name}": system
        for label, (data, _) in runs.items()
        for name, system in data["systems"].items()
    }
    first = next(iter(runs))
    reference = baseline or f"{first}/{runs[first][0]['baseline']}"
    if reference not in systems:
        raise ConfigError(f"no system {reference!r} in these runs", place="--baseline",
                          remedy=one_of(reference, list(systems)))  # fmt: skip
    differences = _differences([manifest.get("configuration", {}) for _, manifest in runs.values()])
    warnings = _warnings(runs)
    cameras = [data["cameras"] for data, _ in runs.values()]
    alike = all(names == cameras[0] for names in cameras)
    fewest = min(cameras, key=len)
    head = runs[first][0]
    told = [
        f"{path}: " + ", ".join(f"{run} {_shown(value)}" for run, value in zip(runs, values))
        for path, values in differences.items()
    ]
    merged = {
        **head,
        "baseline": reference,
        "scene": {**head["scene"], "warnings": [*warnings, *told]},
        "cameras": list(fewest),
        "systems": {
            name: {**_against(systems[reference], system, same=_alike(systems[reference], system)),
                   "frames": system["frames"][: len(fewest)]}
            for name, system in systems.items()
        },
    }  # fmt: skip
    manifest = {
        **runs[first][1],
        "schema": "archsim-comparison-1",
        "runs": {label: str(folder) for label, folder in zip(runs, folders)},
        "differences": differences,
    }
    images = _images(dict(zip(runs, folders)), runs) if alike else {}
    return Comparison(merged, manifest, images, differences, warnings)


def _labels(folders: Sequence[Path]) -> list[str]:
    names = [folder.absolute().name for folder in folders]
    twice = {name for name in names if names.count(name) > 1}
    return [
        f"{folder.absolute().parent.name}.{name}" if name in twice else name
        for folder, name in zip(folders, names)
    ]


def _read(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    found = []
    for name in ("result.json", "manifest.json"):
        file = folder / name
        try:
            found.append(json.loads(file.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "is no JSON"
            raise InputError(f"is no finished run: {name}: {reason}", place=str(folder),
                             remedy="give folders that archsim run has written"
                             ) from error  # fmt: skip
    data, manifest = found
    if not isinstance(data, dict) or data.get("schema") != SCHEMA_VERSION:
        schema = data.get("schema") if isinstance(data, dict) else None
        raise InputError(f"is a result of another format ({schema}, expected {SCHEMA_VERSION})",
                         place=str(folder), remedy="run it again with this archsim")  # fmt: skip
    return data, manifest


def _against(baseline: Mapping[str, Any], system: Mapping[str, Any], *, same: bool
             ) -> dict[str, Any]:  # fmt: skip
    """Return a system with its ratios to another baseline."""
    found = dict(system)
    interval = dict(system["interval"])
    for name, key in RATIOS.items():
        value = None
        if baseline[key] is not None and system[key] is not None:
            value = ratio_of(_interval(baseline, key), _interval(system, key), same=same)
        found[name] = value.value if value else None
        interval[name] = [value.low, value.high] if value and name not in SIMULATED else None
    return {**found, "interval": interval}


def _alike(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    """Return whether two runs hold the same system: its constants then do not vary apart."""
    parts = ("machine", "mode", "method", "frames", "assumed", "notes")
    return all(a[part] == b[part] for part in parts)


def _interval(system: Mapping[str, Any], key: str) -> Interval:
    low, high = system["interval"].get(key) or (system[key], system[key])
    return Interval(system[key], low, high)


def _differences(configurations: list[dict[str, Any]]) -> dict[str, list[Any]]:
    flat = [_flat(configuration, "") for configuration in configurations]
    paths = dict.fromkeys(path for one in flat for path in one)
    return {
        path: [one.get(path) for one in flat]
        for path in paths
        if any(one.get(path) != flat[0].get(path) for one in flat)
    }


def _flat(data: Any, path: str) -> dict[str, Any]:
    if not isinstance(data, dict):
        return {path: data}
    found: dict[str, Any] = {}
    for key, value in data.items():
        found |= _flat(value, f"{path}.{key}" if path else str(key))
    return found


def _warnings(runs: Mapping[str, tuple[dict[str, Any], dict[str, Any]]]) -> list[str]:
    workloads = [
        {part: data["workload"].get(part) for part in _WORKLOAD} | {"seed": data["seed"]}
        for data, _ in runs.values()
    ]
    found = [
        f"not the same workload: {part} differs"
        for part in workloads[0]
        if any(workload[part] != workloads[0][part] for workload in workloads)
    ]
    sources = {m.get("versions", {}).get("archsim_sources_sha256") for _, m in runs.values()}
    if len(sources) > 1:
        found.append("the runs were made by different versions of archsim's models")
    return found


def _images(folders: Mapping[str, Path], runs: Mapping[str, tuple[dict[str, Any], dict[str, Any]]]
            ) -> Images:  # fmt: skip
    images: Images = {}
    for label, folder in folders.items():
        data = runs[label][0]
        for name in data["systems"]:
            for camera in data["cameras"]:
                file = folder / "images" / f"{name}-{camera}.png"
                if file.is_file():
                    images[f"{label}/{name}-{camera}"] = _image(file)
        for camera in data["cameras"]:
            file = folder / "images" / f"reference-{camera}.png"
            if f"reference-{camera}" not in images and file.is_file():
                images[f"reference-{camera}"] = _image(file)
    return images


def _image(file: Path) -> npt.NDArray[np.uint8]:
    try:
        with Image.open(file) as image:
            return np.asarray(image.convert("RGB"), np.uint8)
    except OSError as error:
        raise InputError(f"cannot be read as an image: {error}", place=str(file),
                         remedy="run it again") from error  # fmt: skip


def _shown(value: Any) -> str:
    return "has none" if value is None else json.dumps(value, ensure_ascii=False)
