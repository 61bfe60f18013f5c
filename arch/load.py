"""Machine files: those shipped with archsim, by name, and a user's own, by path."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from archsim.arch.machine import Accelerator, Gpu, Machine
from archsim.base.errors import ConfigError
from archsim.base.problems import one_of
from archsim.base.shipped import list_shipped, read_shipped
from archsim.base.yaml_places import Places, load_yaml, set_value, validate

__all__ = ["list_machines", "load_machine", "machine_data", "power_mode"]

_PACKAGE = "archsim.configs.machines"


def list_machines() -> list[str]:
    """Return the names of the shipped machines, sorted."""
    return list_shipped(_PACKAGE)


def load_machine(
    name_or_path: str, *, changes: Mapping[str, tuple[Any, str]] | None = None
) -> Accelerator | Gpu:
    """Return a shipped machine by name, or a machine file by path (it ends in ``.yaml``).

    ``changes`` sets values before the machine is checked: dotted path, as ``memory.device`` or
    ``memory.channels.value``, to the value and the place that errors name. The machine's notes say
    what was changed, and so does the source of a constant whose value was.

    Raises :class:`ConfigError` for an unknown name (with the nearest one), a missing file, and
    anything in a file that the schema does not have, naming file, line, path, what was found and
    what is expected.
    """
    data, places = _read(name_or_path)
    for dotted, (value, place) in (changes or {}).items():
        data = _change(data, places, dotted, value, place)
    machine: Accelerator | Gpu = validate(Machine, data, places)
    return machine


def machine_data(name_or_path: str) -> Any:
    """Return a machine file's content as plain data, not checked; not to be changed."""
    return _read(name_or_path)[0]


def _read(name_or_path: str) -> tuple[Any, Places]:
    """Return a machine's data and its places, which may be edited."""
    if name_or_path.endswith((".yaml", ".yml")):
        return _described(*load_yaml(Path(name_or_path)))
    known = list_machines()
    if name_or_path not in known:
        raise ConfigError(
            f"unknown machine {name_or_path!r}",
            remedy=f"{one_of(name_or_path, known)} (a file's path ends in .yaml)",
        )
    data, places = _shipped(name_or_path)
    return data, replace(places, lines=dict(places.lines), overrides=dict(places.overrides))


@cache
def _shipped(name: str) -> tuple[Any, Places]:
    """Parse a shipped machine, once: it does not change while archsim runs."""
    return _described(*read_shipped(_PACKAGE, name))


def _described(data: Any, places: Places) -> tuple[Any, Places]:
    """Return a whole machine: as written, or made of the one that it is like."""
    return _derived(data, places) if isinstance(data, dict) and "like" in data else (data, places)


def _derived(data: dict[str, Any], places: Places) -> tuple[Any, Places]:
    """Return a machine that is described by what it has unlike another.

    ``like`` names a shipped machine; ``set`` holds whole constants by dotted path; ``name``,
    ``title`` and ``notes`` are the new machine's own, its notes beside the other's.
    """
    allowed = ("like", "name", "title", "set", "notes")
    unknown = [key for key in data if key not in allowed]
    if unknown or not {"name", "title"} <= set(data):
        raise ConfigError(
            f"a machine like another has {', '.join(allowed)}, found {', '.join(data)}",
            place=places.source,
            remedy="put what differs under set, or describe the whole machine",
        )
    known = list_machines()
    if data["like"] not in known:
        raise ConfigError(
            f"like: unknown machine {data['like']!r}",
            place=places.of(("like",)), remedy=one_of(str(data["like"]), known),
        )  # fmt: skip
    other, other_places = _read(str(data["like"]))
    for dotted, value in (data.get("set") or {}).items():
        place = places.of(("set", dotted))
        other = set_value(Machine, other, other_places, tuple(dotted.split(".")), value, place)
    notes = [*(other.get("notes") or ()), *(data.get("notes") or ())]
    return {**other, "name": data["name"], "title": data["title"], "notes": notes}, other_places


def _change(data: Any, places: Places, dotted: str, value: Any, place: str) -> Any:
    steps = tuple(dotted.split("."))
    constant = data
    for step in steps[:-1]:
        constant = constant.get(step) if isinstance(constant, dict) else None
    sourced = isinstance(constant, dict) and "source" in constant
    if sourced and steps[-1] != "value":
        raise ConfigError(
            f"{dotted}: of a constant only the value can be changed alone",
            place=place,
            remedy=f"set {'.'.join(steps[:-1])} to a whole {{value: ..., range: ..., source: ...}}",
        )
    data = set_value(Machine, data, places, steps, value, place)
    if sourced:
        # what a run chooses is known exactly, whatever the file's value may range over
        span = constant.get("range", [constant.get("low"), constant.get("high")])
        source = f"set by this run; the machine's file says {constant['value']}: "
        exact = {k: v for k, v in constant.items() if k not in ("low", "high", "assumed")}
        exact |= {
            "value": value,
            "range": "exact",
            "source": f"{source}{constant['source']} (range {span})",
        }
        data = set_value(Machine, data, places, steps[:-1], exact, place)
    note = f"Changed by this run: {dotted} = {value}."
    return {**data, "notes": [*(data.get("notes") or ()), note]}


def power_mode(machine: Accelerator | Gpu, mode: str | None) -> str | None:
    """Return the power mode to run in: the one named, a GPU's default, ``None`` without modes."""
    if isinstance(machine, Accelerator):
        if mode is not None:
            raise ConfigError(
                f"{machine.name} has no power modes, but mode {mode!r} is given",
                remedy="leave `mode` out",
            )
        return None
    if mode is None:
        return machine.default_mode
    if mode not in machine.modes:
        raise ConfigError(
            f"{machine.name} has no power mode {mode!r}", remedy=one_of(mode, list(machine.modes))
        )
    return mode
