"""Placement unit: :mod:`archsim.rtl.arithmetic.placement` as a pipeline."""

from __future__ import annotations

from archsim.rtl.arithmetic.placement import placement_graph
from archsim.rtl.flow.pipeline import Pipeline

__all__ = ["Placement"]

_INTERVAL = 16  # a voxel takes far longer in the coarse filter


class Placement(Pipeline):
    """The unit: see :func:`archsim.rtl.arithmetic.placement.placement_graph`."""

    def __init__(self) -> None:
        super().__init__(placement_graph(), interval=_INTERVAL)
