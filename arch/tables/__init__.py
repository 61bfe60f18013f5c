"""Tables of constants behind energy and area: operations, SRAM, logic leakage, scaling."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel

from archsim.base.shipped import list_shipped, read_shipped
from archsim.base.yaml_places import validate

__all__ = ["list_tables", "read_table"]

_T = TypeVar("_T", bound=BaseModel)


def list_tables(prefix: str) -> list[str]:
    """Return the names of the tables that start with ``prefix``, without it, sorted."""
    return [n.removeprefix(prefix) for n in list_shipped(__name__) if n.startswith(prefix)]


def read_table(name: str, model: type[_T]) -> _T:
    """Return the table ``name`` as ``model``; wrong keys and values name file and line."""
    table: _T = validate(model, *read_shipped(__name__, name))
    return table
