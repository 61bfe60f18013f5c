"""Cycles of the slice's units, from its parameters: what the timing model is given.

Every figure is the RTL's own, derived from its schedules and state machines; ``source: rtl`` in a
machine file. Tests hold each to the hardware.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archsim.rtl.arithmetic.coarse import coarse_graph
from archsim.rtl.arithmetic.fine import fine_graph
from archsim.rtl.arithmetic.placement import placement_graph
from archsim.rtl.flow.schedule import schedule
from archsim.rtl.parameters import TILE, Parameters

__all__ = ["PLACEMENT_INTERVAL", "UnitCycles"]

#: A voxel takes far longer in the coarse filter.
PLACEMENT_INTERVAL = 16
#: Depth of the render unit's pipeline: issue of a row to its last write.
RENDER_DEPTH = 22


@dataclass(frozen=True)
class UnitCycles:
    """Latencies and intervals in cycles.

    Attributes
    ----------
    coarse_interval, coarse_latency, fine_interval, fine_latency
        Of one coarse and one fine filter unit.
    placement_latency
        From a visit to its context.
    subtile
        A Gaussian in a subtile.
    drain
        From a tile's end marker to its last pixel, both counted, without waiting for the output.
    sorter_keys
        Of the sorting network.
    """

    coarse_interval: int
    coarse_latency: int
    fine_interval: int
    fine_latency: int
    placement_latency: int
    subtile: int
    drain: int
    sorter_keys: int

    @staticmethod
    def of(p: Parameters) -> UnitCycles:
        """Return the cycles of a size."""
        return UnitCycles(
            p.coarse_interval,
            schedule(coarse_graph(), p.coarse_interval).latency,
            p.fine_interval,
            schedule(fine_graph(p.sh_degree), p.fine_interval).latency,
            schedule(placement_graph(), PLACEMENT_INTERVAL).latency,
            64 // p.lanes,
            1 + RENDER_DEPTH + 2 * TILE * TILE // p.lanes,
            p.sorter_keys,
        )

    def sort(self, lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return the sorter's cycles from a list's last item in to its first item out."""
        blocks = -(-lengths // self.sorter_keys)
        levels = np.frexp(np.maximum(blocks - 1, 0).astype(np.float64))[1].astype(np.int64)
        stages = self.sorter_keys.bit_length() - 1
        network = stages * (stages + 1) // 2
        level = (1 + stages) * (blocks + 2) + 4
        return network + 5 + np.where(levels > 0, levels * level, 1)
