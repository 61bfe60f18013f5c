"""What points say: importance in closed form, hypervolume, steps around a point."""

import numpy as np
import pytest
import toy

from archsim.explore.analysis import hypervolume_curve, importance, sensitivity, shared_box
from archsim.explore.axis import Parameter
from archsim.explore.problem import Infeasible, Outcome
from archsim.explore.space import Space


def measured(point: dict, *values: float, asked: int = 0, **more: object) -> Outcome:
    return Outcome(asked, point, "search", "measured", {}, values, (0.0,), **more)  # type: ignore[arg-type]


@pytest.fixture
def grid() -> Space:
    levels = list(range(4))
    return Space({name: Parameter(path=name, values=levels) for name in ("a", "b", "c")})


def test_importance_is_the_share_of_variance_of_the_rank(grid: Space) -> None:
    """Of 16 a + 4 b the rank has exactly the variances of a and b: 16 parts to 1, nothing to c."""
    outcomes = [measured(p, 16.0 * p["a"] + 4.0 * p["b"]) for p in grid.grid()]
    shares = importance(grid, outcomes, 0)
    # 64 points in 4 groups: what is left within groups counts 63 / 60 times
    assert shares["a"] == pytest.approx(1 - 63 / 60 / 17)
    assert shares["b"] == pytest.approx(1 - 63 / 60 * 16 / 17)
    assert shares["c"] == 0
    scaled = [measured(o.point, np.exp((o.values or ())[0])) for o in outcomes]
    assert importance(grid, scaled, 0) == pytest.approx(shares)  # ranks do not mind the scale


def test_importance_of_noise_is_about_zero(grid: Space) -> None:
    noise = np.random.default_rng(1).random(64)
    outcomes = [measured(p, float(v)) for p, v in zip(grid.grid(), noise)]
    assert all(share < 0.1 for share in importance(grid, outcomes, 0).values())


def test_points_without_values_do_not_count(grid: Space) -> None:
    assert importance(grid, [measured({"a": 0, "b": 0, "c": 0}, 1.0)], 0) == {
        "a": 0,
        "b": 0,
        "c": 0,
    }
    assert shared_box([Outcome(0, {}, "search", "failed")]) is None


def test_the_curve_rises_to_the_hypervolume_of_all() -> None:
    outcomes = [
        measured({}, float(x), float(y)) for x, y in [(4, 4), (1, 4), (4, 1), (2, 2), (5, 5)]
    ]
    bad = Outcome(9, {}, "search", "infeasible", infeasible=Infeasible("no"))
    box = shared_box(outcomes)
    assert box is not None
    curve = hypervolume_curve([outcomes[0], bad, *outcomes[1:]], box)
    assert [n for n, _ in curve] == [1, 2, 3, 4, 5, 6]
    values = [v for _, v in curve]
    assert values == sorted(values)
    assert values[0] == values[1]
    assert values[-1] == box.hypervolume(np.array([o.values for o in outcomes]))


def test_sensitivity_tells_every_step_that_was_evaluated() -> None:
    space = toy.space()
    center = measured({"a": 3, "b": 4, "kind": "plain"}, 10.0, 20.0)
    lower = measured({"a": 2, "b": 4, "kind": "plain"}, 5.0, 30.0)
    blocked = Outcome(2, {"a": 3, "b": 5, "kind": "plain"}, "sensitivity", "infeasible",
                      infeasible=Infeasible("too much"))  # fmt: skip
    changes = sensitivity(space, center, [center, lower, blocked])
    assert [(c.parameter, c.old, c.new, c.ratios) for c in changes] == [
        ("a", 3, 2, (0.5, 1.5)), ("b", 4, 5, None),
    ]  # fmt: skip
