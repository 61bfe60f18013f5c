"""Which Gaussians of a visited voxel reach the fine filter and the sort, by filter rule.

The coarse filter is conservative and the fine filter exact, so leaving one out changes no pixel:
what it would have removed has no subtile to be rendered in. Counts without a filter therefore
follow from the recorded ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from archsim.sim.gs3d.memo import remembered
from archsim.traces.trace import Trace

__all__ = ["FilterRule", "Passed", "passed_gaussians"]

I64 = npt.NDArray[np.int64]

#: ``both`` filters; ``fine``: no coarse filter; ``none``: all Gaussians are projected and sorted.
FilterRule = Literal["both", "fine", "none"]


@dataclass(frozen=True)
class Passed:
    """What reaches the stages behind the filters, by visit, all (n,) int64.

    Attributes
    ----------
    rule
        The filters in use.
    coarse_tested
        Gaussians that the coarse filter units test.
    projected
        Gaussians whose fine record is read and that are projected.
    sorted
        Gaussians that are sorted.
    """

    rule: FilterRule
    coarse_tested: I64
    projected: I64
    sorted: I64

    def in_clusters(self, trace: Trace, clusters: int) -> I64:
        """Return the projected Gaussians of each visit by cluster, (n, clusters) int64.

        A voxel's Gaussians are dealt to the clusters in turn; what passes the coarse filter stays
        in its cluster, so clusters are uneven.
        """
        if self.rule != "both":
            return (self.projected[:, None] + np.arange(clusters)[::-1]) // clusters
        return remembered(
            trace, ("clusters", clusters), lambda: _survivors_in_clusters(trace, clusters)
        )


def passed_gaussians(trace: Trace, rule: FilterRule) -> Passed:
    """Return the counts of a recorded frame under a filter rule."""
    loaded, coarse, fine = (
        trace.columns[f"visit.{name}"] for name in ("loaded", "coarse_pass", "fine_pass")
    )
    if rule == "both":
        return Passed(rule, loaded, coarse, fine)
    none = np.zeros_like(loaded)
    return Passed(rule, none, loaded, fine if rule == "fine" else loaded)


def _survivors_in_clusters(trace: Trace, clusters: int) -> I64:
    start, rank = trace.columns["visit.survivor_start"], trace.columns["survivor.rank"]
    visit = np.repeat(np.arange(start.size - 1), np.diff(start))
    key = visit * clusters + rank % clusters
    counts = np.bincount(key, minlength=(start.size - 1) * clusters)
    return counts.reshape(-1, clusters).astype(np.int64)
