"""Fitting a generation's parameters to the fit rows, and nothing but these.

Coordinate descent in steps that shrink: each parameter is moved up and down within its bounds, and
kept where the objective falls. The objective is the mean over tables of the mean absolute relative
error, so that a table with many rows weighs no more than one with few.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from archsim.sim.gpu.device import Device
from archsim.sim.gpu.timing import kernel_time
from archsim.sim.validation.gpu_measured import Measurement
from archsim.sim.validation.gpu_operators import calls_of, host_of, kind_of, works

__all__ = [
    "PARAMETERS",
    "Parameter",
    "changed",
    "descend",
    "errors_by_class",
    "objective",
    "predicted_us",
]


@dataclass(frozen=True)
class Parameter:
    """A parameter with its bounds; ``place`` is ``generation``, ``controller`` or ``host``."""

    place: str
    name: str
    low: float
    high: float


def _generation(*names: tuple[str, float, float]) -> tuple[Parameter, ...]:
    return tuple(Parameter("generation", *name) for name in names)


_BOTH = _generation(
    ("block_ns", 50, 800), ("latency_ns", 200, 900), ("tensor_fraction", 0.8, 1.0),
    ("l2_fraction", 0.3, 1.0), ("overlap_loss", 0.01, 0.6), ("retained_fraction", 0.1, 1.0),
)  # fmt: skip
_MEMORY = (Parameter("controller", "pin_fraction", 0.85, 1.0),)
_HOST = tuple(
    Parameter("host", name, 1, 80)
    for name in ("matmul", "softmax", "layer norm", "gelu", "prefill")
)
#: machine -> what was fitted to its rows. ``issue_fraction`` is AGX Orin's, and two counts of
#: instructions, softmax's and attention's per score, were scaled to it.
PARAMETERS: dict[str, tuple[Parameter, ...]] = {
    "rtx-4090": (*_generation(("kernel_ns", 500, 6000)), *_BOTH, *_MEMORY),
    "a100-80gb": (*_BOTH, *_MEMORY, *_HOST),
}


def predicted_us(row: Measurement, device: Device, host_us: Mapping[str, float]) -> float:
    """Return the modelled time of a measured row: kernels, and the host time around a call.

    A row that is the mean over several calls has their kernels' mean.
    """
    kernels = sum(
        kernel_time(work, device).total_ns for work in works(row.operator, row.shape, device)
    )
    host = host_of(row.operator)
    return kernels / calls_of(row.operator) / 1e3 + (host_us[host] if host is not None else 0.0)


def errors_by_class(rows: Sequence[Measurement], device: Device,
                    host_us: Mapping[str, float]) -> dict[str, list[float]]:  # fmt: skip
    """Return the relative errors of the rows, by class of kernel."""
    found: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        found[kind_of(row.operator)].append(predicted_us(row, device, host_us) / row.time_us - 1)
    return dict(found)


def objective(rows: Sequence[Measurement], device: Device, host_us: Mapping[str, float]) -> float:
    """Return the mean over tables of the mean absolute relative error."""
    tables: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        tables[row.table].append(abs(predicted_us(row, device, host_us) / row.time_us - 1))
    return sum(sum(errors) / len(errors) for errors in tables.values()) / len(tables)


def changed(device: Device, values: Mapping[tuple[str, str], float]) -> Device:
    """Return the device with other values of its generation's and its controller's parameters."""
    generation = device.generation.model_dump()
    machine = device.machine.model_dump()
    parts = {"generation": generation, "controller": machine["memory"]["controller"]}
    for (place, name), value in values.items():
        if place in parts:
            constant = parts[place][name]
            constant.update(
                value=value, low=min(value, constant["low"]), high=max(value, constant["high"])
            )
    rebuilt = type(device.machine).model_validate(machine)
    return Device(
        rebuilt, device.mode_name, rebuilt.modes[device.mode_name],
        type(device.generation).model_validate(generation),
    )  # fmt: skip


def descend(
    parameters: Sequence[Parameter],
    start: Mapping[tuple[str, str], float],
    cost: Callable[[Mapping[tuple[str, str], float]], float],
    *,
    rounds: int = 5,
    tell: Callable[[str], None] = lambda _: None,
) -> dict[tuple[str, str], float]:
    """Return the values that coordinate descent ends with."""
    best, values, step = cost(start), dict(start), 0.25
    for turn in range(rounds):
        for parameter in parameters:
            key = (parameter.place, parameter.name)
            for factor in (1 + step, 1 / (1 + step)):
                tried = {
                    **values,
                    key: min(max(values[key] * factor, parameter.low), parameter.high),
                }
                found = cost(tried) if tried != values else best
                if found < best:
                    best, values = found, tried
        tell(f"round {turn + 1}: {100 * best:.2f} %")
        step /= 1.7
    return values
