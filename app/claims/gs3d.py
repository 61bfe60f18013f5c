"""Measures of 3D Gaussian Splatting accelerators: traffic, buffers, areas, powers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from archsim.arch.load import load_machine
from archsim.arch.machine import Accelerator, Gpu
from archsim.arch.scaling import area_factor, energy_factor
from archsim.base.interval import Interval
from archsim.claims.bench import Bench
from archsim.claims.measure import COMMON, Arguments, Measure, per_scene
from archsim.claims.nodes import chip_energy_pj, machine_of
from archsim.claims.verdict import Measured, NoData, Section
from archsim.sim.area import area_mm2
from archsim.sim.result import SystemResult
from archsim.words import digits, percent

__all__ = ["MEASURES", "area_section", "machine_area"]

#: what the streams of a tile-centric renderer belong to, by how their names begin
_PARTS = {
    "projection": ("preprocess", "parameters", "features/write"),
    "sorting": ("scan", "duplicate", "sort", "ranges", "tile lists"),
}


def _share(part: str, moved: dict[str, float]) -> float:
    total = sum(moved.values())
    return 100 * sum(size for name, size in moved.items() if name.startswith(_PARTS[part])) / total


def _traffic_share(bench: Bench, arguments: Arguments) -> Measured:
    of, part = arguments["of"], arguments["part"]
    found = per_scene(
        bench, arguments, [of], lambda r: Interval.exact(_share(part, _streams(r[of])))
    )
    kind = arguments.get("scenes", "default")
    scene = bench.scenes(kind)[0]
    moved = _streams(bench.on(scene, [of])[of])
    total = sum(moved.values())
    largest = sorted(moved.items(), key=lambda item: -item[1])[:4]
    words = ", ".join(f"{name} {percent(size / total)}" for name, size in largest)
    return Measured(found, why=f"on {scene.name}, {of} moves {words}")


def _streams(result: SystemResult) -> dict[str, float]:
    return dict(result.frames[0].dram_bytes_by_stream)


def _bandwidth(bench: Bench, arguments: Arguments) -> Measured:
    of, fps = arguments["of"], arguments["fps"]
    found = per_scene(
        bench, arguments, [of], lambda r: Interval.exact(r[of].dram_bytes * fps / 1e9)
    )
    sizes = ", ".join(f"{name} {digits(one.value * 1e3 / fps)} MB" for name, one in found.items())
    return Measured(found, why=f"bytes of a frame: {sizes}")


def _dram_gb(bench: Bench, arguments: Arguments) -> Measured:
    of = arguments["of"]
    found = per_scene(bench, arguments, [of], lambda r: Interval.exact(r[of].dram_bytes / 1e9))
    return Measured(found, why=_largest_streams(bench, arguments, of))


def _stream_mb(bench: Bench, arguments: Arguments) -> Measured:
    of = arguments["of"]

    def take(found: dict[str, SystemResult]) -> Interval:
        moved = _streams(found[of])
        return Interval.exact(sum(moved.get(name, 0) for name in arguments["streams"]) / 1e6)

    return Measured(
        per_scene(bench, arguments, [of], take), why=_largest_streams(bench, arguments, of)
    )


def _largest_streams(bench: Bench, arguments: Arguments, of: str) -> str:
    scene = bench.scenes(arguments.get("scenes", "default"))[0]
    moved = _streams(bench.on(scene, [of])[of])
    words = ", ".join(
        f"{name} {digits(size / 1e6)} MB"
        for name, size in sorted(moved.items(), key=lambda item: -item[1])[:5]
    )
    return f"on {scene.name}, {of} moves {words}"


def _buffer_mb(bench: Bench, arguments: Arguments) -> Measured:
    of, buffer = arguments["of"], arguments["buffer"]

    def take(found: dict[str, SystemResult]) -> Interval:
        actions = found[of].frames[0].actions
        moved = sum(actions.get(f"{buffer}/{way}_bytes", 0) for way in ("read", "write"))
        return Interval.exact(moved / 1e6)

    found = per_scene(bench, arguments, [of], take)
    return Measured(found, why="how often the sorter passes a list through its buffer is assumed")


def _chip_power(bench: Bench, arguments: Arguments) -> Measured:
    of, node = arguments["of"], arguments.get("node_nm")
    own = machine_of(bench.system(of)).node_nm.value

    def take(found: dict[str, SystemResult]) -> Interval:
        frame = found[of].frames[0]
        return chip_energy_pj(frame.energy_by_component_pj, own, node) * (1 / frame.time_ps)

    found = per_scene(bench, arguments, [of], take)
    scaled = "" if node is None else (
        f"; dynamic energy scaled from {own:g} to {node:g} nm by "
        f"{digits(energy_factor(own, node).value)}"
    )  # fmt: skip
    return Measured(
        found,
        why="units are not busy all the time here, and the published power is that of busy ones"
        + scaled,
    )


def _accelerator(name: str) -> Accelerator:
    machine = load_machine(name)
    if not isinstance(machine, Accelerator):
        raise ValueError(f"{name} is no accelerator")
    return machine


def machine_area(name: str, node_nm: float | None = None) -> tuple[Interval, dict[str, Interval]]:
    """Return a machine's area in mm2 and its parts, at its own node or scaled to another."""
    machine = _accelerator(name)
    factor = area_factor(machine.node_nm.value, node_nm or machine.node_nm.value)
    parts = {part: one * factor for part, one in (area_mm2(machine) or {}).items()}
    total = Interval.exact(0.0)
    for one in parts.values():
        total = total + one
    return total, parts


def area_section(title: str, parts: dict[str, Interval]) -> Section:
    """Return the areas of parts as a table, largest first."""
    rows = sorted(parts.items(), key=lambda item: -item[1].value)
    return Section(
        title,
        ("part", "mm²", "low", "high"),
        tuple((n, digits(one.value), digits(one.low), digits(one.high)) for n, one in rows),
    )


def _area(bench: Bench, arguments: Arguments) -> Measured:
    total, parts = machine_area(arguments["machine"], arguments.get("node_nm"))
    largest = sorted(parts.items(), key=lambda item: -item[1].value)[:3]
    words = ", ".join(f"{name} {digits(one.value)} mm²" for name, one in largest)
    node = arguments.get("node_nm") or _accelerator(arguments["machine"]).node_nm.value
    title = f"Area of {arguments['machine']} at {node:g} nm, by part"
    return Measured(
        {f"{node:g} nm": total},
        why=f"largest parts: {words}; wiring, pads and DRAM PHY are left out",
        sections=[area_section(title, parts)],
    )


def _unit_area(bench: Bench, arguments: Arguments) -> Measured:
    unit = _accelerator(arguments["machine"]).units[arguments["unit"]]
    return Measured({arguments["unit"]: unit.area_mm2.interval})


def _fp16_tflops(bench: Bench, arguments: Arguments) -> Measured | NoData:
    machine = load_machine(arguments["machine"])
    if not isinstance(machine, Gpu):
        return NoData(f"{machine.name} is no GPU")
    mode = machine.modes[arguments["mode"]]
    lanes = mode.sms.value * machine.sm.fp32_lanes.value
    rate = 2 * 2 * lanes * mode.gpu_clock_mhz.value / 1e6  # two FP16 per lane, multiply and add
    return Measured({arguments["mode"]: Interval.exact(rate)})


_Take = Callable[[Bench, Arguments], Any]
_TAKEN: dict[str, _Take] = {
    "traffic_share": _traffic_share,
    "bandwidth_at": _bandwidth,
    "dram_gb": _dram_gb,
    "stream_mb": _stream_mb,
    "buffer_mb": _buffer_mb,
    "chip_power": _chip_power,
    "area": _area,
    "unit_area": _unit_area,
    "fp16_tflops": _fp16_tflops,
}

#: measures by name
MEASURES: dict[str, Measure] = COMMON | {name: Measure(take) for name, take in _TAKEN.items()}
