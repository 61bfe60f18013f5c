"""Colour from spherical harmonics against their definition."""

import numpy as np
import pytest

from archsim.traces.gs3d.harmonics import sh_colour


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_basis_is_that_of_associated_legendre_functions(degree, oracle):
    random = np.random.default_rng(degree)
    directions = random.normal(size=(20, 3))
    for direction in directions / np.linalg.norm(directions, axis=1, keepdims=True):
        expected = oracle.harmonics(degree, direction)
        for term in range((degree + 1) ** 2):
            coefficients = np.zeros(((degree + 1) ** 2, 3), np.float32)
            coefficients[term] = [0.25, -0.25, 0.5]
            red, green, blue = sh_colour(coefficients, *direction)
            value = expected[term]
            assert red == pytest.approx(0.5 + 0.25 * value, abs=1e-12)
            assert green == pytest.approx(0.5 - 0.25 * value, abs=1e-12)
            assert blue == pytest.approx(0.5 + 0.5 * value, abs=1e-12)


def test_zero_coefficients_are_grey_and_negative_colour_is_clamped():
    assert sh_colour(np.zeros((1, 3), np.float32), 0.0, 0.0, 1.0) == (0.5, 0.5, 0.5)
    dark = np.array([[-5.0, 0.0, 5.0]], np.float32)
    red, green, blue = sh_colour(dark, 0.0, 0.0, 1.0)
    assert red == 0.0
    assert green == 0.5
    assert blue == pytest.approx(0.5 + 5.0 / np.sqrt(4 * np.pi))


def test_degree_one_turns_with_the_view():
    coefficients = np.zeros((4, 3), np.float32)
    coefficients[2] = 1.0  # the term along z
    front = sh_colour(coefficients, 0.0, 0.0, 1.0)
    back = sh_colour(coefficients, 0.0, 0.0, -1.0)
    assert front[0] == pytest.approx(0.5 + np.sqrt(3 / (4 * np.pi)))
    assert back[0] == pytest.approx(0.5 - np.sqrt(3 / (4 * np.pi)))
