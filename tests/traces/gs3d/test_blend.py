"""Blending one Gaussian: equal to testing every pixel, and the edges of the rules."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.traces.gs3d.blend import (
    GSPLAT_RULE,
    INRIA_RULE,
    BlendRule,
    alpha_reach,
    blend_gaussian,
)


class Canvas:
    """Accumulators of a rectangle of the image."""

    def __init__(self, height=16, width=16, origin=(0, 0)):
        self.transmittance = np.ones((height, width), np.float32)
        self.colour = np.zeros((height, width, 3), np.float32)
        self.done = np.zeros((height, width), np.uint8)
        self.origin = origin

    def blend(self, mean, conic, opacity, rgb=(1.0, 0.5, 0.25), rule=INRIA_RULE, rect=None):
        left, top = self.origin
        height, width = self.done.shape
        rect = rect or (left, top, left + width, top + height)
        reach = alpha_reach(np.float32(opacity), rule.alpha_min)
        return blend_gaussian(
            *rect, left, top, *np.float32(mean), *np.float32(conic), reach, np.float32(opacity),
            *np.float32(rgb), self.transmittance, self.colour, self.done, rule,
        )  # fmt: skip

    def blend_every_pixel(self, mean, conic, opacity, rgb, rule, rect):
        left, top = self.origin
        (mx, my), (a, b, c) = np.float64(np.float32(mean)), np.float64(np.float32(conic))
        x0, y0, x1, y1 = rect
        xs, ys = np.meshgrid(np.arange(x0, x1), np.arange(y0, y1))
        dx, dy = mx - xs - rule.pixel_offset, my - ys - rule.pixel_offset
        power = -0.5 * (a * dx * dx + c * dy * dy) - b * dx * dy
        with np.errstate(over="ignore"):
            alpha = np.minimum(rule.alpha_max, np.float64(np.float32(opacity)) * np.exp(power))
        view = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
        passed = (self.done[view] == 0) & (power <= 0) & (alpha >= rule.alpha_min)
        after = self.transmittance[view] * (1 - alpha)
        stops = after <= 1e-4 if rule.stop_at_equal else after < 1e-4
        blended = passed & ~stops
        weight = np.where(blended, self.transmittance[view] * alpha, 0)
        self.colour[view] += weight[:, :, None] * np.float32(rgb)
        self.transmittance[view] = np.where(blended, after, self.transmittance[view])
        self.done[view] |= passed & stops
        return passed.sum(), blended.sum(), (passed & stops).sum()


gaussians = st.tuples(
    st.floats(-40, 40), st.floats(-40, 40),  # mean past the corner of the accumulators
    st.floats(-0.5, 3.0), st.floats(-0.5, 9.0),  # log10 of the covariance's eigenvalues
    st.floats(0, math.pi), st.floats(0, 1, width=32) | st.sampled_from([1 / 255, 1.0]),
    st.tuples(*[st.integers(0, 16)] * 4),
)  # fmt: skip


@given(st.lists(gaussians, min_size=1, max_size=20), st.sampled_from([INRIA_RULE, GSPLAT_RULE]))
@settings(max_examples=100, deadline=None)
def test_equals_testing_every_pixel(drawn, rule):
    fast, slow = Canvas(origin=(320, 160)), Canvas(origin=(320, 160))
    for x, y, short, long, angle, opacity, corners in drawn:
        turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        inverse = turn @ np.diag([10**-short, 10**-long]) @ turn.T
        conic = inverse[0, 0], inverse[0, 1], inverse[1, 1]
        (x0, x1), (y0, y1) = sorted(corners[:2]), sorted(corners[2:])
        rect = (320 + x0, 160 + y0, 320 + x1, 160 + y1)
        mean, rgb = (320 + x, 160 + y), (1.0, 0.5, 0.25)
        counts = fast.blend(mean, conic, opacity, rgb, rule, rect)
        assert counts == slow.blend_every_pixel(mean, conic, opacity, rgb, rule, rect)
    assert np.array_equal(fast.done, slow.done)
    np.testing.assert_allclose(fast.transmittance, slow.transmittance, rtol=1e-6)
    np.testing.assert_allclose(fast.colour, slow.colour, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(("rule", "centre"), [(INRIA_RULE, 8.0), (GSPLAT_RULE, 8.5)])
def test_at_a_pixel_centre_alpha_is_the_opacity(rule, centre):
    canvas = Canvas()
    assert canvas.blend((centre, centre), (1e4, 0, 1e4), 0.5, rule=rule) == (1, 1, 0)
    assert canvas.transmittance[8, 8] == 0.5
    assert canvas.colour[8, 8].tolist() == [0.5, 0.25, 0.125]
    canvas.blend((centre, centre), (1e4, 0, 1e4), 0.5, rule=rule)
    assert canvas.colour[8, 8].tolist() == [0.75, 0.375, 0.1875]
    assert canvas.transmittance.sum() == 16 * 16 - 0.75


def test_alpha_is_clamped_and_a_pixel_ends_before_it_would_be_added():
    canvas = Canvas()
    needle = (1e4, 0, 1e4)
    assert canvas.blend((8, 8), needle, 1.0) == (1, 1, 0)
    assert canvas.transmittance[8, 8] == np.float32(0.01)
    assert canvas.blend((8, 8), needle, 0.98) == (1, 1, 0)  # 0.0002 is left
    before = canvas.colour.copy()
    assert canvas.blend((8, 8), needle, 0.98) == (1, 0, 1)
    assert canvas.done[8, 8] == 1
    assert np.array_equal(canvas.colour, before)
    assert canvas.blend((8, 8), needle, 0.98) == (0, 0, 0)


def test_a_transmittance_equal_to_the_least_ends_gsplat_but_not_inria():
    for stop_at_equal, expected in ((False, (1, 1, 0)), (True, (1, 0, 1))):
        rule = BlendRule(0.0, 1 / 255, 0.99, 0.25, stop_at_equal)
        canvas = Canvas()
        canvas.blend((8, 8), (1e4, 0, 1e4), 0.5, rule=rule)
        assert canvas.blend((8, 8), (1e4, 0, 1e4), 0.5, rule=rule) == expected
    assert not INRIA_RULE.stop_at_equal
    assert GSPLAT_RULE.stop_at_equal


def test_least_alpha_at_its_edge():
    passing = np.float32(1 / 255)  # rounds up
    assert float(passing) > 1 / 255
    assert Canvas().blend((8, 8), (1e4, 0, 1e4), passing) == (1, 1, 0)
    failing = np.nextafter(passing, np.float32(0))
    assert Canvas().blend((8, 8), (1e4, 0, 1e4), failing) == (0, 0, 0)
    assert Canvas().blend((8, 8), (1e4, 0, 1e4), 0.0) == (0, 0, 0)


def test_constants_are_those_given_at_the_call():
    wide = (0.02, 0, 0.02)
    counts = [
        Canvas().blend((8, 8), wide, 0.5, rule=INRIA_RULE._replace(alpha_min=least))[0]
        for least in (0.3, 0.1, 1 / 255)
    ]
    # x^2 + y^2 <= 100 ln(0.5 / least) on the grid of 16 x 16 pixels
    xs = np.arange(16) - 8
    square = xs[:, None] ** 2 + xs[None, :] ** 2
    assert counts == [(square <= 100 * math.log(0.5 / a)).sum() for a in (0.3, 0.1, 1 / 255)]


def test_done_pixels_and_pixels_out_of_the_rectangle_are_left_alone():
    canvas = Canvas(origin=(32, 16))
    canvas.done[:, :8] = 1
    passed, blends, _ = canvas.blend((40, 24), (1e-4, 0, 1e-4), 0.5, rect=(36, 20, 44, 24))
    assert passed == blends == 4 * 4
    touched = np.argwhere(canvas.transmittance < 1)
    assert touched.min(axis=0).tolist() == [4, 8]
    assert touched.max(axis=0).tolist() == [7, 11]


def test_a_conic_that_is_no_ellipse_is_tested_pixel_by_pixel():
    # rounding to float32 may leave a conic of determinant <= 0
    rule, rect = INRIA_RULE, (0, 0, 16, 16)
    for conic in ((0.1, 0.2, 0.1), (1.0, 1.0, 1.0), (0.0, 0.0, 1.0), (0.0, 0.0, 0.0)):
        fast, slow = Canvas(), Canvas()
        expected = slow.blend_every_pixel((5, 6), conic, 0.7, (1, 1, 1), rule, rect)
        assert fast.blend((5, 6), conic, 0.7, (1, 1, 1)) == expected
        np.testing.assert_allclose(fast.colour, slow.colour, rtol=1e-6)
