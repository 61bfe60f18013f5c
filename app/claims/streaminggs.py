"""Measures of StreamingGS: filters, vector quantisation, order, quality, area by number width."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from archsim.arch.machine import Accelerator
from archsim.arch.operations import load_operations
from archsim.base.interval import Interval
from archsim.claims.bench import Bench
from archsim.claims.filter_share import filter_section
from archsim.claims.gs3d import MEASURES as GS3D
from archsim.claims.gs3d import machine_area
from archsim.claims.measure import Arguments, Measure, per_scene
from archsim.claims.nodes import machine_of
from archsim.claims.verdict import Measured, NoData, Section
from archsim.sim.gs3d.gscore_constants import constant as gscore_constant
from archsim.sim.gs3d.streaminggs_constants import constant
from archsim.sim.result import SystemResult
from archsim.traces.gs3d.streaminggs.codebooks import CodebookSizes
from archsim.traces.gs3d.streaminggs.operations import (
    PUBLISHED_MACS,
    Filter,
    Step,
    filter_macs,
    filter_steps,
    filter_total,
)
from archsim.traces.gs3d.streaminggs.quantise import OPACITY_BITS
from archsim.words import digits

__all__ = ["MEASURES"]

_SYSTEM = "streaminggs"
_FINETUNED = "finetuned"

#: initiation intervals and number formats of the area's table
_INTERVALS = (1, 2, 5, 10, 20)
_WIDTHS = ("fp32", "fp16")


def _count(found: dict[str, SystemResult], name: str, scale: float = 1.0) -> Interval:
    return Interval.exact(scale * float(found[_SYSTEM].workload_counts[name]))


def _filtered(bench: Bench, arguments: Arguments) -> Measured:
    found = per_scene(bench, arguments, [_SYSTEM], lambda r: _count(r, "filtered_fraction", 100))
    scene = bench.scenes(arguments.get("scenes", "default"))[0]
    published = next(row.band[0] for row in bench.claims.rows if row.measure == "filtered")
    section = filter_section(bench, scene, published)
    return Measured(
        found,
        why="the share follows voxel and group: see the table; the paper states neither",
        sections=[section],
    )


_SAVING = {"filtered": "with_filter", "unfiltered": "without_filter"}


def _vq_saving(bench: Bench, arguments: Arguments) -> Measured:
    against, counted = arguments["against"], "packed" if arguments["packed"] else "bursts"
    name = f"vq_saving_{_SAVING[against]}_{counted}_fraction"
    found = per_scene(bench, arguments, [_SYSTEM], lambda r: _count(r, name, 100))
    why = {
        "filtered": "the coarse half, 16 bytes for every Gaussian loaded, is read either way; what "
        "quantisation saves of the rest depends on how many pass the coarse filter",
        "unfiltered": "the coarse half of every Gaussian loaded remains: 16 of 236 bytes are 6.8 %",
    }[against]
    return Measured(found, why=why)


def _vq_record(bench: Bench, arguments: Arguments) -> Measured:
    words = 59 - constant("coarse_parameters")
    record_bits = sum((size - 1).bit_length() for size in CodebookSizes()) + OPACITY_BITS
    stored = -(-record_bits // 8)
    saved = 1 - stored / (words * gscore_constant("parameter_bytes"))
    return Measured(
        {"SH degree 3": Interval.exact(100 * saved)},
        why=f"{stored} bytes of indices and opacity in place of {words} words of 4 bytes",
    )


def _misorder(bench: Bench, arguments: Arguments) -> Measured | NoData:
    name = f"misordered_{arguments['definition']}_fraction"
    before = per_scene(bench, arguments, [_SYSTEM], lambda r: _count(r, name, 100))
    words = ", ".join(f"{scene} {digits(one.value)} %" for scene, one in before.items())
    if not bench.has(_FINETUNED):
        return NoData(f"needs a fine-tuned scene (--finetuned FILE); before fine-tuning: {words}")
    after = per_scene(
        bench, arguments, [_FINETUNED],
        lambda r: Interval.exact(100 * float(r[_FINETUNED].workload_counts[name])),
    )  # fmt: skip
    return Measured(
        after, why=f"{_OUT_OF_ORDER[arguments['definition']]}; before fine-tuning: {words}",
        note=f"before: {words}",
    )  # fmt: skip


_NOT_SEEN = (
    "an order of voxels leaves most Gaussians of a group behind a deeper one of another voxel, "
    "and where no pixel blends both, tuning has nothing to gain"
)
#: why more is out of order than is published, by definition
_OUT_OF_ORDER = {
    "group": _NOT_SEEN,
    "size": _NOT_SEEN,
    "pixel": "Gaussians reach over their voxel's border, and centres are frozen: it falls as they "
    "shrink, about in proportion",
}


def _psnr_loss(bench: Bench, arguments: Arguments) -> Measured | NoData:
    """PSNR lost by models of some dB whose own error is independent of the streaming render's."""

    def take(system: str) -> dict[str, Interval]:
        return per_scene(
            bench, arguments, [system],
            lambda r: _loss(arguments["model_db"], r[system].quality["psnr_db"]),
        )  # fmt: skip

    before = take(_SYSTEM)
    words = ", ".join(f"{scene} {digits(one.value)} dB" for scene, one in before.items())
    if not bench.has(_FINETUNED):
        return NoData(
            "needs a fine-tuned scene (--finetuned FILE); before fine-tuning a model of "
            f"{arguments['model_db'][1]} dB loses: {words}"
        )
    found = bench.results(arguments.get("scenes", "default"), [_FINETUNED])
    causes = "; ".join(
        f"{scene} streams at {_decibels(result[_FINETUNED].quality)} ("
        + ", ".join(f"{cause} alone {_decibels(error)}"
                    for cause, error in result[_FINETUNED].quality.get("errors", {}).items())
        + ")"
        for scene, result in found.items()
    )  # fmt: skip
    return Measured(
        take(_FINETUNED), why=f"0.04 dB of 30 need about 50 dB; {causes}; before: {words}",
        note=f"before: {words}",
    )  # fmt: skip


def _decibels(quality: Mapping[str, Any]) -> str:
    psnr_db = quality["psnr_db"]
    return "exact" if psnr_db is None else f"{psnr_db:.1f} dB"


def _loss(models: list[float], psnr_db: float | None) -> Interval:
    """Return the loss of the middle model, and of the first and last."""
    error = 0.0 if psnr_db is None else 10 ** (-psnr_db / 10)
    lost = [10 * math.log10(1 + error / 10 ** (-model / 10)) for model in models]
    return Interval(lost[1], min(lost), max(lost))


def _voxel_edge(bench: Bench, arguments: Arguments) -> NoData:
    return NoData("needs the trained real-world scenes of the paper, in their own units")


def _codebook_kib(bench: Bench, arguments: Arguments) -> Measured:
    sizes = CodebookSizes()
    words = {"scale": 3 * sizes.scale, "rotation": 4 * sizes.rotation, "base colour": 3 * sizes.dc,
             "SH of degree 1 to 3": 45 * sizes.sh}  # fmt: skip
    entries = dict(zip(words, sizes))
    rows = tuple((name, f"{entries[name]:,}", f"{4 * count:,}") for name, count in words.items())
    total = 4 * sum(words.values())
    return Measured(
        {"SH degree 3": Interval.exact(total / 1024)},
        sections=[Section("Codebooks in FP32", ("codebook", "entries", "bytes"),
                          (*rows, ("all", "", f"{total:,}")))],
    )  # fmt: skip


_PRICED = {"multiplications": "fp32_mul", "additions": "fp32_add", "divisions": "div",
           "roots": "sqrt", "comparisons": "fp32_cmp"}  # fmt: skip
_UNIT_OF: dict[Filter, str] = {"coarse": "cfu", "fine": "ffu"}


def _macs(bench: Bench, arguments: Arguments) -> Measured:
    which: Filter = arguments["stage"]
    return Measured(
        {"SH degree 3": Interval.exact(filter_macs(which, 3))},
        why="counted as executed, an addition riding on a multiplication; the published count is "
        "not itemised, and may count divisions, roots and comparisons, or another degree",
        sections=[_operations_section(which)],
    )


def _operations_section(which: Filter) -> Section:
    """Return a filter's operations by step with what each costs, beside the machine's price."""
    machine = _machine()
    library, node = load_operations(machine.operations), machine.node_nm.value
    prices = {name: library.energy_pj(of, node) for name, of in _PRICED.items()}

    def energy(step: Step) -> Interval:
        total = Interval.exact(0.0)
        for name, price in prices.items():
            total = total + price * getattr(step, name)
        return total

    steps = [*filter_steps(which, 3), filter_total(which, 3)]
    rows = [
        (step.name, *(str(getattr(step, name)) for name in _PRICED), str(macs),
         digits(energy(step).value))
        for step, macs in zip(steps, [*(s.macs for s in steps[:-1]), filter_macs(which, 3)])
    ]  # fmt: skip
    half = library.energy_pj("fp16_mul", node) + library.energy_pj("fp16_add", node)
    full = prices["multiplications"] + prices["additions"]
    counted, published = filter_macs(which, 3), PUBLISHED_MACS[which]
    price = machine.units[_UNIT_OF[which]].dynamic_pj_per_item
    assert price is not None  # the shipped machine states it
    return Section(
        f"Operations of the {which} filter on one Gaussian at SH degree 3",
        ("step", *_PRICED, "macs", f"pJ in FP32 at {node:g} nm"),
        tuple(rows),
        note=f"Energies by {library.title}. {counted} multiply-accumulates as counted take "
        f"{digits(counted * half.value)} pJ in FP16 and {digits(counted * full.value)} pJ in FP32, "
        f"{published} as published {digits(published * half.value)} and "
        f"{digits(published * full.value)} pJ; the machine charges {digits(price.value)} pJ "
        f"({digits(price.low)} to {digits(price.high)}) an item.",
    )


def _machine() -> Accelerator:
    return machine_of({"machine": _SYSTEM})


def _area(bench: Bench, arguments: Arguments) -> Measured:
    total, parts = machine_area(arguments["machine"])
    plain = GS3D["area"].take(bench, arguments)
    assert isinstance(plain, Measured)
    return Measured(
        {"32 nm": total}, why=plain.why, sections=[*plain.sections, _area_by_width(parts)]
    )


def _area_by_width(parts: dict[str, Interval]) -> Section:
    """Return the machine's area with filters made of multipliers and adders of each width.

    A unit of initiation interval II has MACs / II of each; the machine's other parts stay.
    """
    machine = _machine()
    library, node = load_operations(machine.operations), machine.node_nm.value
    filters = {unit: filter_macs(which, 3) for which, unit in _UNIT_OF.items()}
    rest = Interval.exact(0.0)
    for name, one in parts.items():
        if name not in filters:
            rest = rest + one
    rows = []
    for width in _WIDTHS:
        mac = library.area_mm2(f"{width}_mul", node) + library.area_mm2(f"{width}_add", node)
        for interval in _INTERVALS:
            total = rest
            for name, macs in filters.items():
                count = machine.units[name].count.value
                total = total + mac * (count * math.ceil(macs / interval))
            rows.append((width, str(interval), digits(total.value), digits(total.low),
                         digits(total.high)))  # fmt: skip
    return Section(
        "Area bottom-up: filters as multipliers and adders, all else as the machine's file",
        ("numbers", "II of both filters", "mm²", "low", "high"),
        tuple(rows),
        note="published: 5.37 mm² for StreamingGS at 32 nm, 3.95 mm² for GSCore at 28 nm; "
        "dividers, roots, registers and control of the filters are left out here",
    )


#: measures by name
MEASURES: dict[str, Measure] = GS3D | {
    "filtered": Measure(_filtered, (_SYSTEM,)),
    "vq_saving": Measure(_vq_saving, (_SYSTEM,)),
    "vq_record": Measure(_vq_record),
    "misorder": Measure(_misorder, (_SYSTEM,)),
    "psnr_loss": Measure(_psnr_loss, (_SYSTEM,)),
    "voxel_edge": Measure(_voxel_edge),
    "codebook_kib": Measure(_codebook_kib),
    "macs": Measure(_macs),
    "area": Measure(_area),
}
