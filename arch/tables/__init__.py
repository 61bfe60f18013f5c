"""Tables of constants behind energy and area: operations, SRAM, logic leakage, scaling."""

from __future__ import annotations

from importlib import resources
from typing import TypeVar

from pydantic import BaseModel

from archsim.base.yaml_places import parse_yaml, validate

__all__ = ["list_tables", "read_table"]

_T = TypeVar("_T", bound=BaseModel)


def list_tables(prefix: str) -> list[str]:
    """Return the names of the tables that start with ``prefix``, without it, sorted."""
    names = [f.name for f in resources.files(__name__).iterdir() if f.name.endswith(".yaml")]
    return sorted(
        n.removeprefix(prefix).removesuffix(".yaml") for n in names if n.startswith(prefix)
    )


def read_table(name: str, model: type[_T]) -> _T:
    """Return the table ``name`` as ``model``; wrong keys and values name file and line."""
    file = resources.files(__name__) / f"{name}.yaml"
    data, places = parse_yaml(file.read_text(encoding="utf-8"), f"tables/{file.name}")
    table: _T = validate(model, data, places)
    return table
