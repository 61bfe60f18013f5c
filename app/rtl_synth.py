"""Tables of ``archsim rtl synth``: what each block takes, and how blocks compare."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from rich.console import RenderableType
from rich.table import Table

from archsim.base.errors import ConfigError
from archsim.base.problems import one_of
from archsim.progress import Reporter
from archsim.words import DASH

__all__ = ["synthesise"]

_LANE = "vru"  # areas are told relative to this unit's


def synthesise(
    config: str, size: str, names: list[str], target: Literal["ecp5", "cells"],
    liberty: Path | None, library_nm: float | None, node_nm: float | None, reporter: Reporter,
) -> list[RenderableType]:  # fmt: skip
    """Synthesise the blocks of a machine's size and return the tables to print."""
    from archsim.arch.load import load_machine
    from archsim.rtl.tools.environment import need_package

    need_package("amaranth", "rtl")
    from archsim.rtl.inventory import blocks_of
    from archsim.rtl.parameters import load_parameters

    blocks = blocks_of(load_parameters(config, size))
    for name in names:
        if name not in blocks:
            raise ConfigError(f"unknown block {name!r}; {one_of(name, list(blocks))}")
    chosen = [block for block in blocks.values() if not names or block.name in names]
    if target == "ecp5":
        return _ecp5(chosen, load_machine(config), size, reporter)
    return _cells(chosen, load_machine(config), size, liberty, library_nm, node_nm, reporter)


def _ecp5(blocks: list[Any], machine: Any, size: str, reporter: Reporter) -> list[RenderableType]:
    from archsim.rtl.tools.ecp5 import DEVICE, synthesise_ecp5

    table = _table(f"{size} on {DEVICE}", ("block", "LUTs", "flip-flops", "DSPs", "block RAMs",
                                           "MHz", "slowest path"))  # fmt: skip
    areas = {}
    with reporter.step("synthesis, placement and routing") as done:
        for number, block in enumerate(blocks):
            report = synthesise_ecp5(block.make())
            clock = DASH if report.fmax_mhz is None else f"{report.fmax_mhz:.0f}"
            path = f"{report.critical_from} → {report.critical_to}" if report.critical_to else DASH
            table.add_row(block.name, *(f"{n:,}" for n in (report.luts, report.flip_flops,
                          report.dsps, report.block_rams)), clock, path)  # fmt: skip
            areas[block.name] = float(report.luts)
            done(number + 1, len(blocks))
    return [table, *_ratios(blocks, areas, machine, "LUTs")]


def _cells(
    blocks: list[Any], machine: Any, size: str, liberty: Path | None, library_nm: float | None,
    node_nm: float | None, reporter: Reporter,
) -> list[RenderableType]:  # fmt: skip
    from archsim.arch.scaling import area_factor
    from archsim.rtl.tools.liberty import find_liberty, synthesise_cells

    file, known_nm = find_liberty(liberty)
    from_nm = library_nm if library_nm is not None else known_nm
    factor = None
    if node_nm is not None:
        if from_nm is None:
            raise ConfigError("the Liberty file's node is not known", place=str(file),
                              remedy="state it with --library-nm")  # fmt: skip
        factor = area_factor(from_nm, node_nm)
    columns = ["block", "cells", "area um2", "memory bits", "delay ns"]
    scaled = [f"area um2 at {node_nm:g} nm", "range"] if factor is not None else []
    table = _table(f"{size} in {file.stem}", (*columns, *scaled))
    areas = {}
    with reporter.step("mapping to cells") as done:
        for number, block in enumerate(blocks):
            report = synthesise_cells(block.make(), file)
            delay = DASH if report.delay_ns is None else f"{report.delay_ns:.2f}"
            row = [block.name, f"{report.cells:,}", f"{report.area_um2:,.0f}",
                   f"{report.memory_bits:,}", delay]  # fmt: skip
            if factor is not None:
                area = report.area_um2
                row += [f"{area * factor.value:,.0f}",
                        f"{area * factor.low:,.0f} to {area * factor.high:,.0f}"]  # fmt: skip
            table.add_row(*row)
            areas[block.name] = report.area_um2
            done(number + 1, len(blocks))
    notes: list[RenderableType] = [
        "Delay without wires; memories are no cells and not in the area."
    ]
    if factor is not None:
        notes.append(f"Area scaled from {from_nm:g} to {node_nm:g} nm times {factor.value:.3g} "
                     f"({factor.low:.3g} to {factor.high:.3g}: every published method that covers "
                     "the step, see archsim.arch.scaling).")  # fmt: skip
    return [table, *notes, *_ratios(blocks, areas, machine, "area")]


def _ratios(
    blocks: list[Any], areas: dict[str, float], machine: Any, what: str
) -> list[RenderableType]:
    """Return each unit's size over a render lane's, ours beside the machine file's."""
    units = [block for block in blocks if block.unit in machine.units]
    lane = next((b for b in units if b.unit == _LANE), None)
    if lane is None:
        return []
    own = areas[lane.name] / lane.units
    area = {name: unit.area_mm2 for name, unit in machine.units.items()}
    table = _table(f"one unit over one render lane ({own:,.0f} {what})",
                   ("block", "unit", what, "machine's area", "range", "source"))  # fmt: skip
    for block in units:
        theirs, base = area[block.unit], area[_LANE]
        table.add_row(
            block.name, block.unit, f"{areas[block.name] / block.units / own:.2f}",
            f"{theirs.value / base.value:.2f}",
            f"{theirs.low / base.value:.2f} to {theirs.high / base.value:.2f}", theirs.source,
        )  # fmt: skip
    return [table]


def _table(title: str, columns: tuple[str, ...]) -> Table:
    table = Table(title=title, title_justify="left")
    for name in columns:
        text = name in ("block", "unit", "slowest path", "source", "range")
        table.add_column(name, justify="left" if text else "right", overflow="fold")
    return table
