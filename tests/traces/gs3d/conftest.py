"""Random scenes and cameras, and an independent float64 renderer straight from the formulas."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from archsim.traces.gs3d.camera import Camera
from archsim.traces.gs3d.scene import Scene


def _f32(array):
    return np.ascontiguousarray(array, np.float32)


@pytest.fixture(scope="session")
def make_scene():
    """make_scene(count, degree, seed, spread, log_scale) -> Scene around the origin."""

    def make(count, degree=0, seed=0, spread=1.0, log_scale=-3.0):
        random = np.random.default_rng(seed)
        quats = random.normal(size=(count, 4))
        return Scene(
            means=_f32(random.normal(size=(count, 3)) * spread),
            scales=_f32(np.exp(random.normal(log_scale, 0.8, (count, 3)))),
            quats=_f32(quats / np.linalg.norm(quats, axis=1, keepdims=True)),
            opacities=_f32(random.uniform(0.0, 1.0, count)),
            sh=_f32(random.normal(size=(count, (degree + 1) ** 2, 3)) * 0.3),
            name="random",
        )

    return make


@pytest.fixture(scope="session")
def make_camera():
    """make_camera(width, height, ...) -> Camera at ``distance`` from the origin, looking at it."""

    def make(width, height, focal=None, centre=None, distance=4.0, angle=0.0, name="camera"):
        focal = width if focal is None else focal
        cx, cy = (width / 2, height / 2) if centre is None else centre
        cos, sin = math.cos(angle), math.sin(angle)
        pose = np.eye(4)
        pose[:3, :3] = [[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]]
        pose[2, 3] = distance
        return Camera(width, height, focal, focal * 1.05, cx, cy, pose, name)

    return make


class Oracle:
    """What the tests compare with. Nothing here is shared with, or shaped like, the package."""

    @staticmethod
    def harmonics(degree, direction):
        """Real spherical harmonics from associated Legendre functions; (K,) for a unit vector."""
        x, y, z = direction
        phi, sine = math.atan2(y, x), math.hypot(x, y)
        legendre = {(0, 0): 1.0}
        for m in range(degree + 1):
            if m:
                legendre[m, m] = -(2 * m - 1) * sine * legendre[m - 1, m - 1]
            if m < degree:
                legendre[m + 1, m] = (2 * m + 1) * z * legendre[m, m]
            for n in range(m + 2, degree + 1):
                above = (2 * n - 1) * z * legendre[n - 1, m] - (n + m - 1) * legendre[n - 2, m]
                legendre[n, m] = above / (n - m)
        values = []
        for n in range(degree + 1):
            for m in range(-n, n + 1):
                k = abs(m)
                norm = (2 * n + 1) / (4 * math.pi) * math.factorial(n - k) / math.factorial(n + k)
                wave = math.cos(m * phi) if m >= 0 else math.sin(-m * phi)
                norm = math.sqrt(norm * (2 if m else 1))
                values.append(norm * wave * legendre[n, k])
        return np.array(values)

    @staticmethod
    def rotation(quat):
        """Columns are the rotated axes, q v q*."""
        quat = quat / np.linalg.norm(quat)
        w, v = quat[0], quat[1:]
        axes = [e + 2 * np.cross(v, np.cross(v, e) + w * e) for e in np.eye(3)]
        return np.array(axes).T

    @classmethod
    def project(cls, scene, camera, variant, tile=16):
        """List of visible Gaussians as namespaces, float64."""
        inria = variant == "inria"
        rotation, shift = camera.world_to_camera[:3, :3], camera.world_to_camera[:3, 3]
        grid = np.ceil(np.array([camera.width, camera.height]) / tile).astype(int)
        size, focal = np.array([camera.width, camera.height]), np.array([camera.fx, camera.fy])
        principal = np.array([camera.cx, camera.cy])
        visible = []
        for i in range(len(scene)):
            mean = scene.means[i].astype(np.float64)
            point = rotation @ mean + shift
            if point[2] <= (0.2 if inria else 0.01):
                continue
            ratio, tangent = point[:2] / point[2], size / focal / 2
            if inria:
                ratio = np.clip(ratio, -1.3 * tangent, 1.3 * tangent)
            else:
                low = -principal / focal - 0.3 * tangent
                ratio = np.clip(ratio, low, (size - principal) / focal + 0.3 * tangent)
            jacobian = np.zeros((2, 3))
            jacobian[0, 0], jacobian[1, 1] = focal / point[2]
            jacobian[:, 2] = -focal * ratio / point[2]
            axes = cls.rotation(scene.quats[i].astype(np.float64)) * scene.scales[i]
            half = jacobian @ rotation @ axes
            cov = half @ half.T + 0.3 * np.eye(2)
            centre = focal * point[:2] / point[2] + principal - (0.5 if inria else 0.0)
            if inria:
                middle = np.trace(cov) / 2
                largest = middle + math.sqrt(max(0.1, middle**2 - np.linalg.det(cov)))
                radius = np.full(2, math.ceil(3 * math.sqrt(largest)))
                upper = (centre + radius + tile - 1) / tile
            else:
                radius = np.ceil(3.33 * np.sqrt(np.diag(cov)))
                upper = np.ceil((centre + radius) / tile)
            low = np.clip(np.trunc((centre - radius) / tile).astype(int), 0, grid)
            high = np.clip(np.trunc(upper).astype(int), 0, grid)
            if (low >= high).any():
                continue
            direction = mean + rotation.T @ shift
            weights = cls.harmonics(scene.sh_degree, direction / np.linalg.norm(direction))
            visible.append(
                SimpleNamespace(
                    index=i, mean2d=centre, depth=point[2], cov=cov, conic=np.linalg.inv(cov),
                    radius=radius, opacity=float(scene.opacities[i]), low=low, high=high,
                    rgb=np.maximum(weights @ scene.sh[i].astype(np.float64) + 0.5, 0.0),
                )
            )  # fmt: skip
        return visible

    @classmethod
    def render(cls, scene, camera, variant, tile=16):
        """Image, transmittance and counts per tile: every pixel tests every entry in turn."""
        near_to_far = sorted(
            cls.project(scene, camera, variant), key=lambda g: (np.float32(g.depth), g.index)
        )
        centre_of = 0.0 if variant == "inria" else 0.5
        image = np.zeros((camera.height, camera.width, 3))
        left = np.ones((camera.height, camera.width))
        rows = []
        for top in range(0, camera.height, tile):
            for start in range(0, camera.width, tile):
                entries = [
                    g for g in near_to_far
                    if (g.low * tile <= [start, top]).all() and (g.high * tile > [start, top]).all()
                ]  # fmt: skip
                area = np.s_[top : top + tile, start : start + tile]
                image[area], left[area], row = cls._tile(
                    entries, start, top, left[area].shape, centre_of, variant
                )
                rows.append({"pairs": len(entries), **row})
        return image, left, {name: np.array([row[name] for row in rows]) for name in rows[0]}

    @staticmethod
    def _tile(entries, start, top, shape, centre_of, variant):
        colour, left, ended = np.zeros((*shape, 3)), np.ones(shape), np.zeros(shape, bool)
        tested, passed_sum, blends, warp_blends = np.zeros(shape, int), 0, 0, 0
        warp_of_row = np.arange(shape[0]) // 2
        xs, ys = np.meshgrid(np.arange(shape[1]) + start, np.arange(shape[0]) + top)
        pixels = np.stack([xs, ys], axis=-1) + centre_of
        for g in entries:
            tested += ~ended
            away = g.mean2d - pixels
            power = -0.5 * np.einsum("yxi,ij,yxj->yx", away, g.conic, away)
            alpha = np.minimum(0.99, g.opacity * np.exp(power))
            passed = ~ended & (power <= 0) & (alpha >= 1 / 255)
            after = left * (1 - alpha)
            stops = passed & (after < 1e-4 if variant == "inria" else after <= 1e-4)
            blended = passed & ~stops
            ended |= stops
            colour[blended] += (left * alpha)[blended][:, None] * g.rgb
            left = np.where(blended, after, left)
            passed_sum, blends = passed_sum + passed.sum(), blends + blended.sum()
            warp_blends += len(set(warp_of_row[blended.any(axis=1)]))
        per_row = tested.max(axis=1)
        counts = {
            "consumed": tested.max(), "alpha_tests": tested.sum(), "alpha_passed": passed_sum,
            "blends": blends, "saturated": ended.sum(),
            "warp_iterations": sum(per_row[warp_of_row == w].max() for w in set(warp_of_row)),
            "warp_blend_iterations": warp_blends,
        }  # fmt: skip
        return colour, left, counts


@pytest.fixture(scope="session")
def oracle():
    return Oracle
