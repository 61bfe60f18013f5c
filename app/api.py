"""The Python API: ``archsim.run(config)`` and the :class:`Result` it returns."""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

import archsim
from archsim.base.hashing import hash_data, hash_sources
from archsim.config import ResolvedRun, load_run
from archsim.output import check_destination, to_json, write_folder
from archsim.progress import Reporter, Silent
from archsim.runner import Outcome, run_systems
from archsim.sim.engine import Engine, check_engine
from archsim.summary import summarize
from archsim.tables import table_rows, write_tables
from archsim.traces.cache import TraceCache
from archsim.traces.gs3d.images import write_png

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Result", "run"]

_ROOMS = ("base", "arch", "traces", "sim")


@dataclass(frozen=True)
class Result:
    """What a run gave: every table, file and report is a view of :attr:`data`.

    Attributes
    ----------
    data
        The content of ``result.json``: the same configuration and seed give the same.
    manifest
        The content of ``manifest.json``: how the result came about.
    images : name -> (H, W, 3) uint8
        ``<system>-<camera>`` and ``reference-<camera>``.
    folder
        Where the result was written, ``None`` when it was not.
    notes
        Warnings about the workload, which begin with ``warning``, and what concerns the run
        itself, e.g. how many traces came from the cache.
    """

    data: dict[str, Any]
    manifest: dict[str, Any]
    images: dict[str, npt.NDArray[np.uint8]] = field(default_factory=dict, repr=False)
    folder: Path | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def systems(self) -> dict[str, dict[str, Any]]:
        """The systems by name, as in ``result.json``."""
        return dict(self.data["systems"])

    @property
    def baseline(self) -> str:
        """The system that the others are compared with."""
        return str(self.data["baseline"])

    def to_pandas(self, table: str = "systems") -> pd.DataFrame:
        """Return a table of :data:`archsim.tables.TABLES`, e.g. systems, stages or buffers."""
        import pandas as pd

        from archsim.tables import TABLES

        if table not in TABLES:
            raise ValueError(f"no table {table!r}: there are {', '.join(TABLES)}")
        return pd.DataFrame(table_rows(self.data)[table], columns=list(TABLES[table]))

    def report(self, path: str | Path) -> Path:
        """Write the report, one HTML file that needs nothing else, and return its path."""
        from archsim.report import render_report

        target = Path(path)
        target.write_text(render_report(self.data, self.manifest, self.images), encoding="utf-8")
        return target

    def save(self, folder: str | Path) -> Path:
        """Write ``result.json``, ``manifest.json``, ``report.html``, tables and images.

        The result appears whole or not at all. The folder may be missing, empty or hold an
        earlier result, whose files are replaced while others in it stay; otherwise, and when it
        cannot be written, :class:`OutputError`.
        """
        target = Path(folder)
        write_folder(target, self._fill)
        return target

    def _fill(self, folder: Path) -> None:
        (folder / "result.json").write_text(to_json(self.data), encoding="utf-8")
        write_tables(self.data, folder / "tables")
        written: dict[bytes, Path] = {}  # exact frames are one image under several names
        for name, image in self.images.items():
            file = folder / "images" / f"{_file_name(name)}.png"
            twin = written.setdefault(hashlib.sha256(image.tobytes()).digest(), file)
            if twin is file:
                write_png(image, file)
            else:
                shutil.copyfile(twin, file)
        self.report(folder / "report.html")
        # which files are ours: a later result replaces these and leaves others
        files = {file.relative_to(folder).as_posix() for file in folder.rglob("*.*")}
        listed = {**self.manifest, "files": sorted(files | {"manifest.json"})}
        (folder / "manifest.json").write_text(to_json(listed), encoding="utf-8")


def run(
    config: str | Path | Mapping[str, Any],
    *,
    set: Mapping[str, Any] | Iterable[str] = (),
    out: str | Path | None = None,
    seed: int | None = None,
    engine: Engine = "auto",
    min_psnr_db: float | None = None,
    reporter: Reporter | None = None,
    command: list[str] | None = None,
) -> Result:
    """Run a configuration and return its result.

    Parameters
    ----------
    config
        A YAML file, the name of a shipped configuration, or the configuration as a mapping.
    set
        Changes: ``{"workload.resolution": [640, 360]}`` or ``["workload.resolution=[640,360]"]``.
    out
        Folder for the result; nothing is written without it.
    seed
        In place of the configuration's.
    engine
        What executes the programs: ``simpy``, which defines their meaning, ``compiled``, which is
        faster on large ones, or ``auto``, the faster one. The result is the same to the byte.
    min_psnr_db
        What every frame must reach against the reference: each system's ``meets_min_psnr`` says
        whether its frames do. Nothing is left out or judged better for it.
    reporter
        Told of every step; the command line shows a bar with it.
    command
        For the manifest: the command that asked for this run.

    Raises :class:`archsim.base.errors.ArchsimError`; each kind says what to do about it.
    """
    started, clock = datetime.now(UTC), time.monotonic()
    assignments = (
        [f"{path}={json.dumps(value)}" for path, value in set.items()]
        if isinstance(set, Mapping)
        else list(set)
    )
    check_engine(engine)
    resolved = load_run(config, assignments=assignments, seed=seed)
    if out is not None:
        check_destination(Path(out))
    cache = TraceCache.default()
    outcome = run_systems(resolved, cache=cache, reporter=reporter or Silent(), engine=engine)
    data = summarize(
        outcome.results,
        baseline=resolved.config.baseline,
        seed=resolved.config.seed,
        workload=_plain(resolved.config.workload.model_dump(mode="json")),
        scene=outcome.scene,
        min_psnr_db=min_psnr_db,
    )
    manifest = _manifest(resolved, outcome, command, started, time.monotonic() - clock)
    result = Result(data, manifest, outcome.images, None, _notes(outcome, cache))
    if out is None:
        return result
    result.save(out)
    return Result(data, manifest, outcome.images, Path(out), result.notes)


def _plain(data: Any) -> Any:
    """Return data without the keys that were left out of the configuration."""
    if isinstance(data, dict):
        return {key: _plain(value) for key, value in data.items() if value is not None}
    return data


def _manifest(
    run: ResolvedRun, outcome: Outcome, command: list[str] | None, started: datetime, took_s: float
) -> dict[str, Any]:
    return {
        "schema": "archsim-manifest-1",
        "configuration": _plain(run.config.model_dump(mode="json")),
        "name": run.name,
        "seed": run.config.seed,
        "inputs": outcome.inputs,
        "machines": {
            plan.name: {
                "machine": plan.machine.name,
                "sha256": hash_data(plan.machine.model_dump(mode="json")),
            }
            for plan in run.systems
        },
        "versions": {
            "archsim": archsim.__version__,
            "archsim_sources_sha256": hash_sources(_ROOMS),
            "python": platform.python_version(),
            "numpy": version("numpy"),
            "numba": version("numba"),
            "platform": platform.platform(),
        },
        "engines": outcome.engines,
        "command": command,
        "started": started.isoformat(timespec="seconds"),
        "took_s": round(took_s, 3),
        "traces": {"recorded": outcome.traces_recorded, "from_cache": outcome.traces_reused},
    }


def _notes(outcome: Outcome, cache: TraceCache) -> list[str]:
    notes = [*outcome.notes, *cache.notes]
    if outcome.traces_reused:
        total = outcome.traces_recorded + outcome.traces_reused
        notes.append(f"{outcome.traces_reused} of {total} traces from the cache ({cache.folder})")
    return notes


def _file_name(name: str) -> str:
    """Return ``name`` fit for a file: camera files may name views by a path."""
    return "".join(c if c.isalnum() or c in "-_+." else "_" for c in name)
