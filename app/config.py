"""Run configurations: the schema, and everything a configuration names looked up and checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Union

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    create_model,
)

from archsim.arch.load import load_machine, power_mode
from archsim.arch.machine import Accelerator, Gpu, Machine
from archsim.base.errors import ConfigError
from archsim.base.problems import one_of
from archsim.base.shipped import find_yaml, list_shipped
from archsim.base.units import parse_quantity
from archsim.base.yaml_places import Places, apply_set, validate
from archsim.sim.method import METHODS, Method, load_method
from archsim.traces.gs3d.workload import Gs3dWorkload

__all__ = [
    "ResolvedRun",
    "RunConfig",
    "SystemPlan",
    "list_runs",
    "load_run",
    "read_run",
    "run_model",
    "run_schema",
]

_PACKAGE = "archsim.configs"


def _plain_name(name: str) -> str:
    if not name or not all(c.isalnum() or c in "-_+" for c in name):
        raise ValueError(f"{name!r} is no system name: use letters, digits, - _ and +")
    return name


def _bytes(value: Any) -> Any:
    try:
        return (
            int(parse_quantity(value, "bytes")) if isinstance(value, (str, int, float)) else value
        )
    except ConfigError as error:
        raise ValueError(f"{error.message}; {error.remedy}") from error


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SystemConfig(_Part):
    """One column of the report: a method on a machine."""

    machine: str = Field(
        description="name of a shipped machine, or path of a machine file ending in .yaml",
        examples=["orin-nx-16gb"],
    )
    mode: str | None = Field(
        default=None,
        description="power mode, for GPUs; left out: the mode the module ships in",
        examples=["MAXN"],
    )
    set: dict[str, Any] | None = Field(
        default=None,
        description="values of the machine changed for this system: dotted path -> value",
        examples=[{"memory.device": "lpddr4-3200", "memory.channels.value": 8}],
    )
    method: Any = Field(description="what runs on the machine: its kind and parameters")


class RunConfig(_Part):
    """A run: one workload on several systems, compared with a baseline."""

    workload: Gs3dWorkload = Field(description="what must be computed")
    systems: dict[Annotated[str, AfterValidator(_plain_name)], SystemConfig] = Field(
        min_length=1, description="systems by name, in the order reports show them"
    )
    baseline: str = Field(
        description="the system that the others are compared with", examples=["orin-nx"]
    )
    seed: int = Field(default=0, ge=0, description="seed of everything drawn at random")
    memory_limit: (
        Annotated[int, BeforeValidator(_bytes, json_schema_input_type=int | str)] | None
    ) = Field(
        default=None,
        gt=0,
        description="memory the run may take, such as 8 GB; left out: what the computer has free",
    )


@cache
def run_model() -> type[RunConfig]:
    """Return :class:`RunConfig` with the parameters of every registered method."""
    configs = tuple(load_method(kind).config for kind in METHODS)
    methods: Any = Annotated[Union[configs], Field(discriminator="kind")]  # noqa: UP007  (a tuple of types)
    described = SystemConfig.model_fields["method"].description
    system = create_model(
        "SystemConfig",
        __base__=SystemConfig,
        __doc__=SystemConfig.__doc__,
        method=(methods, Field(description=described)),
    )
    systems = RunConfig.model_fields["systems"]
    named = Annotated[str, AfterValidator(_plain_name)]
    return create_model(
        "RunConfig",
        __base__=RunConfig,
        __doc__=RunConfig.__doc__,
        systems=(dict[named, system], Field(min_length=1, description=systems.description)),  # type: ignore[valid-type]
    )


@dataclass(frozen=True)
class SystemPlan:
    """A system with its machine and method looked up."""

    name: str
    machine: Accelerator | Gpu
    mode: str | None
    method: Method
    config: Any


@dataclass(frozen=True)
class ResolvedRun:
    """A configuration that is right: every name in it stands for something.

    Attributes
    ----------
    name
        Of the configuration, for the result's folder: the file's name without its ending.
    config
        The validated configuration.
    systems
        In the configuration's order.
    """

    name: str
    config: RunConfig
    systems: tuple[SystemPlan, ...]


def list_runs() -> list[str]:
    """Return the names of the shipped run configurations, sorted."""
    return list_shipped(_PACKAGE)


def load_run(
    source: str | Path | Mapping[str, Any],
    *,
    assignments: Iterable[str] = (),
    seed: int | None = None,
    folder: Path | None = None,
) -> ResolvedRun:
    """Read, change by ``--set`` assignments, and check a run configuration.

    ``source`` is a path, the name of a shipped configuration, or the configuration itself.
    Relative paths of scenes are looked for in the configuration's folder, then in the current
    one; those of machines in the current one. ``folder`` is where they are looked for when the
    configuration itself is given. Raises :class:`ConfigError`.
    """
    name, data, places, own_folder = read_run(source)
    folder = own_folder or folder
    model = run_model()
    data = apply_set(model, data, places, assignments)
    if seed is not None and isinstance(data, dict):
        data = {**data, "seed": seed}
        places.overrides["seed",] = f"--seed {seed}"
    config: RunConfig = validate(model, data, places, context={"folder": folder})
    if config.baseline not in config.systems:
        raise ConfigError(
            f"baseline: there is no system {config.baseline!r}",
            place=places.of(("baseline",)),
            remedy=one_of(config.baseline, list(config.systems)),
        )
    systems = tuple(_plan(name, config.systems[name], places) for name in config.systems)
    return ResolvedRun(name, config, systems)


def run_schema(what: str = "run") -> dict[str, Any]:
    """Return the JSON Schema of ``run`` configurations or of ``machine`` files."""
    schema = TypeAdapter[Any](run_model() if what == "run" else Machine).json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def read_run(source: str | Path | Mapping[str, Any]) -> tuple[str, Any, Places, Path | None]:
    """Return the configuration's name, data, places and folder, without checking it."""
    if isinstance(source, Mapping):
        return "run", dict(source), Places("configuration"), None
    return find_yaml(source, _PACKAGE, "configuration")


def _plan(name: str, system: SystemConfig, places: Places) -> SystemPlan:
    def at(key: str, error: ConfigError) -> ConfigError:
        place = places.of_either(("systems", name, key), ("systems", name, "machine"))
        return ConfigError(
            f"systems.{name}.{key}: {error.message}", place=place, remedy=error.remedy
        )

    try:
        changes = {
            dotted: (value, f"{places.of(('systems', name, 'set', dotted))}: systems.{name}.set")
            for dotted, value in (system.set or {}).items()
        }
        machine = load_machine(system.machine, changes=changes)
    except ConfigError as error:
        if error.place is not None:
            raise  # the machine's own file is wrong, which the error names
        raise at("machine", error) from error
    try:
        mode = power_mode(machine, system.mode)
    except ConfigError as error:
        raise at("mode", error) from error
    method = load_method(system.method.kind)
    if machine.kind != method.machine_kind:
        runs_here = [k for k in METHODS if load_method(k).machine_kind == machine.kind]
        wanted = {"gpu": "a GPU", "accelerator": "an accelerator"}
        wrong = ConfigError(
            f"{method.kind} runs on {wanted[method.machine_kind]}, "
            f"but {system.machine} is {wanted[machine.kind]}",
            remedy=f"choose another machine (archsim machines), or one of: {', '.join(runs_here)}",
        )
        raise at("method", wrong)
    return SystemPlan(name, machine, mode, method, system.method)
