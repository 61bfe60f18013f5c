"""Coarse filter unit: :mod:`archsim.rtl.arithmetic.coarse` as a pipeline."""

from __future__ import annotations

from archsim.rtl.arithmetic.coarse import coarse_graph
from archsim.rtl.flow.pipeline import Pipeline

__all__ = ["CoarseFilter"]


class CoarseFilter(Pipeline):
    """One coarse filter unit: see :func:`archsim.rtl.arithmetic.coarse.coarse_graph`."""

    def __init__(self, *, interval: int):
        super().__init__(coarse_graph(), interval=interval)
