"""How much the two filters remove, over voxel size and size of the pixel groups.

StreamingGS's filters are published to remove 76.3 % of the Gaussians loaded (second-hand); the
voxels and groups that belong to it were not found. The table shows which of them give that share
on a frame.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from archsim.traces.gs3d.camera import Camera
from archsim.traces.gs3d.reference import Reference, render_reference
from archsim.traces.gs3d.scene import Scene
from archsim.traces.gs3d.streaminggs.frame import stream_frame
from archsim.traces.gs3d.streaminggs.parameters import StreamingGsParameters

__all__ = ["PUBLISHED_FILTERED", "filter_table", "fraction_where"]

#: Share of the loaded Gaussians that the filters remove, as published (second-hand).
PUBLISHED_FILTERED = 0.763


def filter_table(
    scene: Scene, camera: Camera, fractions: Sequence[float], groups: Sequence[tuple[int, int]], *,
    reference: Reference | None = None, parameters: StreamingGsParameters | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Stream a frame for every voxel size and group; a row each, groups first.

    Parameters
    ----------
    fractions
        Voxel sizes as K of the scene's largest extent / K.
    groups
        Widths and heights in pixels, multiples of 16.
    reference
        The reference render of the frame, made here if not given. The exact filter sees the
        scene's parameters as they are.
    parameters
        What else the method is asked for: order of voxels, ray stride.
    progress
        Called with frames done and in total.

    Columns: ``group`` ("64x64"), ``fraction`` (K), ``voxels_occupied``, ``evidence`` (at least 200
    occupied voxels), ``voxels_per_group``, ``loaded``, ``coarse_pass``, ``fine_pass``,
    ``coarse_filtered_fraction`` and ``filtered_fraction`` of the loaded ones, as counted.
    """
    reference = reference or render_reference(scene, camera)
    base = parameters or StreamingGsParameters()
    rows = []
    for group in groups:
        for fraction in fractions:
            asked = replace(base, voxel_size=f"extent/{fraction:g}", group=group)
            asked.check()
            frame = stream_frame(scene, camera, reference, asked)
            counts = frame.counts()
            rows.append(
                {
                    "group": f"{group[0]}x{group[1]}",
                    "fraction": float(fraction),
                    "evidence": frame.grid.is_evidence,
                    **{
                        name: counts[name]
                        for name in (
                            "voxels_occupied", "voxels_per_group", "loaded", "coarse_pass",
                            "fine_pass",
                        )
                    },
                    "coarse_filtered_fraction": 1.0 - counts["coarse_pass_fraction"],
                    "filtered_fraction": counts["filtered_fraction"],
                }
            )  # fmt: skip
            if progress is not None:
                progress(len(rows), len(fractions) * len(groups))
    return pd.DataFrame(rows)


def fraction_where(table: pd.DataFrame, filtered: float = PUBLISHED_FILTERED) -> pd.Series[float]:
    """Return, by group, the K of extent/K at which so large a share is filtered.

    Between two measured sizes the share is taken as linear in log K; NaN where the measured ones
    do not enclose it. ``table`` is :func:`filter_table`'s.
    """
    found = {}
    for group, rows in table.groupby("group", sort=False):
        ordered = rows.sort_values("fraction")
        k, share = ordered["fraction"].to_numpy(), ordered["filtered_fraction"].to_numpy()
        over = share >= filtered
        crossing = np.flatnonzero(over[:-1] != over[1:])
        found[group] = math.nan
        if (share == filtered).any():
            found[group] = float(k[share == filtered][0])
        elif crossing.size:
            i = int(crossing[0])
            part = (filtered - share[i]) / (share[i + 1] - share[i])
            found[group] = float(k[i] * (k[i + 1] / k[i]) ** part)
    return pd.Series(found, name="fraction", dtype=float)
