"""YAML whose every value knows its file and line, so that errors can name the place.

The scalars are those of YAML 1.2: ``on`` and ``no`` are text, ``1e9`` is a number, ``16:9`` is
text. Keys are always text. A key given twice is an error, as is anything but one document.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from archsim.base.errors import ConfigError
from archsim.base.problems import check_settable, describe_problems, replaced_alternatives

__all__ = ["Key", "Places", "apply_set", "load_yaml", "parse_yaml", "set_value", "validate"]

Key = str | int  #: one step of a path: a mapping's key or a list's position


@dataclass
class Places:
    """Where the values of a configuration come from.

    Attributes
    ----------
    source
        File, or another name for the whole, e.g. ``configuration`` for data given in Python.
    lines
        Path of keys -> line (from 1) of the key, or of the value in a list.
    overrides
        Path of keys -> the command-line argument that set it.
    """

    source: str
    lines: dict[tuple[Key, ...], int] = field(default_factory=dict)
    overrides: dict[tuple[Key, ...], str] = field(default_factory=dict)

    def of(self, path: tuple[Key, ...]) -> str:
        """Return the place of a path, or of the nearest part of it that has one.

        An argument that set something inside the value comes before the value's line: what is
        wrong with the whole is most likely what was changed.
        """
        for below, argument in self.overrides.items():
            if path and below[: len(path)] == path:
                return argument
        for length in range(len(path), -1, -1):
            part = path[:length]
            if part in self.overrides:
                return self.overrides[part]
            if part in self.lines:
                return f"{self.source}:{self.lines[part]}"
        return self.source

    def of_either(self, *paths: tuple[Key, ...]) -> str:
        """Return the place of values that do not fit together: an argument's, else the first's."""
        found = [self.of(path) for path in paths]
        return next((place for place in found if place in self.overrides.values()), found[0])


def load_yaml(path: Path) -> tuple[Any, Places]:
    """Read one YAML file; return its data and places.

    Raises :class:`ConfigError` for a file that is missing, unreadable, not text, not one YAML
    document, or that gives a key twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"not a text file (byte {error.start} is not UTF-8)",
            place=str(path),
            remedy="give a YAML file",
        ) from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigError(
            f"cannot read: {reason}", place=str(path), remedy="give the path of a YAML file"
        ) from error
    return parse_yaml(text, str(path))


def parse_yaml(text: str, source: str) -> tuple[Any, Places]:
    """Parse YAML text that came from ``source``; return its data and places."""
    places = Places(source)
    try:
        root = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = source if mark is None else f"{source}:{mark.line + 1}"
        what = ", ".join(part for part in (error.context, error.problem) if part)
        raise ConfigError(
            f"not valid YAML: {what}",
            place=place,
            remedy="check indentation, quotes and brackets there",
        ) from error
    except yaml.YAMLError as error:
        raise ConfigError(f"not valid YAML: {error}", place=source) from error
    if root is None:
        raise ConfigError("is empty", place=source, remedy="give a mapping of keys to values")
    return _value(root, (), places, ()), places


def apply_set(model: Any, data: Any, places: Places, assignments: Iterable[str]) -> Any:
    """Return ``data`` with each ``path.to.key=value`` set, the value parsed as YAML.

    ``model`` is the type the data will be validated as; a path that it does not have is a
    :class:`ConfigError` with the nearest one. Places of what is set become the argument itself.
    A pydantic model with a class variable ``alternatives`` (names of fields of which exactly one
    may be given) loses its other alternatives when one is set, unless an argument set them too.
    """
    for assignment in assignments:
        argument = f"--set {assignment}"
        dotted, equals, text = assignment.partition("=")
        steps = dotted.strip().split(".")
        if not equals or not all(steps):
            raise ConfigError(
                "expected path.to.key=value",
                place=argument,
                remedy="for example --set workload.resolution=[640,360]",
            )
        value = _set_value(text, argument)
        data = set_value(model, data, places, tuple(steps), value, argument)
    return data


def set_value(
    model: Any, data: Any, places: Places, steps: tuple[str, ...], value: Any, argument: str
) -> Any:
    """Return ``data`` with ``value`` at the path ``steps``, whose place becomes ``argument``.

    Rules and errors are those of :func:`apply_set`.
    """
    path = check_settable(model, data, steps, argument)
    for other in replaced_alternatives(model, data, path):
        if value is not None and not any(o[: len(other)] == other for o in places.overrides):
            data = _without(data, other)
            _forget(places, other)
    data = _with(data, path, value, argument)
    _forget(places, path)
    places.overrides[path] = argument
    return data


def _forget(places: Places, path: tuple[Key, ...]) -> None:
    for known in (places.lines, places.overrides):
        for stale in [other for other in known if other[: len(path)] == path]:
            del known[stale]


def validate(
    model: Any, data: Any, places: Places, *, context: Mapping[str, Any] | None = None
) -> Any:
    """Return ``data`` as an instance of ``model`` (a pydantic model or any annotated type).

    ``context`` reaches the model's validators as ``info.context``.
    Raises one :class:`ConfigError` that names, for every problem, file and line, dotted path,
    what was found, what is expected with its unit, and the nearest valid key.
    """
    try:
        return _adapter(model).validate_python(data, context=context)
    except ValidationError as error:
        problems = describe_problems(model, data, error)
    except ConfigError as error:
        if error.place is not None:
            raise
        raise ConfigError(error.message, place=places.source, remedy=error.remedy) from error
    # Sorted by line, as one reads the file; each problem once.
    lines = {path: places.of(path) for path, _, _ in problems}
    if len(problems) == 1:
        path, message, remedy = problems[0]
        raise ConfigError(f"{_dotted(path)}{message}", place=lines[path], remedy=remedy)
    listing = "".join(
        f"\n  {lines[path]}: {_dotted(path)}{message}" + (f" ({remedy})" if remedy else "")
        for path, message, remedy in problems
    )
    raise ConfigError(f"{len(problems)} problems:{listing}", place=places.source)


@cache
def _adapter(model: Any) -> TypeAdapter[Any]:
    """Return the validator of a type, built once: building takes longer than validating."""
    return TypeAdapter(model)


def _set_value(text: str, argument: str) -> Any:
    if not text.strip():
        return None
    try:
        return parse_yaml(text, argument)[0]
    except ConfigError as error:
        raise ConfigError(error.message, place=argument, remedy=error.remedy) from error


class _Loader(yaml.SafeLoader):
    """SafeLoader with the scalars of YAML 1.2 (core schema)."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  (PyYAML's own convention)


for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first
    )


def _value(
    node: yaml.Node, path: tuple[Key, ...], places: Places, above: tuple[yaml.Node, ...]
) -> Any:
    line = node.start_mark.line + 1
    places.lines.setdefault(path, line)
    if any(node is parent for parent in above):
        raise ConfigError("an anchor refers to itself", place=f"{places.source}:{line}")
    above = (*above, node)
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, places, above)
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, (*path, i), places, above) for i, item in enumerate(node.value)]
    kind = node.tag.removeprefix("tag:yaml.org,2002:")
    if kind == "str":
        return node.value
    if kind == "null":
        return None
    if kind == "bool":
        return node.value.lower() == "true"
    if kind == "int":
        return int(node.value, 0 if node.value[:2] in ("0x", "0o") else 10)
    if kind == "float":
        return float(node.value.replace(".inf", "inf").replace(".nan", "nan").lower())
    raise ConfigError(f"unknown YAML tag {node.tag!r}", place=f"{places.source}:{line}",
                      remedy="write plain values without a tag")  # fmt: skip


def _mapping(
    node: yaml.MappingNode, path: tuple[Key, ...], places: Places, above: tuple[yaml.Node, ...]
) -> dict[str, Any]:
    out: dict[str, Any] = {}
    first: dict[str, int] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            raise ConfigError("a key must be text", place=f"{places.source}:{line}")
        key = key_node.value
        if key in first:
            raise ConfigError(
                f"{_dotted((*path, key))}given twice, first in line {first[key]}",
                place=f"{places.source}:{line}",
                remedy="keep one of the two",
            )
        first[key] = line
        places.lines[(*path, key)] = line
        out[key] = _value(value_node, (*path, key), places, above)
    return out


def _with(data: Any, path: tuple[Key, ...], value: Any, argument: str) -> Any:
    """Return a copy of ``data`` with ``value`` at ``path``, mappings made where there are none."""
    if not path:
        return value
    step, rest = path[0], path[1:]
    if isinstance(data, list):
        items = list(data)
        items[int(step)] = _with(items[int(step)], rest, value, argument)
        return items
    if data is None:
        data = {}
    if not isinstance(data, dict):
        raise ConfigError(
            f"cannot set {step!r} inside the value {data!r}",
            place=argument,
            remedy="set the whole value, as {key: value, ...}",
        )
    return {**data, step: _with(data.get(step), rest, value, argument)}


def _without(data: Any, path: tuple[Key, ...]) -> Any:
    """Return a copy of ``data`` without the key at ``path``, which its mappings have."""
    step, rest = path[0], path[1:]
    if isinstance(data, list):
        items = list(data)
        items[int(step)] = _without(items[int(step)], rest)
        return items
    if rest:
        return {**data, step: _without(data[step], rest)}
    return {key: value for key, value in data.items() if key != step}


def _dotted(path: tuple[Key, ...]) -> str:
    return ".".join(str(step) for step in path) + ": " if path else ""
