"""What searchers ask for: even spreads, neighbours of the front, and better than chance."""

from collections.abc import Callable

import numpy as np
import pytest
import toy

from archsim.explore.analysis import hypervolume_curve, shared_box
from archsim.explore.axis import Parameter
from archsim.explore.problem import Outcome
from archsim.explore.search import Searcher
from archsim.explore.search.refine import Refine
from archsim.explore.search.sampling import LatinHypercube, Random, Sobol
from archsim.explore.space import Space

#: The toy's space with continuous axes: too many points to meet the best ones by chance.
WIDE = Space({**toy.SPACE, **{name: Parameter(path=f"x.{name}", range=(0, 11)) for name in "ab"}})


def unit_space(width: int = 3) -> Space:
    return Space({f"p{i}": Parameter(path=f"p{i}", range=(0, 1)) for i in range(width)})


def shares(searcher: Searcher, count: int) -> np.ndarray:
    return np.array([list(point.values()) for point in searcher.ask(count)])


def test_a_latin_hypercube_has_each_part_of_each_parameter_once() -> None:
    pytest.importorskip("scipy")
    rows = shares(LatinHypercube(unit_space(), 1, 50), 100)
    assert len(rows) == 50
    assert (np.sort((rows * 50).astype(int), axis=0) == np.arange(50)[:, None]).all()


def test_a_sobol_sequence_fills_halves_quarters_and_eighths_evenly() -> None:
    pytest.importorskip("scipy")
    rows = shares(Sobol(unit_space(), 1), 64)
    for parts in (2, 4, 8):
        for column in rows.T:
            assert (np.bincount((column * parts).astype(int)) == 64 // parts).all()


def test_random_points_repeat_with_their_seed() -> None:
    assert (shares(Random(unit_space(), 5), 20) == shares(Random(unit_space(), 5), 20)).all()
    assert not (shares(Random(unit_space(), 6), 20) == shares(Random(unit_space(), 5), 20)).any()


def answered(points: list[dict], start: int = 0) -> list[Outcome]:
    return [Outcome(start + i, p, "search", "measured", {},
                    ((p["p0"] - 0.3) ** 2 + p["p1"], (p["p0"] - 0.6) ** 2 + p["p1"]), ())
            for i, p in enumerate(points)]  # fmt: skip


def test_refinement_asks_next_to_the_front_then_nearer_then_ends() -> None:
    searcher = Refine(unit_space(2), 1, first=8)
    told = answered(searcher.ask(8))
    searcher.tell(told)
    best = {
        id(o)
        for o in told
        if not any(
            all(x <= y for x, y in zip(q.values or (), o.values or ())) and q is not o for q in told
        )
    }
    near = searcher.ask(1000)
    for point in near:
        steps = [
            sum(abs(point[k] - o.point[k]) > 1e-9 for k in point) for o in told if id(o) in best
        ]
        assert 1 in steps
    for _ in range(200):
        searcher.tell(answered(near))
        near = searcher.ask(1000)
        if not near:
            break
    assert not near  # it ends by itself


def searched(make: Callable[[], Searcher], points: int) -> list[Outcome]:
    """Let a searcher explore the toy space; return its outcomes."""
    searcher, goals, space = make(), toy.goals(), WIDE
    found: dict[str, Outcome] = {}
    while len(found) < points:
        asked = searcher.ask(min(8, points - len(found)))
        if not asked:
            break
        told = []
        for point in asked:
            key = space.key(point)
            if key not in found:
                found[key] = _outcome(point, goals, len(found))
            told.append(found[key])
        searcher.tell(told)
    return list(found.values())


def _outcome(point: dict, goals: object, asked: int) -> Outcome:
    from archsim.explore.problem import Infeasible
    from archsim.explore.workers import run_job

    record = run_job(toy.evaluate, point)
    if record["status"] == "infeasible":
        return Outcome(asked, point, "search", "infeasible", infeasible=Infeasible.of(record))
    columns = {f"x.{k}": v for k, v in record["row"].items()}
    values, violations = goals.judge(columns)  # type: ignore[attr-defined]
    return Outcome(asked, point, "search", "measured", columns, values, violations)


@pytest.mark.parametrize("kind", ["refine", "nsga2", "tpe"])
def test_searches_beat_chance_on_average(kind: str) -> None:
    from archsim.explore.search import make_searcher
    from archsim.explore.study import StudyConfig

    if kind != "refine":
        pytest.importorskip("optuna")
    search = {"refine": {"first": 16}, "nsga2": {"population": 16}, "tpe": {"first": 16}}[kind]
    gains = []
    for seed in range(3):
        study = StudyConfig(
            base="toy", space={"u": Parameter(path="p", values=[1])}, seed=seed,
            objectives={"x.time_s": "minimize", "x.area_mm2": "minimize"},
            constraints={"x.psnr_db": {"at_least": 22}},  # type: ignore[dict-item]
            search={"kind": kind, **search}, budget={"points": 64},  # type: ignore[arg-type]
        )  # fmt: skip
        mine = searched(lambda study=study: make_searcher(study, WIDE), 96)  # type: ignore[misc]
        chance = searched(lambda seed=seed: Random(WIDE, seed + 100), 96)  # type: ignore[misc]
        box = shared_box([*mine, *chance])
        assert box is not None
        gains.append(hypervolume_curve(mine, box)[-1][1] - hypervolume_curve(chance, box)[-1][1])
    assert np.mean(gains) > 0
