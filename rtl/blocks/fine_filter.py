"""Fine filter unit: :mod:`archsim.rtl.arithmetic.fine` as a pipeline."""

from __future__ import annotations

from archsim.rtl.arithmetic.fine import fine_graph
from archsim.rtl.flow.pipeline import Pipeline

__all__ = ["FineFilter"]


class FineFilter(Pipeline):
    """One fine filter unit: see :func:`archsim.rtl.arithmetic.fine.fine_graph`."""

    def __init__(self, *, interval: int, degree: int):
        super().__init__(fine_graph(degree), interval=interval)
