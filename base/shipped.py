"""YAML files that ship with archsim, by name, and those a user names by path."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

from archsim.base.errors import ConfigError
from archsim.base.problems import one_of
from archsim.base.yaml_places import Places, load_yaml, parse_yaml

__all__ = ["find_yaml", "list_shipped", "read_shipped"]


def list_shipped(package: str) -> list[str]:
    """Return the names of the YAML files in an archsim package, sorted, without the ending."""
    files = resources.files(package).iterdir()
    return sorted(f.name.removesuffix(".yaml") for f in files if f.name.endswith(".yaml"))


def read_shipped(package: str, name: str) -> tuple[Any, Places]:
    """Return data and places of a shipped file that there is.

    Places are short, the same on every computer: results quote those of machines and tables.
    """
    file = resources.files(package) / f"{name}.yaml"
    return parse_yaml(file.read_text(encoding="utf-8"), f"{package.rpartition('.')[2]}/{file.name}")


def find_yaml(source: str | Path, package: str, what: str) -> tuple[str, Any, Places, Path | None]:
    """Return name, data, places and folder of a file, or of a shipped one, which has no folder.

    ``what`` is the word for it in errors, such as ``study``. Raises :class:`ConfigError`.
    """
    path = Path(source)
    if path.is_file():
        return path.stem, *load_yaml(path), path.parent
    name, known = str(source).removesuffix(".yaml"), list_shipped(package)
    if name in known:
        file = resources.files(package) / f"{name}.yaml"
        # a path that a user can open; inside an archive there is none
        shown = str(file) if isinstance(file, Path) else f"shipped {what} {file.name}"
        return name, *parse_yaml(file.read_text(encoding="utf-8"), shown), None
    looks_like_path = path.suffix in (".yaml", ".yml") or len(path.parts) > 1
    raise ConfigError(
        "is a folder" if path.is_dir() else "no such file" if looks_like_path
        else f"no file and no shipped {what} {str(source)!r}",
        place=str(source) if looks_like_path or path.is_dir() else None,
        remedy=f"give a YAML file or a shipped {what}; {one_of(name, known)}",
    )  # fmt: skip
