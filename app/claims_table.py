"""Claims in the terminal: a row per published figure, ours, verdict and reason; tables below."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from archsim.base.interval import Interval
from archsim.claims.claim import Claim, Claims
from archsim.claims.verdict import Row, Section
from archsim.words import DASH, digits

__all__ = ["claims_table", "ours_text", "published_text", "section_table", "sections_of"]

STYLE = {"within": "green", "outside": "bold red", "no-data": "yellow", "fit": "cyan"}


def published_text(claim: Claim) -> str:
    """Return the published figure with its unit, as ``up to 45.7x`` or ``at least 90 FPS``."""
    low, high = claim.band
    number = digits(low) if low == high else f"{digits(low)}{DASH}{digits(high)}"
    words = "up to " if claim.up_to else "at least " if claim.at_least else ""
    return f"{words}{_with_unit(number, claim.unit)}"


def ours_text(row: Row) -> tuple[str, str]:
    """Return ours with its unit, and its interval where it has one."""
    if row.ours is None:
        return DASH, ""
    return _with_unit(digits(row.ours.value), row.claim.unit), _span(row.ours)


def _span(ours: Interval) -> str:
    return "" if ours.low == ours.high else f"{digits(ours.low)}{DASH}{digits(ours.high)}"


def _with_unit(number: str, unit: str) -> str:
    return f"{number}{unit}" if unit in ("", "x") else f"{number} {unit}"


def claims_table(claims: Claims, rows: Sequence[Row], scenes: str) -> RenderableType:
    """Return the table of a system's claims."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("claim", ratio=5, overflow="fold")
    table.add_column("published", justify="right", no_wrap=True)
    table.add_column("ours", justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("reason", ratio=6, overflow="fold")
    for row in rows:
        claim = row.claim
        said = Text(claim.claim).append(f"\n{claim.certainty}: {claim.source}", "dim")
        ours, span = ours_text(row)
        mine = Text(ours).append(f"\n{span}", "dim") if span else Text(ours)
        told = f"{published_text(claim)}"
        tolerance = f"\n±{100 * claim.within:g} %" if claim.within else ""
        table.add_row(
            said, Text(told).append(tolerance, "dim"), mine,
            Text(row.verdict, STYLE[row.verdict]), Text(row.reason or row.note, "dim"),
        )  # fmt: skip
    counts = Counter[str](row.verdict for row in rows)
    summary = ", ".join(f"{counts[verdict]} {verdict}" for verdict in STYLE)
    return Group(
        Text(claims.title, "bold"), Text(claims.paper.strip(), "dim"), Text(scenes, "dim"), "",
        table, "", Text(summary, "bold"),
        Text(
            "Ours is the mean of the scenes (the best one for a figure 'up to'), its range that of "
            "scenes and constants. Figures that a constant was taken from are 'fit'. 'Within' "
            "says that the published figure, by its tolerance, meets the range.", "dim",
        ),
    )  # fmt: skip


def sections_of(rows: Iterable[Row]) -> list[Section]:
    """Return the tables behind the claims, each once."""
    return list(dict.fromkeys(section for row in rows for section in row.sections))


def section_table(section: Section) -> RenderableType:
    """Return a table behind a claim."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, title=section.title,
                  title_justify="left", title_style="bold")  # fmt: skip
    for number, column in enumerate(section.columns):
        table.add_column(column, justify="left" if number == 0 else "right")
    for row in section.rows:
        table.add_row(*row)
    return Group(table, Text(section.note, "dim")) if section.note else table
