"""A study's report: one HTML file with the front, what matters and what cannot be."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import archsim
from archsim.explore.analysis import hypervolume_curve, importance, sensitivity, shared_box
from archsim.explore.problem import Outcome
from archsim.page import render_page
from archsim.sweep_charts import (
    Figure,
    curve_chart,
    front_chart,
    importance_chart,
    parallel_chart,
    sensitivity_chart,
    space_chart,
)
from archsim.sweep_display import column_text, value_text
from archsim.sweep_folder import named_best, to_yaml
from archsim.words import DASH, percent

if TYPE_CHECKING:
    from archsim.sweep_api import Study

__all__ = ["render_study"]

_MOST_CARDS = 4
_MOST_PAIRS = 3
_MOST_AXES = 9  # of parameters drawn side by side
_MOST_FAILURES = 5


def render_study(study: Study) -> str:
    """Return the report of a study as HTML that needs nothing else."""
    config, goals = study.resolved.config, study.resolved.goals
    shown = list(dict.fromkeys([*goals.objectives, *goals.constraints, *config.show]))
    front, measured = study.front, [o for o in study.outcomes if o.status == "measured"]
    counts = {status: sum(o.status == status for o in study.outcomes)
              for status in ("measured", "screened", "infeasible", "failed")}  # fmt: skip
    shares = {name: importance(study.resolved.space, study.outcomes, i)
              for i, name in enumerate(goals.objectives)}  # fmt: skip
    drawn = _most_important(shares)
    return render_page(
        "study.html.j2",
        name=study.resolved.name,
        version=archsim.__version__,
        started=study.manifest.get("started", ""),
        facts=_facts(study),
        counts={**counts, "total": len(study.outcomes)},
        objectives=[f"{goal} {name}" for name, goal in goals.objectives.items()],
        constraints=[_constraint_words(name, c) for name, c in goals.constraints.items()],
        cards=_cards(study, shown),
        pareto=_pareto(study, front, shown) if measured else [],
        solid=_solid(study, front, shown) if measured else None,
        parallel=parallel_chart(study.resolved.space, drawn, study.outcomes, shown,
                                next(iter(goals.objectives))) if measured else None,
        not_drawn=[name for name in study.resolved.space.axes if name not in drawn],
        importance=importance_chart(shares) if len(measured) > 2 else None,
        sampled=f"{len(measured):,} measured points",
        **_curves(study),
        **_around(study),
        front_heads=[*study.resolved.space.axes, *shown, "bound by"],
        front=[_front_row(study, o, shown) for o in sorted(front, key=lambda o: o.values or ())],
        infeasible=_infeasible(study.outcomes),
        ended=list(study.manifest.get("ended", {}).items()),
        screening=_screening(study),
        failures=[f"{_point_words(o)}: {o.error}" for o in study.outcomes
                  if o.status == "failed"][:_MOST_FAILURES],
        study_text=to_yaml(config.model_dump(mode="json", exclude_defaults=True)),
    )  # fmt: skip


def _facts(study: Study) -> list[str]:
    space, search = study.resolved.space, study.resolved.config.search
    size = space.size
    return [
        f"{len(space)} parameters",
        f"{size:,} possible points" if size is not None else "a continuous space",
        f"search: {search.kind}",
        f"seed {study.resolved.config.seed}",
    ]


def _constraint_words(name: str, constraint: Any) -> str:
    def bound(value: float | str) -> str:
        return value if isinstance(value, str) else column_text(name, value)

    words = []
    if constraint.at_least is not None:
        words.append(f"at least {bound(constraint.at_least)}")
    if constraint.at_most is not None:
        words.append(f"at most {bound(constraint.at_most)}")
    slack = f" (within {percent(constraint.slack)})" if constraint.slack else ""
    return f"{name} {' and '.join(words)}{slack}"


def _point_words(outcome: Outcome) -> str:
    return ", ".join(f"{name} {value_text(value)}" for name, value in outcome.point.items())


def _bound_words(study: Study, outcome: Outcome) -> str:
    system = next(iter(study.resolved.goals.objectives)).partition(".")[0]
    unit = outcome.columns.get(f"{system}.bottleneck")
    share = outcome.columns.get(f"{system}.share.{unit}.busy")
    return f"bound by {unit}, {percent(share)} busy" if unit and share is not None else ""


def _cards(study: Study, shown: list[str]) -> list[dict[str, Any]]:
    cards: list[dict[str, Any]] = []
    seen: set[int] = set()
    for file, title, outcome in named_best(study):
        if len(cards) == _MOST_CARDS or title == "on the front":
            break
        if id(outcome) in seen:
            continue
        seen.add(id(outcome))
        numbers = [(c, column_text(c, outcome.columns.get(c))) for c in shown]
        cards.append({"title": title, "file": file, "point": _point_words(outcome),
                      "numbers": numbers, "bound": _bound_words(study, outcome)})  # fmt: skip
    return cards


def _pareto(study: Study, front: list[Outcome], shown: list[str]) -> list[Figure]:
    objectives = list(study.resolved.goals.objectives)
    pairs = list(itertools.combinations(objectives, 2))[:_MOST_PAIRS]
    if not pairs:  # one objective: over what else is known of the points
        pairs = [(shown[1], shown[0])] if len(shown) > 1 else []
    return [front_chart(study.outcomes, front, x, y, shown) for x, y in pairs]


def _solid(study: Study, front: list[Outcome], shown: list[str]) -> Figure | None:
    """Return the 3-D chart: objectives first, then constraints, then energy of the system."""
    system = shown[0].partition(".")[0]
    more = [f"{system}.{name}" for name in ("energy_j", "area_mm2", "dram_bytes")]
    known = {name for o in study.outcomes for name, v in o.columns.items() if v is not None}
    columns = list(dict.fromkeys(c for c in [*shown, *more] if c in known))[:3]
    if len(columns) < 3:
        return None
    return space_chart(study.outcomes, front, columns, shown)


def _most_important(shares: dict[str, dict[str, float]]) -> list[str]:
    """Return the parameters that an axis is drawn for, in the space's order."""
    names = list(next(iter(shares.values())))
    total = {name: sum(values[name] for values in shares.values()) for name in names}
    chosen = set(sorted(names, key=lambda name: -total[name])[:_MOST_AXES])
    return [name for name in names if name in chosen]


def _curves(study: Study) -> dict[str, Any]:
    box = shared_box(study.outcomes)
    phases = {name: points for name, points in study.phases.items() if name != "sensitivity"}
    if box is None or not phases:
        return {"curve": None, "curve_words": ""}
    names = {"search": study.resolved.config.search.kind, "random": "random points"}
    curves = {names[name]: hypervolume_curve(points, box) for name, points in phases.items()}
    words = (
        "Hypervolume of the valid points so far, in the box from the best value of each objective "
        "to its worst seen (and a tenth more); 1 would be a point that is best at everything."
    )
    if len(curves) == 2:
        words += f" {_reached(*curves.values())}"
    return {"curve": curve_chart(curves), "curve_words": words}


def _reached(search: list[tuple[int, float]], random: list[tuple[int, float]]) -> str:
    count, goal = random[-1]
    reached = next((n for n, value in search if value >= goal), None)
    if reached is None:
        return (f"After {search[-1][0]:,} points the search has {search[-1][1]:.4f}, "
                f"{count:,} random ones {goal:.4f}.")  # fmt: skip
    return (
        f"The search has what {count:,} random points reach ({goal:.4f}) after {reached:,} points."
    )


def _around(study: Study) -> dict[str, Any]:
    middle = study.center
    if middle is None or not study.resolved.config.sensitivity:
        return {"sensitivity": [], "middle": "", "blocked": []}
    changes = sensitivity(study.resolved.space, middle, study.outcomes)
    blocked = [
        (f"{c.parameter} {value_text(c.old)} → {value_text(c.new)}",
         c.outcome.infeasible.reason if c.outcome.infeasible else c.outcome.error or "")
        for c in changes if c.ratios is None
    ]  # fmt: skip
    figures = [
        sensitivity_chart(changes, i, name)
        for i, name in enumerate(study.resolved.goals.objectives)
        if any(c.ratios is not None for c in changes)
    ]
    return {"sensitivity": figures, "middle": _point_words(middle), "blocked": blocked}


def _front_row(study: Study, outcome: Outcome, shown: list[str]) -> list[str]:
    cells = [value_text(outcome.point.get(name)) for name in study.resolved.space.axes]
    cells += [column_text(c, outcome.columns.get(c)) for c in shown]
    return [*cells, _bound_words(study, outcome).removeprefix("bound by ")]


def _infeasible(outcomes: list[Outcome]) -> list[dict[str, Any]]:
    """Return what excludes points, by place, the most frequent first."""
    groups: dict[str, list[Any]] = {}
    for outcome in outcomes:
        if outcome.infeasible is not None:
            what = outcome.infeasible.place or outcome.infeasible.reason
            groups.setdefault(what, []).append(outcome.infeasible)
    rows = []
    for what, found in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0])):
        gaps = [f.gap for f in found if f.gap is not None]
        unit = found[0].unit or ""
        levers = dict.fromkeys(lever for f in found for lever in f.levers)
        rows.append({
            "what": what, "count": len(found),
            "demand": _span([f.demand for f in found], unit),
            "bound": _span([f.bound for f in found], unit),
            "least": f"{min(gaps):,g} {unit}" if gaps else DASH,
            "most": f"{max(gaps):,g} {unit}" if gaps else DASH,
            "levers": "; ".join(list(levers)[:4]) + ("; ..." if len(levers) > 4 else ""),
        })  # fmt: skip
    return rows


def _span(values: list[float | None], unit: str) -> str:
    known = [v for v in values if v is not None]
    if not known:
        return DASH
    low, high = min(known), max(known)
    return f"{low:,g} {unit}" if low == high else f"{low:,g}{DASH}{high:,g} {unit}"


def _screening(study: Study) -> str:
    found = study.manifest.get("screening")
    if not found:
        return ""
    ratios = "; ".join(f"{name} {low:.3f} to {high:.3f}"
                       for name, (low, high) in found["full_to_cheap"].items())  # fmt: skip
    return (f"{found['seen']} points seen by the cheap model, {found['promoted']} promoted; "
            f"full over cheap model: {ratios}")  # fmt: skip
