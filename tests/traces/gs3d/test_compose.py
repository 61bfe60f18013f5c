"""Compositions: every copy looks from its own side as the original does."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from archsim.base.errors import ResourceError
from archsim.traces.gs3d.compose import Composition, compose_scenes, composition_size
from archsim.traces.gs3d.harmonics import sh_colour
from archsim.traces.gs3d.sh_rotation import quat_to_matrix, rotate_sh, sh_basis, sh_rotation
from archsim.traces.gs3d.workload import Gs3dWorkload, load_scene

unit = hnp.arrays(float, 4, elements=st.floats(-1, 1)).filter(lambda q: np.linalg.norm(q) > 0.1)


def covariance(scene):
    rotations = np.array([quat_to_matrix(q) for q in scene.quats])
    half = rotations * scene.scales[:, None, :]
    return half @ half.transpose(0, 2, 1)


def make(parts, degree=None):
    return compose_scenes(Composition.model_validate({"compose": parts}), degree, seed=0)


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_basis_is_the_renderers(degree):
    rng = np.random.default_rng(degree)
    for _ in range(5):
        d = rng.normal(size=3)
        d /= np.linalg.norm(d)
        c = rng.normal(size=((degree + 1) ** 2, 3)) * 0.02
        expected = sh_basis(d[None], degree)[0] @ c + 0.5
        np.testing.assert_allclose(sh_colour(c, *d), expected, atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(quat=unit, seed=st.integers(0, 99), degree=st.integers(1, 3))
def test_turned_harmonics_show_the_same_colour_from_the_turned_side(quat, seed, degree):
    rng = np.random.default_rng(seed)
    rotation = quat_to_matrix(quat / np.linalg.norm(quat))
    sh = rng.normal(size=(4, (degree + 1) ** 2, 3)).astype(np.float32)
    turned = rotate_sh(sh, sh_rotation(rotation, degree))
    d = rng.normal(size=(6, 3))
    d /= np.linalg.norm(d, axis=1)[:, None]
    before = np.einsum("dk,nkc->dnc", sh_basis(d, degree), sh)
    after = np.einsum("dk,nkc->dnc", sh_basis(d @ rotation.T, degree), turned)
    np.testing.assert_allclose(after, before, atol=2e-5)


def test_one_copy_is_scaled_then_turned_then_moved():
    base = make([{"scene": "builtin:object", "gaussians": 1000}])
    part = {"scene": "builtin:object", "gaussians": 1000, "scale": 2.0,
            "rotate_deg": [0, 90, 0], "at": [[1, 2, 3]]}  # fmt: skip
    scene = make([part])
    x, y, z = 2 * base.means.T
    np.testing.assert_allclose(scene.means, np.stack([z + 1, y + 2, -x + 3], 1), atol=1e-5)
    np.testing.assert_allclose(scene.scales, 2 * base.scales)
    turn = np.array([[0, 0, 1], [0, 1, 0], [-1, 0, 0]])
    expected = 4 * turn @ covariance(base) @ turn.T
    np.testing.assert_allclose(covariance(scene), expected, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(scene.quats, axis=1), 1, atol=1e-6)


def test_turns_go_x_then_y_then_z():
    at = {"scene": "builtin:object", "gaussians": 1000}
    base, scene = make([at]), make([{**at, "rotate_deg": [90, 90, 0]}])
    x, y, z = base.means.T
    # about x: (x, -z, y); then about y: (z', y', -x')
    np.testing.assert_allclose(scene.means, np.stack([y, -z, -x], 1), atol=1e-6)


def test_grid_counts_places_turns_and_declares():
    grid = {"counts": [3, 1, 2], "spacing": [4, 1, 5]}
    part = {"scene": "builtin:object", "gaussians": 1000, "grid": grid, "at": [[10, 0, 0]],
            "turn_deg": 60}  # fmt: skip
    composition = Composition.model_validate({"compose": [part]})
    assert composition_size(composition, 1)[:2] == (6000, 1)
    scene = compose_scenes(composition, 1, seed=0)
    assert len(scene) == 6000
    declared = scene.source["parts"][0]
    assert declared["places"][:4] == [[6, 0, -2.5], [10, 0, -2.5], [14, 0, -2.5], [6, 0, 2.5]]
    assert declared["scene"]["seed"] == 0
    own = make([{"scene": "builtin:object", "gaussians": 1000}], 1)
    fourth = scene.means[3000:4000] - declared["places"][3]  # turned by 180 degrees
    np.testing.assert_allclose(fourth, own.means * (-1, 1, -1), atol=1e-5)


def test_lower_degrees_are_padded_with_zeros(tmp_path):
    record = np.zeros(1, [("m", "<f4", 3), ("s", "<f4", 3), ("c", "u1", 4), ("q", "u1", 4)])
    record["s"], record["c"], record["q"] = 1, 90, (255, 128, 128, 128)
    (tmp_path / "a.splat").write_bytes(record.tobytes())
    scene = make([{"scene": "builtin:object", "gaussians": 1000},
                  {"scene": str(tmp_path / "a.splat")}], 2)  # fmt: skip
    assert scene.sh_degree == 2
    assert not scene.sh[-1, 1:].any()
    assert scene.sh[:-1, 1:].any()


def test_refused_before_loading_when_too_large():
    part = {"scene": "builtin:object", "grid": {"counts": [100, 1, 100], "spacing": [1, 1, 1]}}
    workload = Gs3dWorkload.model_validate({"scene": {"compose": [part]}})
    with pytest.raises(ResourceError, match=r"needs 236\.\d GB, allowed are 4 GB"):
        load_scene(workload, seed=0, memory_limit_bytes=4 * 10**9)


def test_same_bytes_again():
    part = {"scene": "builtin:room", "gaussians": 4000, "rotate_deg": [10, 20, 30],
            "grid": {"counts": [2, 1, 1], "spacing": [9, 1, 9]}}  # fmt: skip
    a, b = make([part]), make([part])
    for field in ("means", "scales", "quats", "opacities", "sh"):
        assert getattr(a, field).tobytes() == getattr(b, field).tobytes()
