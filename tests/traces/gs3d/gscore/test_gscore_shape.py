"""The oriented-box test against independent geometry."""

import numpy as np
import pytest

from archsim.traces.gs3d.gscore.shape import box_touches, candidate_bitmaps, oriented_box


def clipped_area(box: np.ndarray, half: float) -> float:
    """Area of a convex polygon inside the square |x|, |y| <= half (clipping edge by edge)."""
    points = [tuple(p) for p in box]
    for axis, sign in ((0, 1), (0, -1), (1, 1), (1, -1)):
        kept = []
        for p, q in zip(points, points[1:] + points[:1]):
            a, b = half - sign * p[axis], half - sign * q[axis]
            if a >= 0:
                kept.append(p)
            if a * b < 0:
                share = a / (a - b)
                kept.append(tuple(p[i] + share * (q[i] - p[i]) for i in (0, 1)))
        points = kept
        if not points:
            return 0.0
    x, y = np.array(points).T
    return 0.5 * abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1)))


def corners(dx, dy, major, minor, cosine, sine):
    u, v = np.array([cosine, sine]) * major, np.array([-sine, cosine]) * minor
    return np.array([dx, dy]) + np.array([u + v, u - v, -u - v, -u + v])


def test_agrees_with_polygon_clipping():
    rng = np.random.default_rng(1)
    met = 0
    for _ in range(3000):
        dx, dy = rng.uniform(-40, 40, 2)
        major = rng.uniform(0.5, 40)
        minor = major * rng.uniform(0.01, 1)
        angle = rng.uniform(-np.pi, np.pi)
        half = rng.choice([2.0, 4.0, 8.0])
        box = corners(dx, dy, major, minor, np.cos(angle), np.sin(angle))
        area = clipped_area(box, half)
        touches = box_touches(dx, dy, half, major, minor, np.cos(angle), np.sin(angle))
        met += touches
        grown = corners(dx, dy, major + 1e-6, minor + 1e-6, np.cos(angle), np.sin(angle))
        if area > 0:
            assert touches, (dx, dy, half, major, minor, angle)
        elif clipped_area(grown, half) == 0:
            assert not touches, (dx, dy, half, major, minor, angle)
    assert 300 < met < 2700


@pytest.mark.parametrize(("gap", "touches"), [(-1e-9, True), (1e-9, False)])
def test_a_gap_along_each_axis_separates(gap, touches):
    half, major, minor = 4.0, 10.0, 2.0
    assert box_touches(half + major + gap, 0, half, major, minor, 1.0, 0.0) is touches
    assert box_touches(0, half + minor + gap, half, major, minor, 1.0, 0.0) is touches
    turn = np.sqrt(0.5)  # a corner of the square against the box's long and short side
    reach = half * np.sqrt(2)
    for across, direction in ((major, (turn, turn)), (minor, (-turn, turn))):
        d = (reach + across + gap) * np.array(direction)
        assert box_touches(*d, half, major, minor, turn, turn) is touches


def test_box_axes_are_the_covariances_eigenvectors():
    rng = np.random.default_rng(2)
    for _ in range(200):
        a = rng.normal(size=(2, 2))
        covariance = a @ a.T + 0.3 * np.eye(2)
        major, minor, cosine, sine = oriented_box(
            covariance[0, 0], covariance[0, 1], covariance[1, 1], 3.0
        )
        values, vectors = np.linalg.eigh(covariance)
        assert (major, minor) == pytest.approx(3 * np.sqrt(values[::-1]), rel=1e-9)
        assert abs(vectors[:, 1] @ [cosine, sine]) == pytest.approx(1, abs=1e-9)


def bitmaps(mean, covariance, radius, rect, *, subtile=8, min_aspect=2.0):
    rect = np.array([rect], np.int32)
    count = int((rect[0, 2] - rect[0, 0]) * (rect[0, 3] - rect[0, 1]))
    out = np.zeros(count, np.uint16)
    lengths = np.zeros(25, np.int64)
    oriented = candidate_bitmaps(
        0, 1, np.array([mean], np.float32), np.array([covariance], np.float32),
        np.array([[radius, radius]], np.int32), rect, 16, subtile, min_aspect, 3.0, 5, 0, out,
        lengths,
    )  # fmt: skip
    assert lengths.sum() == (out > 0).sum()
    return oriented, out


def test_long_gaussian_skips_tiles_off_its_axis():
    # sigma 10 along x and 0.6 along y, centred in the middle row of 5 x 5 tiles
    oriented, bits = bitmaps((40, 40), (100, 0, 0.36), 30, (0, 0, 5, 5))
    assert oriented == 1
    grid = bits.reshape(5, 5)
    assert (grid[[0, 1, 3, 4]] == 0).all()
    # the centre row is 38.2..41.8: both rows of subtiles of tile row 2 (32..40..48)
    assert (grid[2] > 0).all()
    assert grid[2, 2] == 0b1111


def test_round_gaussian_and_single_tile_use_the_square():
    oriented, bits = bitmaps((40, 40), (9, 0, 9), 9, (1, 1, 4, 4))
    assert oriented == 0
    assert (bits > 0).all()
    # the square 31..49 reaches one column of subtiles of the neighbours
    assert bits.reshape(3, 3)[1, 0] == 0b1010
    oriented, _ = bitmaps((40, 40), (4, 0, 0.31), 6, (2, 2, 3, 3))
    assert oriented == 0  # one candidate: nothing to gain


@pytest.mark.parametrize("subtile", [4, 8, 16])
def test_every_pixel_inside_three_sigma_lies_in_a_touched_subtile(subtile):
    rng = np.random.default_rng(3)
    side = 16 // subtile
    pixel = np.stack(np.meshgrid(np.arange(80), np.arange(80)), -1)
    for _ in range(60):
        a = rng.normal(size=(2, 2)) * rng.uniform(0.3, 6)
        covariance = a @ a.T + 0.3 * np.eye(2)
        mean = rng.uniform(20, 60, 2)
        radius = int(np.ceil(3 * np.sqrt(np.linalg.eigvalsh(covariance)[1])))
        _, bits = bitmaps(
            mean, (covariance[0, 0], covariance[0, 1], covariance[1, 1]), radius, (0, 0, 5, 5),
            subtile=subtile, min_aspect=1.2,
        )  # fmt: skip
        d = pixel - mean.astype(np.float32)
        inside = np.einsum("yxi,ij,yxj->yx", d, np.linalg.inv(covariance), d) <= 9 * (1 - 1e-5)
        y, x = np.nonzero(inside)
        bit = (y % 16 // subtile) * side + x % 16 // subtile
        touched = bits[(y // 16) * 5 + x // 16] >> bit & 1
        assert touched.all()
