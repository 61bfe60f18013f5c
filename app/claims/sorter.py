"""What the comparisons hang on: StreamingGS's voxel sorting unit, of which no rate is published.

The shipped machine enters every voxel met on a ray in its tables, one a cycle. Where that binds,
every ratio to another machine is a figure about this assumption; here the ratios are shown for
other units, too, each with what it costs in the image.
"""

from __future__ import annotations

from typing import Any

from archsim.claims.bench import Bench
from archsim.claims.verdict import Section
from archsim.words import DASH, TIMES, digits

__all__ = ["sorter_section"]

_FILTER = "streaminggs-pair-filter"
#: what the unit does -> machine, what is set, method
_SORTERS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "a pair a cycle (as shipped)": ("streaminggs", {}, {}),
    "four pairs a cycle": (
        "streaminggs",
        {"units.voxel_sorter.count.value": 4, "buffers.voxel_table.banks.value": 8},
        {},
    ),
    "a pair a cycle, rays through every 4th pixel": ("streaminggs", {}, {"ray_stride": 4}),
    "a pair a cycle, but none of the last pair": (
        _FILTER, {"fifos.pair_filter.depth_items.value": 1}, {},
    ),
    "a pair a cycle, but none of the last 64": (_FILTER, {}, {}),
    "order by distance, no edges": ("streaminggs", {}, {"order": "l1"}),
}  # fmt: skip
_OVER = ("orin-nx", "gscore")


def sorter_section(bench: Bench) -> Section:
    """Return speed and energy over the GPU and GSCore on every scene, by voxel sorting unit."""
    names = {
        what: bench.add(f"sorter-{number}", {
            "machine": machine, "set": changes, "method": {"kind": "streaminggs", **method},
        })
        for number, (what, (machine, changes, method)) in enumerate(_SORTERS.items())
    }  # fmt: skip
    over = [name for name in _OVER if bench.has(name)]
    rows = []
    for scene, found in bench.results("default", [*over, *names.values()]).items():
        against = {name: bench.summary(found, name) for name in over}
        for what, name in names.items():
            own = against[over[0]][name]
            bound = found[name].frames[0].bounds[0]
            quality = DASH if own["psnr_db"] is None else f"{own['psnr_db']:.1f} dB"
            rows.append((
                what, scene, digits(1e3 * own["time_s"]),
                f"{bound['unit']} {digits(1e-9 * bound['bound_ps'])}", quality,
                *(f"{digits(against[name_over][name][key])}{TIMES}"
                  for name_over in over for key in ("speedup", "energy_saving")),
            ))  # fmt: skip
    return Section(
        "What hangs on the voxel sorting unit, whose rate is not published",
        ("voxel sorting unit", "scene", "ms", "longest bound, ms", "PSNR",
         *(f"{what} over {name}" for name in over for what in ("speed", "energy"))),
        tuple(rows),
        note="Each on its own memory. Pairs: a voxel and the one before it on a ray; how many "
        "repeat is recorded, 16 neighbouring rays side by side.",
    )  # fmt: skip
