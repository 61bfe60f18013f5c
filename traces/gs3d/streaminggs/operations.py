"""What the two filters compute per Gaussian, counted step by step.

StreamingGS is published to spend 55 multiply-accumulates on a Gaussian in the coarse filter and 427
in the full one (second-hand: neither their items nor the SH degree were found). Here is what the
filters of :mod:`archsim.traces.gs3d.streaminggs.filters` and :mod:`archsim.traces.gs3d.projection`
execute with INRIA's semantics. A test runs their very code on numbers that count, and compares.

Counted are operations of which at least one operand depends on the Gaussian; what depends on the
camera alone is computed once a frame. A negation is free, a subtraction is an addition, rounding to
whole pixels is not counted, and a minimum or maximum is a comparison.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import pandas as pd

__all__ = [
    "PUBLISHED_MACS",
    "Filter",
    "Step",
    "filter_macs",
    "filter_operations",
    "filter_steps",
    "filter_total",
]

Filter = Literal["coarse", "fine"]

#: Multiply-accumulates per Gaussian as published (second-hand).
PUBLISHED_MACS: dict[Filter, int] = {"coarse": 55, "fine": 427}


class Step(NamedTuple):
    """Operations of one step on one Gaussian."""

    name: str
    multiplications: int = 0
    additions: int = 0
    divisions: int = 0
    roots: int = 0
    comparisons: int = 0

    @property
    def macs(self) -> int:
        """Multiply-accumulates: an addition rides on a multiplication as far as there are any."""
        return max(self.multiplications, self.additions)


_COARSE = [
    Step("view depth, near plane", 3, 3, comparisons=1),
    Step("projection of the centre", 6, 6, 2),
    Step("clamp before the Jacobian", comparisons=4),
    Step("largest scale on the screen", 1, 0, 1, comparisons=2),
    Step("bound of the variance", 4, 4),
    Step("coarse radius", 2, 0, 0, 1, 1),
    Step("square on the screen", 2, 10, comparisons=8),
    Step("intersection with the group", comparisons=4),
]

_FINE = [
    Step("view depth, near plane", 3, 3, comparisons=1),
    Step("position in the view", 6, 6),
    Step("quaternion to unit length", 4, 3, 4, 1),
    Step("Jacobian, clamped", 2, 0, 4, comparisons=4),
    Step("Jacobian times view rotation", 12, 6),
    Step("rotation matrix", 27, 12),
    Step("axes on the screen", 24, 12),
    Step("2D covariance", 9, 9),
    Step("determinant", 2, 1, comparisons=2),
    Step("centre in pixels", 2, 5, 2, comparisons=1),
    Step("exact radius", 3, 3, 0, 2, 2),
    Step("touched tiles", 0, 8, 4, comparisons=10),
    Step("viewing direction", 3, 5, 3, 1),
    Step("conic", 0, 0, 3),
]

#: Basis functions of spherical harmonics that each degree adds.
_HARMONICS = [
    Step("harmonics of degree 0"),
    Step("harmonics of degree 1", 3),
    Step("harmonics of degree 2", 12, 3),
    Step("harmonics of degree 3", 22, 9),
]


def filter_steps(which: Filter, sh_degree: int = 3) -> list[Step]:
    """Return the steps of a filter for a Gaussian that passes it; the degree matters to ``fine``.

    ``fine`` is the whole exact filter: it starts from the position again, as the code does.
    """
    if which == "coarse":
        return list(_COARSE)
    terms = 3 * (sh_degree + 1) ** 2
    colour = Step("colour from harmonics", terms, terms, comparisons=3)
    return [*_FINE, *_HARMONICS[1 : sh_degree + 1], colour]


def filter_macs(which: Filter, sh_degree: int = 3) -> int:
    """Return the multiply-accumulates of a filter for one Gaussian."""
    return sum(step.macs for step in filter_steps(which, sh_degree))


def filter_total(which: Filter, sh_degree: int = 3) -> Step:
    """Return the operations of a filter for one Gaussian, all steps together."""
    steps = filter_steps(which, sh_degree)
    return Step("total", *(sum(column) for column in list(zip(*steps))[1:]))


def filter_operations(sh_degree: int = 3) -> pd.DataFrame:
    """Return both filters step by step, with their totals and the published numbers.

    Columns: ``filter``, ``step``, ``multiplications``, ``additions``, ``divisions``, ``roots``,
    ``comparisons``, ``macs`` and ``published_macs`` (of totals only).
    """
    rows = []
    for which in PUBLISHED_MACS:
        steps = filter_steps(which, sh_degree)
        total = filter_total(which, sh_degree)
        rows += [{"filter": which, **step._asdict(), "macs": step.macs} for step in steps]
        rows.append(
            {
                "filter": which,
                **total._asdict(),
                "macs": filter_macs(which, sh_degree),
                "published_macs": PUBLISHED_MACS[which],
            }
        )
    table = pd.DataFrame(rows).rename(columns={"name": "step"})
    return table.astype({"published_macs": "Int64"})
