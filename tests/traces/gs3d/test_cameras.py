"""Cameras from files and generated ones: poses by closed forms, errors by name."""

import json
import struct
from math import radians, tan

import numpy as np
import pytest

from archsim.base.errors import ConfigError, InputError
from archsim.traces.gs3d.camera_files import load_camera_file
from archsim.traces.gs3d.cameras import (
    Bounds,
    CameraPath,
    Keyframe,
    Orbit,
    look_at,
    orbit_cameras,
    path_cameras,
)

BOUNDS = Bounds(np.array([-1.0, -3.0, 0.0]), np.array([1.0, 0.0, 4.0]))


def project(camera, point):
    x, y, z = camera.world_to_camera[:3, :3] @ point + camera.world_to_camera[:3, 3]
    return camera.fx * x / z + camera.cx, camera.fy * y / z + camera.cy


def turn(rng):
    q, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    return q * np.sign(np.linalg.det(q))


def quaternion(matrix):
    """w x y z from the axis and angle, for rotations well away from 0 and 180 degrees."""
    w = np.sqrt(1 + np.trace(matrix)) / 2
    a = matrix - matrix.T
    return np.array([w, a[2, 1] / (4 * w), a[0, 2] / (4 * w), a[1, 0] / (4 * w)])


@pytest.mark.parametrize("angle", [0.0, 33.0, 90.0, 200.0])
def test_orbit_is_the_reference_figures_camera(data, angle):
    """The words of workload_reference.json's camera block, written out again."""
    words = json.loads((data / "gs3d/workload_reference.json").read_text())["camera"]
    assert words["distance"] == "d = 1.15*max(ext)/2/tan(25 deg) + ext_z/2"
    assert words["position"].startswith("cam = c + d*(sin a, -0.15, -cos a)")
    (camera,) = orbit_cameras(Orbit(start_deg=angle), BOUNDS, 800, 800)
    a, half = radians(angle), tan(radians(25))
    d = 1.15 * 4 / 2 / half + 4 / 2
    centre = np.array([0, -1.5, 2.0])
    position = centre + d * np.array([np.sin(a), -0.15, -np.cos(a)])
    np.testing.assert_allclose(camera.position, position, atol=1e-12)
    z = (centre - position) / np.linalg.norm(centre - position)
    x = np.cross([0, 1, 0], z)
    x /= np.linalg.norm(x)
    np.testing.assert_allclose(camera.world_to_camera[:3, :3], [x, np.cross(z, x), z], atol=1e-12)
    assert camera.fx == camera.fy == pytest.approx(400 / half)
    assert (camera.cx, camera.cy) == (400, 400)


def test_orbit_spreads_over_circle_and_arc():
    names = [c.name for c in orbit_cameras(Orbit(views=4), BOUNDS, 64, 64)]
    assert names == ["orbit-0", "orbit-90", "orbit-180", "orbit-270"]
    names = [
        c.name for c in orbit_cameras(Orbit(views=3, start_deg=-40, arc_deg=80), BOUNDS, 64, 64)
    ]
    assert names == ["orbit--40", "orbit-0", "orbit-40"]
    near, far = (orbit_cameras(Orbit(distance=f), BOUNDS, 64, 64)[0].position for f in (1, 2))
    centre = np.array([0, -1.5, 2.0])
    np.testing.assert_allclose(far - centre, 2 * (near - centre))


@pytest.mark.parametrize("size", [(800, 800), (1280, 720), (333, 217), (720, 1280), (2000, 200)])
@pytest.mark.parametrize("extent", [(2.0, 3.0, 1.0), (4.0, 1.0, 3.0), (1.0, 9.0, 1.0)])
def test_an_orbit_sees_the_whole_scene_at_every_aspect_ratio(size, extent):
    bounds = Bounds(np.zeros(3), np.array(extent))
    (camera,) = orbit_cameras(Orbit(), bounds, *size)
    middle = np.array(extent) / 2
    for axis in (0, 1):  # the ends of the scene's middle cross, seen from the front
        for end in (0, extent[axis]):
            point = middle.copy()
            point[axis] = end
            x, y = project(camera, point)
            assert 0 <= x <= size[0]
            assert 0 <= y <= size[1]
    assert camera.fx == camera.fy == pytest.approx(size[0] / 2 / tan(radians(25)))


def test_an_orbit_needs_a_scene_with_extent():
    point = np.array([1.0, 2.0, 3.0])
    with pytest.raises(ConfigError, match=r"no extent: .* at \(1, 2, 3\)") as caught:
        orbit_cameras(Orbit(), Bounds(point, point), 64, 64)
    assert "workload.cameras.file" in str(caught.value)
    with pytest.raises(ConfigError, match="not finite"):
        orbit_cameras(Orbit(), Bounds(point, point * np.inf), 64, 64)


def test_path_interpolates_and_looks_at_its_target():
    path = CameraPath(
        keyframes=[Keyframe(position=(0, 0, -4), look_at=(0, 0, 0)),
                   Keyframe(position=(0, 0, -2), look_at=(1, 0, 0)),
                   Keyframe(position=(4, -1, -2), look_at=(1, 0, 2))],
        views=5,
    )  # fmt: skip
    cameras = path_cameras(path, 101, 55)  # no multiple of 16
    np.testing.assert_allclose(cameras[1].position, [0, 0, -3], atol=1e-12)
    np.testing.assert_allclose(cameras[4].position, [4, -1, -2], atol=1e-12)
    for camera, target in zip(cameras, ([0, 0, 0], [0.5, 0, 0], [1, 0, 0], [1, 0, 1], [1, 0, 2])):
        np.testing.assert_allclose(project(camera, target), [50.5, 27.5], atol=1e-9)
        right = camera.world_to_camera[0, :3]
        assert right[1] == 0  # the horizon is level
        above = np.array(target) - (0, 0.1, 0)  # y is down
        assert project(camera, above)[1] < 27.5
    one = path_cameras(CameraPath(keyframes=path.keyframes[:1], views=2), 32, 32)
    np.testing.assert_array_equal(one[0].world_to_camera, one[1].world_to_camera)


@pytest.mark.parametrize("target", [(0, 0, 0), (0, 5, 0), (np.nan, 0, 1)])
def test_no_view_direction_is_an_error(target):
    with pytest.raises(ConfigError, match="no view direction"):
        look_at((0, 0, 0), target, width=8, height=8, fov_deg=50, name="a")


def test_inria_cameras_json(data):
    path = data / "gs3d/cameras/tandt_train_10cams.json"
    entry = json.loads(path.read_text())[3]
    camera = load_camera_file(path)[3]
    np.testing.assert_allclose(camera.position, entry["position"], atol=1e-12)
    ahead = np.array(entry["position"]) + 2 * np.array(entry["rotation"])[:, 2]
    np.testing.assert_allclose(project(camera, ahead), [1959 / 2, 1090 / 2], atol=1e-9)
    assert camera.name == entry["img_name"]
    small = load_camera_file(path, (979, 545))[3]
    assert (small.width, small.height) == (979, 545)
    point = ahead + np.array([0.1, 0.2, 0.3])
    scaled = np.array(project(camera, point)) * (979 / 1959, 545 / 1090)
    np.testing.assert_allclose(project(small, point), scaled)


def test_nerf_transforms_json(tmp_path):
    rng = np.random.default_rng(1)
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = turn(rng), rng.normal(size=3)
    frames = [
        {"file_path": "./images/a.png", "transform_matrix": pose.tolist()},
        {"file_path": "b", "transform_matrix": pose.tolist(), "fl_x": 90, "cx": 30},
    ]
    meta = {"camera_angle_x": 0.8, "w": 100, "h": 60, "frames": frames}
    path = tmp_path / "transforms.json"
    path.write_text(json.dumps(meta))
    a, b = load_camera_file(tmp_path)
    assert a.name == "a.png"
    assert a.fx == a.fy == pytest.approx(50 / tan(0.4))
    np.testing.assert_allclose(a.position, pose[:3, 3])
    ahead = pose[:3, 3] - 3 * pose[:3, 2]  # OpenGL cameras look along -z with y up
    np.testing.assert_allclose(project(a, ahead), [50, 30], atol=1e-9)
    assert project(a, ahead + 0.1 * pose[:3, 1])[1] < 30
    assert project(a, ahead + 0.1 * pose[:3, 0])[0] > 50
    assert (b.fx, b.fy, b.cx, b.cy) == (90, 90, 30, 30)
    del meta["w"]
    path.write_text(json.dumps(meta))
    with pytest.raises(InputError, match=r"no image size"):
        load_camera_file(path)
    assert load_camera_file(path, (80, 50))[0].fx == pytest.approx(40 / tan(0.4))
    path.write_text(json.dumps(meta | {"k1": 0.1}))
    with pytest.raises(InputError, match=r"distortion \(k1\)"):
        load_camera_file(path, (8, 8))


@pytest.fixture
def colmap(tmp_path):
    """The same model as .txt in one folder and .bin in another, and its poses."""
    rng = np.random.default_rng(2)
    poses = [(turn(rng), rng.normal(size=3)) for _ in range(2)]
    for rotation, _ in poses:
        if np.trace(rotation) < -0.5:
            rotation[:] = rotation @ rotation
    text, binary = tmp_path / "text", tmp_path / "binary" / "sparse" / "0"
    text.mkdir()
    binary.mkdir(parents=True)
    (text / "cameras.txt").write_text("# note\n3 PINHOLE 640 480 500 510 320 240\n"
                                      "7 SIMPLE_PINHOLE 64 48 50 32 24\n")  # fmt: skip
    rows, blob = ["# note"], struct.pack("<Q", 2)
    for (rotation, shift), lens, name in zip(poses, (3, 7), ("z last.jpg", "a.jpg")):
        numbers = [*quaternion(rotation), *shift]
        rows += [f"{lens} {' '.join(map(repr, map(float, numbers)))} {lens} {name}", "1 2 -1"]
        blob += struct.pack("<I7dI", lens, *numbers, lens) + name.encode() + b"\0"
        blob += struct.pack("<Q", 2) + bytes(48)
    (text / "images.txt").write_text("\n".join(rows) + "\n")
    (binary / "images.bin").write_bytes(blob)
    lenses = struct.pack("<QIiQQ4d", 2, 3, 1, 640, 480, 500, 510, 320, 240)
    (binary / "cameras.bin").write_bytes(lenses + struct.pack("<IiQQ3d", 7, 0, 64, 48, 50, 32, 24))
    return text, tmp_path / "binary", poses


def test_colmap_text_and_binary(colmap):
    text, binary, poses = colmap
    for folder in (text, binary):
        first, second = load_camera_file(folder)
        assert (first.name, second.name) == ("a.jpg", "z last.jpg")  # by name
        np.testing.assert_allclose(first.world_to_camera[:3, :3], poses[1][0], atol=1e-9)
        np.testing.assert_allclose(second.world_to_camera[:3, 3], poses[0][1])
        assert (first.fx, first.fy, first.cx) == (50, 50, 32)
        assert (second.fx, second.fy, second.cy) == (500, 510, 240)


def test_colmap_errors(colmap):
    text, binary, _ = colmap
    cameras = text / "cameras.txt"
    cameras.write_text(cameras.read_text().replace("SIMPLE_PINHOLE", "OPENCV"))
    with pytest.raises(InputError, match=r"cameras.txt, line 3: camera model OPENCV.*PINHOLE"):
        load_camera_file(text)
    images = binary / "sparse" / "0" / "images.bin"
    images.write_bytes(images.read_bytes()[:-60])
    with pytest.raises(InputError, match=r"images.bin, byte offset \d+: truncated"):
        load_camera_file(binary)


def inria(**changes):
    entry = {"width": 8, "height": 8, "position": [0, 0, 0], "rotation": np.eye(3).tolist(),
             "fx": 9, "fy": 9}  # fmt: skip
    return {**entry, **changes}


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (inria(position=[0, float("nan"), 0]), "NaN or infinity in the pose"),
        (inria(rotation=np.zeros((3, 3)).tolist()), "singular"),
        (inria(rotation=np.diag([1, 1, -1]).tolist()), "mirrored"),
        (inria(rotation=(2 * np.eye(3)).tolist()), "scaled"),
        (inria(rotation=[[1, 0], [0, 1]]), "wrong shape"),
        (inria(fx=0), "must be positive"),
        ({"width": 8}, "'rotation'"),
    ],
)
def test_bad_poses_name_the_camera(tmp_path, entry, words):
    path = tmp_path / "cameras.json"
    path.write_text(json.dumps([inria(), entry]))
    with pytest.raises(InputError, match=r"cameras.json, camera 1: ") as caught:
        load_camera_file(path)
    assert words in str(caught.value)


def test_bad_camera_files(tmp_path):
    path = tmp_path / "cameras.json"
    for content, words in (
        (b"[{", "not JSON: it ends in the middle, in line 1"),
        (b'[\n{"a" 1}]', "not JSON: wrong from line 2, column 6 on"),
        (b"\x80PNG\xff", "not JSON: byte 0 is no text"),
        (b"[]", "no cameras"),
        (b'{"a": 1}', "neither"),
        (b"[7]", "it is no mapping"),
    ):
        path.write_bytes(content)
        with pytest.raises(InputError, match=words) as caught:
            load_camera_file(path)
        assert "Error" not in str(caught.value)
    with pytest.raises(InputError, match="no such camera file"):
        load_camera_file(tmp_path / "none.json")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="without COLMAP"):
        load_camera_file(tmp_path / "empty")
