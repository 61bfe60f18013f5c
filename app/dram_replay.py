"""``archsim dram replay``: a finished run's programs, built again, and their streams replayed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from archsim.arch.machine import Gpu
from archsim.base.errors import ConfigError, InputError
from archsim.base.hashing import hash_data
from archsim.base.problems import one_of
from archsim.config import ResolvedRun, load_run
from archsim.progress import Reporter
from archsim.runner import run_programs
from archsim.sim.compiled.executor import execute_compiled
from archsim.sim.dram.replay import Replay, replay
from archsim.sim.simulate import row_dram
from archsim.traces.cache import TraceCache

__all__ = ["replay_run"]

_MANIFEST = "manifest.json"
_SCHEMA = "archsim-manifest-1"


def replay_run(
    folder: Path, *, systems: Sequence[str] | None, most: int, reporter: Reporter
) -> tuple[list[tuple[str, str, Replay]], list[str]]:
    """Return (system, camera, replay) of a finished run, and notes on how it was built again.

    Raises :class:`InputError` for a folder that holds no run, and :class:`ConfigError` for a
    system that the run does not have.
    """
    manifest = _manifest(folder)
    run = load_run(manifest["configuration"])
    _check_names(run, systems)
    notes = _changes(run, manifest)
    cache = TraceCache.default()
    rows = []
    again = 0
    for plan, camera, program, recorded in run_programs(run, cache=cache, reporter=reporter):
        again += recorded
        if systems and plan.name not in systems:
            continue
        with reporter.step(f"executing {plan.name}, {camera.name}") as progress:
            schedule = execute_compiled(
                program, row_dram(plan.machine, plan.mode), progress=progress
            )
        mode = plan.mode
        rate = (
            plan.machine.modes[mode].memory_mt_s.value
            if isinstance(plan.machine, Gpu) and mode is not None
            else None
        )
        with reporter.step(f"replaying {plan.name}, {camera.name}") as progress:
            found = replay(
                program, schedule, plan.machine.memory, rate, most=most, progress=progress
            )
        rows.append((plan.name, camera.name, found))
    if again:
        notes.append(f"{again} traces were not in the cache and were recorded again")
    notes.append(
        "open loop, from idle channels in each part: every stream is asked for when the run "
        "started it, so that a backlog delays the streams behind it, where the run would have "
        "waited; at cycle fidelity writes stay in the write buffer until they are drained"
    )
    return rows, [*notes, *cache.notes]


def _manifest(folder: Path) -> dict[str, Any]:
    file = folder / _MANIFEST
    remedy = "give the folder that archsim run wrote (--out)"
    try:
        manifest = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"cannot be read: {reason}", place=str(file), remedy=remedy) from error
    except ValueError as error:
        raise InputError(f"is no JSON: {error}", place=str(file), remedy=remedy) from error
    if not isinstance(manifest, dict) or manifest.get("schema") != _SCHEMA:
        raise InputError("is not the manifest of a run", place=str(file), remedy=remedy)
    return manifest


def _check_names(run: ResolvedRun, systems: Sequence[str] | None) -> None:
    known = [plan.name for plan in run.systems]
    for name in systems or ():
        if name not in known:
            raise ConfigError(f"the run has no system {name!r}", remedy=one_of(name, known))


def _changes(run: ResolvedRun, manifest: dict[str, Any]) -> list[str]:
    """Return what is no longer as it was when the run was made."""
    changed = [
        plan.name
        for plan in run.systems
        if hash_data(plan.machine.model_dump(mode="json"))
        != manifest["machines"][plan.name]["sha256"]
    ]
    return [f"the machine of {name} has changed since the run" for name in changed]
