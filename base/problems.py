"""What pydantic found wrong, in a user's words: path, found, expected with unit, nearest key."""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, Tag, ValidationError
from pydantic.fields import FieldInfo

from archsim.base.errors import ConfigError

__all__ = [
    "check_settable",
    "describe_problems",
    "nearest",
    "one_of",
    "replaced_alternatives",
    "unit_of",
]

_Path = tuple[str | int, ...]
_NOWHERE: _Path = ()

#: suffix of a field's name -> unit, longest first
_UNITS = {
    "_bytes_per_s": "bytes/s", "_mt_s": "MT/s", "_cycles": "cycles", "_bytes": "bytes",
    "_bits": "bits", "_mhz": "MHz", "_mm2": "mm2", "_mw": "mW", "_pj": "pJ", "_nm": "nm",
    "_ns": "ns", "_ps": "ps", "_db": "dB", "_deg": "degrees", "_s": "s",
}  # fmt: skip

#: pydantic error type -> what was expected
_EXPECTED = {
    "model_type": "a mapping", "model_attributes_type": "a mapping", "dict_type": "a mapping",
    "list_type": "a list", "tuple_type": "a list", "string_type": "text",
    "int_type": "a whole number", "int_parsing": "a whole number",
    "int_from_float": "a whole number", "float_type": "a number", "float_parsing": "a number",
    "bool_type": "true or false", "bool_parsing": "true or false",
    "finite_number": "a finite number",
}  # fmt: skip


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word nearest to ``word``, if one is near."""
    folded = {name.casefold(): name for name in known}
    close = difflib.get_close_matches(word.casefold(), folded, n=1, cutoff=0.6)
    return folded[close[0]] if close else None


def one_of(word: str, known: Sequence[str]) -> str:
    """Return the remedy for an unknown name: the nearest one, else all."""
    close = nearest(word, known)
    names = ", ".join(known) if known else "none"
    return f"did you mean {close!r}?" if close else f"valid: {names}"


def unit_of(path: _Path) -> str | None:
    """Return the unit that the innermost name with a unit carries as its suffix."""
    for step in reversed(path):
        if isinstance(step, str):
            for suffix, unit in _UNITS.items():
                if step.endswith(suffix):
                    return unit
    return None


@dataclass(frozen=True)
class _Node:
    """A place in the model: the type there, and the field that holds it."""

    annotation: Any
    discriminator: str | None = None
    field: FieldInfo | None = None


def describe_problems(
    model: Any, data: Any, error: ValidationError
) -> list[tuple[_Path, str, str | None]]:
    """Return (path, message, remedy) for each problem, in the order pydantic found them."""
    found = [
        (detail, *_follow(_Node(model), data, detail["loc"], detail["type"]))
        for detail in error.errors(include_url=False)
    ]
    chosen = _choose_alternatives([(labels, path) for _, path, _, labels in found])
    problems = [
        (path, *_describe(detail, path, nodes))
        for keep, (detail, path, nodes, _) in zip(chosen, found)
        if keep
    ]
    return _merge_alternatives(problems)


def check_settable(model: Any, data: Any, steps: tuple[str, ...], argument: str) -> _Path:
    """Return ``steps`` with list positions as integers; raise when ``model`` has no such path."""
    node, path, left = _Node(model), _NOWHERE, steps
    while left:
        step = left[0]
        node = _narrow(node, data)
        done = ".".join(str(p) for p in path)
        if isinstance(data, list):
            if not step.isdigit() or int(step) >= len(data):
                raise ConfigError(
                    f"{done} is a list of {len(data)}, it has no {step!r}",
                    place=argument,
                    remedy=f"use 0 to {len(data) - 1}, or set the whole list",
                )
            node, data = _child(node, int(step)), data[int(step)]
            path, left = (*path, int(step)), left[1:]
            continue
        known = _keys(node)
        if known is None and isinstance(data, dict):
            taken = _free_name(data, left)
            step, left = ".".join(left[:taken]), left[taken - 1 :]
        if known is None and isinstance(data, dict) and len(left) > 1:
            known = list(data)  # a mapping with free names: only what is there can be reached into
        if known is not None and step not in known:
            where = f"{done} has" if done else "there is"
            raise ConfigError(f"{where} no {step!r}", place=argument, remedy=one_of(step, known))
        node = _child(node, step)
        data = data.get(step) if isinstance(data, dict) else None
        path, left = (*path, step), left[1:]
    return path


def _free_name(data: dict[str, Any], steps: tuple[str, ...]) -> int:
    """Return how many steps name a key of a mapping with free names, which may have dots in it."""
    lengths = range(len(steps), 1, -1)
    return next((n for n in lengths if ".".join(steps[:n]) in data), 1)


def replaced_alternatives(model: Any, data: Any, path: _Path) -> list[_Path]:
    """Return what ``data`` gives of the alternatives that setting ``path`` chooses against.

    A model declares its alternatives in a class variable ``alternatives``.
    """
    node, replaced = _Node(model), list[_Path]()
    for position, step in enumerate(path):
        node = _narrow(node, data)
        annotation, _ = _strip(node)
        group = getattr(annotation, "alternatives", ()) if _is_model(annotation) else ()
        if step in group and isinstance(data, dict):
            others = [other for other in group if other != step and other in data]
            replaced += [(*path[:position], other) for other in others]
        node = _child(node, step)
        if isinstance(data, dict):
            data = data.get(str(step))
        else:
            data = data[step] if isinstance(data, list) and isinstance(step, int) else None
    return replaced


# --- following a location through the model -----------------------------------------------------


def _strip(node: _Node) -> tuple[Any, str | None]:
    """Return the type without ``Annotated`` and ``None``, and its discriminator."""
    annotation, discriminator = node.annotation, node.discriminator
    while get_origin(annotation) is Annotated:
        annotation, *metadata = get_args(annotation)
        for item in metadata:
            named = getattr(item, "discriminator", None)
            discriminator = named if isinstance(named, str) else discriminator
    members = _members(annotation)
    if len(members) == 1 and members[0] is not annotation:
        return _strip(_Node(members[0], discriminator))
    return annotation, discriminator


def _members(annotation: Any) -> list[Any]:
    if get_origin(annotation) in (Union, types.UnionType):
        return [m for m in get_args(annotation) if m is not type(None)]
    return [annotation]


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _child(node: _Node, step: str | int) -> _Node:
    """Return the node one step inside, unknown (``None``) where the model does not tell."""
    annotation, _ = _strip(node)
    if _is_model(annotation):
        field = annotation.model_fields.get(step)
        if field is None:
            return _Node(None)
        named = field.discriminator
        return _Node(field.annotation, named if isinstance(named, str) else None, field)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is dict and len(arguments) == 2:
        return _Node(arguments[1])
    if origin in (list, tuple) and arguments:
        fixed = origin is tuple and arguments[-1] is not Ellipsis
        at = step if fixed and isinstance(step, int) and step < len(arguments) else 0
        return _Node(arguments[at])
    return _Node(None)


def _literals(annotation: Any, name: str) -> tuple[Any, ...]:
    field = annotation.model_fields.get(name) if _is_model(annotation) else None
    return get_args(field.annotation) if field else ()


def _bare(member: Any) -> Any:
    return get_args(member)[0] if get_origin(member) is Annotated else member


def _label(member: Any) -> str:
    """Return the name pydantic gives a union's member in locations."""
    tags = [m.tag for m in get_args(member)[1:] if isinstance(m, Tag)]
    if get_origin(member) is Annotated and tags:
        return str(tags[0])
    bare = _bare(member)
    return getattr(bare, "__name__", str(bare)) if get_origin(bare) is None else str(bare)


def _narrow(node: _Node, data: Any) -> _Node:
    """Choose the member of a union that the data asks for, by its discriminator or its shape."""
    annotation, discriminator = _strip(node)
    members = _members(annotation)
    if len(members) == 1:
        return node
    if discriminator is not None and isinstance(data, dict):
        for member in members:
            if data.get(discriminator) in _literals(_bare(member), discriminator):
                return _Node(member, None, node.field)
        return _Node(None)
    if isinstance(data, dict):
        shaped = [m for m in members if _is_model(_bare(m)) or get_origin(_bare(m)) is dict]
        return _Node(shaped[0], None, node.field) if len(shaped) == 1 else _Node(None)
    return _Node(None)


def _keys(node: _Node) -> list[str] | None:
    annotation, _ = _strip(node)
    return list(annotation.model_fields) if _is_model(annotation) else None


def _follow(
    node: _Node, data: Any, loc: _Path, kind: str
) -> tuple[_Path, list[_Node], list[tuple[_Path, str]]]:
    """Follow pydantic's location: return the path in the data, the nodes and the union choices.

    A location also names the members of unions that were tried; those are no keys of the data.
    """
    path: _Path = ()
    nodes, labels = [node], list[tuple[_Path, str]]()
    for position, step in enumerate(loc):
        annotation, discriminator = _strip(nodes[-1])
        members = _members(annotation)
        last = position == len(loc) - 1
        if len(members) > 1:
            tagged = discriminator is not None
            member = next(
                (
                    m
                    for m in members
                    if (tagged and step in _literals(_bare(m), str(discriminator)))
                    or (not tagged and _label(m) == step)
                ),
                None,
            )
            nodes[-1] = _Node(member, None, nodes[-1].field)
            if not tagged:
                labels.append((path, str(step)))
            continue
        names_a_key = last and kind in ("missing", "extra_forbidden")
        inside = (isinstance(data, dict) and step in data) or (
            isinstance(data, list) and isinstance(step, int) and step < len(data)
        )
        if not inside and not names_a_key:
            continue  # pydantic's own marker, such as [key]
        nodes.append(_child(nodes[-1], step))
        path = (*path, step)
        data = data[step] if inside else None
    return path, nodes, labels


def _choose_alternatives(found: list[tuple[list[tuple[_Path, str]], _Path]]) -> list[bool]:
    """Of a union's failed members keep the one whose shape the data has.

    pydantic reports every member. Members whose problems lie inside the value fit its shape; of
    those the one with the fewest problems is meant. Where none fits, all are kept.
    """
    inside: dict[_Path, dict[str, list[bool]]] = {}
    for labels, path in found:
        for at, label in labels:
            inside.setdefault(at, {}).setdefault(label, []).append(len(path) > len(at))
    meant: dict[_Path, str] = {}
    for at, alternatives in inside.items():
        fitting = {label: len(deep) for label, deep in alternatives.items() if all(deep)}
        if fitting:
            meant[at] = min(fitting, key=lambda label: fitting[label])
    return [all(meant.get(at, label) == label for at, label in labels) for labels, _ in found]


def _merge_alternatives(
    problems: list[tuple[_Path, str, str | None]],
) -> list[tuple[_Path, str, str | None]]:
    """Write ``found 3, expected text`` and ``found 3, expected a mapping`` as one problem."""
    merged: dict[tuple[_Path, str], tuple[str, str | None]] = {}
    for path, message, remedy in problems:
        found, comma, expected = message.partition(", expected ")
        if not comma:
            merged[path, message] = ("", remedy)
        elif (path, found) not in merged:
            merged[path, found] = (expected, remedy)
        elif expected not in merged[path, found][0].split(" or "):
            earlier, remedy_before = merged[path, found]
            merged[path, found] = (f"{earlier} or {expected}", remedy_before or remedy)
    return [
        (path, f"{found}, expected {expected}" if expected else found, remedy)
        for (path, found), (expected, remedy) in merged.items()
    ]


# --- words --------------------------------------------------------------------------------------


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "a mapping with " + (", ".join(str(k) for k in list(value)[:4]) or "no keys")
    if isinstance(value, list):
        return "a list" if len(value) > 4 else repr(value)
    return "nothing" if value is None else repr(value)


def _described(node: _Node, path: _Path) -> str:
    text = node.field.description if node.field is not None else None
    unit = unit_of(path)
    parts = [text] if text else []
    if unit:
        parts.append(f"in {unit}")
    return f" ({', '.join(parts)})" if parts else ""


def _describe(detail: Any, path: _Path, nodes: list[_Node]) -> tuple[str, str | None]:
    kind, context, value = detail["type"], detail.get("ctx", {}), detail["input"]
    if kind == "extra_forbidden":
        known = _keys(nodes[-2]) or []
        close = nearest(str(path[-1]), known)
        unit = unit_of((close,)) if close else None
        hint = one_of(str(path[-1]), known)
        return "unknown key", f"{hint} (in {unit})" if unit else hint
    if kind == "missing":
        return f"missing{_described(nodes[-1], path)}", f"add {path[-1]!r}"
    if kind == "union_tag_not_found":
        name = str(context["discriminator"]).strip("'")
        return f"missing key {name!r}", f"add {name!r}, one of {_tags(nodes[-1], name)}"
    if kind == "union_tag_invalid":
        name, tag = str(context["discriminator"]).strip("'"), str(context["tag"])
        known = [t.strip().strip("'") for t in str(context["expected_tags"]).split(",")]
        valid = ", ".join(known)
        close = nearest(tag, known)
        return (
            f"unknown {name} {tag!r}, expected one of {valid}",
            f"did you mean {close!r}?" if close else None,
        )
    if kind in ("literal_error", "enum"):
        known = [str(v) for v in _choices(nodes[-1])]
        close = nearest(str(value), known)
        valid = ", ".join(known) or str(context.get("expected"))
        return (
            f"found {_shown(value)}, expected one of {valid}{_described(nodes[-1], path)}",
            f"did you mean {close!r}?" if close else None,
        )
    if kind in ("value_error", "assertion_error"):
        return str(context["error"]), None
    if kind in _EXPECTED:
        expected = _EXPECTED[kind]
    else:
        expected = detail["msg"].removeprefix("Input should be ")
        expected = expected[:1].lower() + expected[1:]
    return f"found {_shown(value)}, expected {expected}{_described(nodes[-1], path)}", None


def _choices(node: _Node) -> tuple[Any, ...]:
    annotation, _ = _strip(node)
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def _tags(node: _Node, name: str) -> str:
    annotation, _ = _strip(node)
    tags = [t for m in _members(annotation) for t in _literals(_bare(m), name)]
    return ", ".join(str(t) for t in tags)
