"""The report: one HTML file with charts, images and sources that needs nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from archsim.charts import (
    CAUSES,
    FULLNESS,
    Figure,
    cause_chart,
    fullness_chart,
    part_charts,
    ratio_chart,
    timeline_chart,
)
from archsim.counted import MEANING
from archsim.heatmap import SCALE_TICKS, scale_colours
from archsim.page import picture, render_page
from archsim.words import DASH, TIMES, digits, percent, quantity, range_text, ratio, ssim

__all__ = ["render_report"]

Images = Mapping[str, npt.NDArray[np.uint8]]

_MOST_CAMERAS = 2

#: ratio's key, its name, and the words for more than 1, less, and no difference that shows
_RATIOS = (
    ("speedup", "speedup", ("faster", "slower", "same speed")),
    ("energy_saving", "energy saving", ("less energy", "more energy", "same energy")),
    ("dram_saving", "DRAM saving", ("less DRAM traffic", "more DRAM traffic", "same DRAM traffic")),
)


def render_report(result: Mapping[str, Any], manifest: Mapping[str, Any], images: Images) -> str:
    """Return the report of a result as HTML.

    ``images`` holds ``<system>-<camera>``, ``reference-<camera>`` and the maps of errors, named as
    in :class:`archsim.runner.Outcome`; frames are embedded as
    lossy WebP, the exact ones are the PNG files beside the report.
    """
    systems = result["systems"]
    traffic = part_charts(result, "dram_bytes_by_stream", "B", "bytes per frame")
    energy = part_charts(result, "energy_by_component_j", "J", "energy per frame")
    return render_page(
        "report.html.j2",
        result=result,
        manifest=manifest,
        manifest_text=json.dumps(manifest, indent=2),
        facts=_facts(result),
        cards=_cards(result),
        headline=_headline(result),
        ratios=[ratio_chart(result, key, title) for key, title, _ in _RATIOS],
        systems=[
            {
                "name": name,
                "title": _system_title(system),
                "timeline": timeline_chart(system["frames"][0]),
                "causes": cause_chart(system),
                "fullness": _fullness(system),
                "bounds": _bounds(system["frames"][0]),
            }
            for name, system in systems.items()
        ],
        cause_legend=CAUSES,
        fullness_legend=FULLNESS,
        parts=[
            ("Where the bytes go", "traffic", *traffic),
            ("Where the energy goes", "energy", *energy),
        ],
        rails=_rails(systems),
        frames=[
            _frames(result, images, index)
            for index in range(min(_MOST_CAMERAS, len(result["cameras"])))
        ],
        error_causes=[
            (name, cause, error["what"] or "", _db(error["psnr_db"]))
            for name, system in systems.items()
            for cause, error in system["quality_errors"].items()
        ],
        cameras_left=max(0, len(result["cameras"]) - _MOST_CAMERAS),
        error_scale=", ".join(f"rgb{colour}" for colour in scale_colours()),
        error_ticks=[(f"{100 * share:.1f}", f"{step:.2g}", db) for share, step, db in SCALE_TICKS],
        counts=_counts(systems),
        fidelity=_merged(systems, "fidelity"),
        assumed=_merged(systems, "assumed"),
        notes=[("scene", text) for text in result["scene"].get("warnings", [])] + _notes(systems),
    )


def _fullness(system: Mapping[str, Any]) -> Figure | None:
    """Return the chart of an accelerator's buffers; a GPU's rooms are its kernels' windows."""
    return fullness_chart(system["frames"][0]) if system["mode"] is None else None


def _rails(systems: Mapping[str, Any]) -> list[tuple[str, str, str, str, str]]:
    """Return, of every GPU's supply rails: system, rail, power, its range, energy of a frame."""
    return [
        (name, rail, quantity(power, "W"), range_text([low, high], "W"),
         quantity(system["energy_by_rail_j"][rail], "J"))
        for name, system in systems.items()
        for rail, (power, low, high) in system["power_by_rail_w"].items()
    ]  # fmt: skip


def _bounds(frame: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """Return, largest first, each bound by hand: unit, how it comes about, time, share of ours."""
    return [
        (
            row["unit"],
            f"{row['items']:,} {row['what']}"
            + ("" if row["servers"] is None
               else f" {TIMES} {row['interval_cycles']:g} cycles / {row['servers']}"),
            quantity(row["bound_s"], "s"),
            percent(row["bound_s"] / frame["time_s"]),
        )
        for row in frame["bounds"]
    ]  # fmt: skip


def _facts(result: Mapping[str, Any]) -> list[str]:
    scene, cameras, workload = result["scene"], result["cameras"], result["workload"]
    facts = [f"{scene['gaussians']:,} Gaussians"] if "gaussians" in scene else []
    if "sh_degree" in scene:
        facts.append(f"spherical harmonics of degree {scene['sh_degree']}")
    if workload.get("resolution"):
        facts.append(TIMES.join(str(side) for side in workload["resolution"]))
    facts.append(f"{len(cameras)} cameras" if len(cameras) > 1 else f"camera {cameras[0]}")
    return [*facts, f"seed {result['seed']}"]


def _system_title(system: Mapping[str, Any]) -> str:
    mode = f" at {system['mode']}" if system["mode"] else ""
    return f"{system['method'].get('kind', '')} on {system['machine']}{mode}"


def _cards(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return, per system other than the baseline, its three ratios in words."""
    cards = []
    for name, system in result["systems"].items():
        if name == result["baseline"]:
            continue
        numbers = [
            _better_or_worse(system[key], system["interval"][key], *words)
            for key, _, words in _RATIOS
            if system[key] is not None
        ]
        quality = "identical image" if system["exact"] else f"PSNR {system['psnr_db']:.1f} dB"
        if system.get("meets_min_psnr") is False:
            quality += f", below the {result['min_psnr_db']:g} dB asked for"
        cards.append(
            {"name": name, "title": _system_title(system), "numbers": numbers, "quality": quality}
        )
    return cards


def _better_or_worse(
    value: float, bounds: list[float] | None, better: str, worse: str, same: str
) -> tuple[str, str, str]:
    """Return a ratio, its word and its range, so that the number reads 1 or more."""
    shown = float(f"{value:.3g}")
    if shown == 1:
        return ratio(value), same, range_text(bounds, TIMES)
    if shown > 1:
        return ratio(value), better, range_text(bounds, TIMES)
    inverse = bounds and [1 / bounds[1], 1 / bounds[0]]
    return ratio(1 / value), worse, range_text(inverse, TIMES)


def _headline(result: Mapping[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return rows of (quantity, [(value, range) per system])."""
    systems = result["systems"]

    def row(key: str, unit: str, words: Any) -> list[tuple[str, str]]:
        return [
            (DASH, "")
            if s[key] is None
            else (words(s[key]), range_text(s["interval"].get(key), unit))
            for s in systems.values()
        ]

    rows: list[tuple[str, list[tuple[str, str]]]] = [
        ("machine", [(s["machine"], s["mode"] or "") for s in systems.values()]),
        ("time per frame", row("time_s", "s", lambda v: quantity(v, "s"))),
        ("at least, by hand", [_bound(s) for s in systems.values()]),
        ("frames per second", row("fps", "", digits)),
        ("speedup", row("speedup", TIMES, ratio)),
        ("energy per frame", row("energy_j", "J", lambda v: quantity(v, "J"))),
        ("energy saving", row("energy_saving", TIMES, ratio)),
        ("energy saving without idle power", row("energy_saving_without_idle", TIMES, ratio)),
        ("power", row("power_w", "W", lambda v: quantity(v, "W"))),
        (
            "DRAM peak",
            [
                (quantity(s["dram_peak_bytes_per_s"], "B/s"), s["dram_device"])
                for s in systems.values()
            ],
        ),
        ("DRAM traffic", row("dram_bytes", "B", lambda v: quantity(v, "B"))),
        ("DRAM saving", row("dram_saving", TIMES, ratio)),
        ("area", row("area_mm2", "mm²", lambda v: f"{digits(v)} mm²")),
    ]
    image = [
        ("exact", "") if s["exact"] else (f"{s['psnr_db']:.2f} dB", f"SSIM {ssim(s['ssim'])}")
        for s in systems.values()
    ]
    rows.append(("image", image))
    if result.get("min_psnr_db") is not None:
        met = [("yes" if s["meets_min_psnr"] else "no", "") for s in systems.values()]
        rows.append((f"image of at least {result['min_psnr_db']:g} dB", met))
    return rows


def _bound(system: Mapping[str, Any]) -> tuple[str, str]:
    bound = system["lower_bound"]
    return (DASH, "") if bound is None else (quantity(bound["time_s"], "s"), bound["unit"])


def _frames(result: Mapping[str, Any], images: Images, index: int) -> dict[str, Any]:
    """Return a camera's images: the reference once, then each inexact frame and maps of its error.

    Captions carry this frame's own quality, not the run's mean.
    """
    camera = result["cameras"][index]
    reference = images.get(f"reference-{camera}")
    frames = {name: system["frames"][index] for name, system in result["systems"].items()}
    shown: list[dict[str, str]] = []
    if reference is not None:
        who = ", ".join(name for name, frame in frames.items() if frame["exact"])
        caption = f"exact: {who}" if who else "what every method is compared with"
        shown.append({"title": "reference", "caption": caption, "src": picture(reference)})
    for name, frame in frames.items():
        image = images.get(f"{name}-{camera}")
        if frame["exact"] or image is None:
            continue
        words = f"PSNR {frame['psnr_db']:.2f} dB, SSIM {ssim(frame['ssim'])}"
        shown.append({"title": name, "caption": words, "src": picture(image)})
        maps = [("error", f"{name}: error", f"all causes, {_db(frame['psnr_db'])}")]
        maps += [
            (f"{cause}-error", f"{name}: {cause} alone",
             f"{error['what'] or cause}, {_db(error['psnr_db'])}")
            for cause, error in frame["quality_errors"].items()
        ]  # fmt: skip
        for ending, title, caption in maps:
            where = images.get(f"{name}-{camera}-{ending}")
            if where is not None:
                shown.append({"title": title, "caption": caption, "src": picture(where)})
    return {"camera": camera, "images": shown}


def _db(psnr: float | None) -> str:
    return "exact" if psnr is None else f"{psnr:.2f} dB"


def _counts(systems: Mapping[str, Any]) -> list[tuple[str, str, list[str]]]:
    """Return rows of (name, meaning, value per system)."""
    names = dict.fromkeys(name for s in systems.values() for name in s["counts"])
    return [
        (
            name.replace("_", " "),
            MEANING.get(name, ""),
            [_count(name, s["counts"].get(name)) for s in systems.values()],
        )
        for name in names
    ]


def _count(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if name.endswith("fraction"):
        return percent(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def _merged(systems: Mapping[str, Any], key: str) -> list[tuple[str, str, str]]:
    """Return (place, text, systems) rows, one for all systems that share them."""
    users: dict[tuple[str, str], list[str]] = {}
    for name, system in systems.items():
        for place, text in system[key].items():
            users.setdefault((place, text), []).append(name)
    everyone = len(systems)
    return [
        (place, text, "all" if len(names) == everyone > 1 else ", ".join(names))
        for (place, text), names in users.items()
    ]


def _notes(systems: Mapping[str, Any]) -> list[tuple[str, str]]:
    users: dict[str, list[str]] = {}
    for name, system in systems.items():
        for note in system["notes"]:
            users.setdefault(note, []).append(name)
    return [(", ".join(names), note) for note, names in users.items()]
