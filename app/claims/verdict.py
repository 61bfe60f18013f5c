"""A claim's verdict: within, outside with its reason, fit, or no data with what is missing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from archsim.base.interval import Interval
from archsim.claims.claim import Claim

__all__ = ["Figure", "Measured", "NoData", "Row", "Section", "judge"]

Verdict = Literal["within", "outside", "fit", "no-data"]


@dataclass(frozen=True)
class Section:
    """A table that belongs to a claim: what the figure is made of, or how it varies."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


@dataclass(frozen=True)
class Figure:
    """A chart of the claims' report: a Plotly figure and what it shows."""

    title: str
    plot: dict[str, Any] = field(repr=False)
    note: str = ""


@dataclass(frozen=True)
class Measured:
    """What we find.

    Attributes
    ----------
    by_scene : scene -> Interval
        Ours; the range is that of the constants, a single point where none reaches it.
    why
        What our figure rests on: the reason, should it lie outside.
    note
        What a reader should know in any case.
    """

    by_scene: Mapping[str, Interval]
    why: str = ""
    note: str = ""
    sections: Sequence[Section] = ()


@dataclass(frozen=True)
class NoData:
    """What is missing to measure a claim, and what was found all the same."""

    missing: str
    sections: Sequence[Section] = ()


@dataclass(frozen=True)
class Row:
    """A claim with ours beside it. ``ours`` is ``None`` for ``no-data``."""

    claim: Claim
    verdict: Verdict
    ours: Interval | None
    by_scene: dict[str, Interval]
    reason: str
    note: str
    sections: tuple[Section, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the row as JSON-able data."""
        claim = self.claim
        return {
            "id": claim.id,
            "claim": claim.claim,
            "published": claim.published if isinstance(claim.published, float)
            else list(claim.published),
            "unit": claim.unit,
            "source": claim.source,
            "certainty": claim.certainty,
            "role": claim.role,
            "within": claim.within,
            "ours": None if self.ours is None else self.ours.value,
            "interval": None if self.ours is None else [self.ours.low, self.ours.high],
            "by_scene": {name: one.value for name, one in self.by_scene.items()},
            "verdict": self.verdict,
            "reason": self.reason,
            "note": self.note,
            "sections": [
                {"title": s.title, "columns": list(s.columns), "rows": [list(r) for r in s.rows],
                 "note": s.note}
                for s in self.sections
            ],
        }  # fmt: skip


def judge(claim: Claim, found: Measured | NoData) -> Row:
    """Return the row of a claim.

    Ours is the scenes' mean (the largest, for a figure "up to"), its interval spans scenes and
    constants. It is *within* when the published figure, widened by its tolerance, meets the
    interval; a figure that is a lower limit is met by every larger value. Figures that constants
    were taken from are *fit*, whatever we find.
    """
    if isinstance(found, NoData):
        return Row(claim, "no-data", None, {}, found.missing, "", tuple(found.sections))
    ours = _together(claim, list(found.by_scene.values()))
    if not all(math.isfinite(x) for x in (ours.value, ours.low, ours.high)):
        raise ValueError(f"{claim.id}: measured {ours}")
    verdict: Verdict = "within" if _agrees(claim, ours) else "outside"
    reason = found.why if verdict == "outside" else ""
    if claim.role == "fit":
        verdict = "fit"
    return Row(
        claim, verdict, ours, dict(found.by_scene), reason, found.note, tuple(found.sections)
    )


def _together(claim: Claim, scenes: list[Interval]) -> Interval:
    values = [one.value for one in scenes]
    value = max(values) if claim.up_to else sum(values) / len(values)
    return Interval(value, min(one.low for one in scenes), max(one.high for one in scenes))


def _agrees(claim: Claim, ours: Interval) -> bool:
    low, high = claim.band
    low, high = low * (1 - claim.within), high * (1 + claim.within)
    if claim.at_least:
        return ours.value >= low
    return ours.low <= high and ours.high >= low
