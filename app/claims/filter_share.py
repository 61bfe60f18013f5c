"""The share that the filters remove over voxel and group, on one scene, kept between runs."""

from __future__ import annotations

import pandas as pd

from archsim.claims.bench import Bench
from archsim.claims.claim import ClaimScene
from archsim.claims.verdict import Section
from archsim.config import load_run
from archsim.traces.cache import trace_key
from archsim.traces.gs3d.cameras import bounds_of
from archsim.traces.gs3d.streaminggs.filter_table import filter_table, fraction_where
from archsim.traces.gs3d.workload import load_cameras, load_scene, scene_key
from archsim.traces.trace import Trace
from archsim.words import digits

__all__ = ["filter_section"]

#: voxel edges, as fractions of the scene's extent, and sides of the groups
_FRACTIONS = (8, 16, 32, 64)
_SIDES = (16, 32, 64, 128)


def filter_section(bench: Bench, scene: ClaimScene, published: float) -> Section:
    """Return the table, and where the published share (in percent) lies in it."""
    table = _table(bench, scene)
    share = dict(zip(zip(table["fraction"], table["group"]), 100 * table["filtered_fraction"]))
    groups = [f"{side}x{side}" for side in _SIDES]
    where = fraction_where(table, published / 100).dropna().to_dict()
    found = ", ".join(
        f"extent/{digits(float(k))} with groups of {group}" for group, k in where.items()
    )
    few = sorted({f"extent/{k:g}" for k in table.loc[~table["evidence"], "fraction"]})
    note = f"{published:g} % lies at {found} (interpolated)" if found else (
        f"{published:g} % lies outside the table"
    )  # fmt: skip
    if few:
        note += f"; fewer than 200 voxels are occupied at {', '.join(few)}: no evidence"
    return Section(
        f"Gaussians that the filters remove on {scene.name}, by voxel and group",
        ("voxel", *groups),
        tuple(
            (f"extent/{k}", *(f"{digits(share[k, group])} %" for group in groups))
            for k in _FRACTIONS
        ),
        note,
    )


def _table(bench: Bench, scene: ClaimScene) -> pd.DataFrame:
    run = load_run({
        "workload": bench.workload(scene), "baseline": "streaminggs",
        "systems": {"streaminggs": dict(bench.system("streaminggs"))},
    })  # fmt: skip
    workload, seed = run.config.workload, run.config.seed
    key = trace_key({
        "what": "filter table", "scene": scene_key(workload, seed), "sides": _SIDES,
        "fractions": _FRACTIONS, "cameras": workload.model_dump(mode="json", include={
            "cameras", "resolution"}),
    })  # fmt: skip
    kept = bench.cache.load(key)
    if kept is None:
        with bench.reporter.step(f"filtering {scene.name} by voxel and group") as progress:
            loaded = load_scene(workload, seed=seed, memory_limit_bytes=run.config.memory_limit)
            camera = load_cameras(workload, bounds_of(loaded))[0]
            table = filter_table(loaded, camera, _FRACTIONS, [(side, side) for side in _SIDES],
                                 progress=progress)  # fmt: skip
        columns = {str(name): table[name].to_numpy() for name in table if name != "group"}
        kept = Trace("gs3d/filter-table", {"group": list(table["group"])}, columns)
        bench.cache.store(key, kept)
    return pd.DataFrame({"group": kept.meta["group"], **kept.columns})
