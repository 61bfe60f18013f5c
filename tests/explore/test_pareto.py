"""Fronts and hypervolumes against brute force and closed forms."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.explore.pareto import Box, dominates, front, hypervolume, middle

POINTS = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.tuples(*[st.integers(0, 6)] * width), min_size=1, max_size=12)
)


@settings(deadline=None)
@given(POINTS)
def test_the_front_is_what_nobody_dominates(points: list[tuple[int, ...]]) -> None:
    values = np.array(points, np.float64)
    expected = [not any(dominates(q, p) for q in points) for p in points]
    assert front(values).tolist() == expected


@settings(deadline=None)
@given(POINTS)
def test_hypervolume_counts_the_unit_cells_that_are_dominated(points: list[tuple]) -> None:
    width = len(points[0])
    cells = itertools.product(range(7), repeat=width)
    covered = sum(any(all(x <= c for x, c in zip(p, cell)) for p in points) for cell in cells)
    assert hypervolume(np.array(points, float), np.full(width, 7.0)) == pytest.approx(covered)


def test_points_beyond_the_worst_add_nothing() -> None:
    assert hypervolume(np.array([[0.0, 2.0]]), np.array([1.0, 1.0])) == 0
    assert hypervolume(np.empty((0, 2)), np.array([1.0, 1.0])) == 0


def test_a_box_holds_everything_and_measures_shares() -> None:
    values = np.array([[1.0, 30.0], [3.0, 10.0]])
    box = Box(values)
    assert box.share(values).tolist() == [[0, 20 / 22], [2 / 2.2, 0]]
    # one point at the ideal dominates all of it
    assert box.hypervolume(np.array([[1.0, 10.0]])) == pytest.approx(1.0)
    assert 0 < box.hypervolume(values) < 1


def test_the_middle_gives_a_little_of_everything() -> None:
    values = np.array([[0.0, 100.0], [1.0, 10.0], [10.0, 0.0]])
    assert middle(values) == 1
    assert middle(np.array([[5.0, 5.0]])) == 0
