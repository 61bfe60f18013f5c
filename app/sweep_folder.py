"""A sweep's folder: what belongs to it, and how its files appear whole."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from archsim.base.errors import ConfigError, OutputError
from archsim.output import to_json

if TYPE_CHECKING:
    from archsim.sweep_api import Study

__all__ = ["begin_folder", "write_results"]

_HEAD = "study.json"
_BEST = "best"
_SCHEMA = "archsim-study-1"


def begin_folder(folder: Path, identity: str, version: str, *, resume: bool) -> None:
    """Make the folder of a sweep, or check that this sweep is the one to go on with there.

    Raises :class:`OutputError` for a folder that cannot be used, and :class:`ConfigError` for one
    with another study, with a study of other models, or with this one unless ``resume``.
    """
    head = _read_head(folder)
    if head is None:
        present = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []
        if present:
            raise OutputError(f"holds files that are no earlier sweep, such as {present[0]}",
                              place=str(folder), remedy="choose an empty or new --out")  # fmt: skip
    elif not resume:
        raise ConfigError("holds a sweep already", place=str(folder),
                          remedy="go on with it by --resume, or choose another --out")  # fmt: skip
    elif head.get("identity") != identity:
        raise ConfigError("holds a sweep of another study, so there is nothing to go on with",
                          place=str(folder), remedy="choose another --out")  # fmt: skip
    elif head.get("models_sha256") != version:
        raise ConfigError(
            f"was computed by other models ({str(head.get('models_sha256'))[:12]}; these are "
            f"{version[:12]}): its points would not compare with new ones",
            place=str(folder),
            remedy="choose another --out, or go on with the archsim that began it",
        )
    if head is None:
        started = {"schema": _SCHEMA, "identity": identity, "models_sha256": version,
                   "ended": None}  # fmt: skip
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _write(folder / _HEAD, to_json(started).encode())
        except OSError as error:
            raise _unwritable(folder, error) from error


def write_results(study: Study, folder: Path) -> None:
    """Write table, times, report, the front's configurations and, last, ``study.json``.

    Each file appears whole; those of an earlier state of the same sweep are replaced.
    """
    from archsim.sweep_report import render_study
    from archsim.sweep_table import points_table, table_bytes, times_table

    try:
        _write(folder / "points.parquet", table_bytes(points_table(study)))
        _write(folder / "times.parquet", table_bytes(times_table(study)))
        _write(folder / "report.html", render_study(study).encode())
        _write_best(study, folder)
        _write(folder / _HEAD, to_json(study.manifest).encode())
    except OSError as error:
        raise _unwritable(folder, error) from error


def _write_best(study: Study, folder: Path) -> None:
    """Write the front's points as run configurations, aside first."""
    aside = folder / f".{_BEST}.{os.getpid()}"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    for name, title, outcome in named_best(study):
        text = f"# {study.resolved.name}: {title}\n" + to_yaml(study.configuration(outcome))
        (aside / f"{name}.yaml").write_text(text, encoding="utf-8")
    shutil.rmtree(folder / _BEST, ignore_errors=True)
    aside.rename(folder / _BEST)


def named_best(study: Study) -> list[tuple[str, str, Any]]:
    """Return (file name, title, outcome) of the front: best of each objective, middle, the rest."""
    named: list[tuple[str, str, Any]] = []
    found = study.front
    if not found:
        return named
    taken: set[int] = set()
    for index, (column, goal) in enumerate(study.resolved.goals.objectives.items()):
        best = min(
            found, key=lambda o: ((o.values or ())[index], study.resolved.space.rank(o.point))
        )
        word = "lowest" if goal == "minimize" else "highest"
        named.append((f"{word}-{column.replace('/', '-')}", f"{word} {column}", best))
        taken.add(id(best))
    middle = study.middle
    named.append(("middle", "nearest to the best of every objective", middle))
    taken.add(id(middle))
    rest = [o for o in found if id(o) not in taken]
    named += [(f"front-{i:03d}", "on the front", o) for i, o in enumerate(rest)]
    return named


def to_yaml(data: Any) -> str:
    """Return data as YAML that people can read on."""
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=100)


def _read_head(folder: Path) -> dict[str, Any] | None:
    try:
        head = json.loads((folder / _HEAD).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except NotADirectoryError as error:
        raise OutputError("is no folder", place=str(folder), remedy="choose another --out"
                          ) from error  # fmt: skip
    except (OSError, ValueError):
        return {}
    return head if isinstance(head, dict) else {}


def _write(path: Path, content: bytes) -> None:
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with aside.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def _unwritable(folder: Path, error: OSError) -> OutputError:
    return OutputError(
        f"the results cannot be written: {error.strerror or error}",
        place=str(folder),
        remedy="free space or choose another --out; every point is stored, so --resume is quick",
    )
