"""The workload's configuration: what it accepts, where it looks, what identifies its scene."""

import json
import shutil

import numpy as np
import pytest
import yaml
from pydantic import ValidationError

from archsim.base.errors import ConfigError, InputError, ResourceError
from archsim.base.hashing import hash_data
from archsim.traces.gs3d.cameras import Bounds, bounds_of
from archsim.traces.gs3d.workload import Gs3dWorkload, load_cameras, load_scene, scene_key

BOUNDS = Bounds(np.zeros(3), np.ones(3))


def workload(text="", context=None, **fields):
    return Gs3dWorkload.model_validate({**(yaml.safe_load(text) or {}), **fields}, context=context)


def splat(path, count=3, value=1.0):
    record = np.zeros(count, [("m", "<f4", 3), ("s", "<f4", 3), ("c", "u1", 4), ("q", "u1", 4)])
    record["m"], record["s"], record["c"], record["q"] = value, 1, 90, (255, 128, 128, 128)
    path.write_bytes(record.tobytes())


def test_the_run_configurations_example():
    made = workload("{kind: gs3d, scene: builtin:room, cameras: {orbit: {views: 1}},"
                    " resolution: [1280, 720], gaussians: 3000}")  # fmt: skip
    scene = load_scene(made, seed=0)
    (camera,) = load_cameras(made, scene)
    assert (len(scene), scene.sh_degree) == (3000, 3)
    assert (camera.width, camera.height) == (1280, 720)
    (again,) = load_cameras(made, bounds_of(scene))
    np.testing.assert_array_equal(again.world_to_camera, camera.world_to_camera)


def test_defaults_are_an_orbit_of_one_view_at_720p():
    (camera,) = load_cameras(workload(scene="builtin:object"), BOUNDS)
    assert (camera.width, camera.height, camera.name) == (1280, 720, "orbit-0")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"scene": "a", "lodd": 1}, "lodd"),
        ({"scene": "a", "cameras": {}}, "exactly one of orbit, path, file and builtin"),
        ({"scene": "a", "cameras": {"orbit": {}, "file": "b"}}, "found orbit and file"),
        ({"scene": "a", "cameras": {"orbit": {"views": 0}}}, "greater than or equal to 1"),
        ({"scene": "a", "resolution": [0, 5]}, "at least 1 pixel"),
        ({"scene": "a", "sh_degree": 4}, "less than or equal to 3"),
        ({"scene": {"compose": []}}, "at least 1 item"),
        ({"scene": {"compose": [{"scene": "a", "att": []}]}}, "att"),
        ({"scene": {"compose": [{"scene": "a"}]}, "lod": 1}, "parts of a composition"),
    ],
)
def test_wrong_configurations(fields, words):
    with pytest.raises(ValidationError) as caught:
        workload(**fields)
    assert words in str(caught.value)


def test_paths_start_at_the_configurations_folder_then_here(tmp_path, monkeypatch):
    (tmp_path / "configs").mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    splat(tmp_path / "here" / "a.splat", 1)
    context = {"folder": tmp_path / "configs"}
    assert len(load_scene(workload(scene="a.splat", context=context), seed=0)) == 1
    splat(tmp_path / "configs" / "a.splat", 2)
    assert len(load_scene(workload(scene="a.splat", context=context), seed=0)) == 2
    part = {"compose": [{"scene": "a.splat", "at": [[0, 0, 0], [1, 0, 0]]}]}
    assert len(load_scene(workload(scene=part, context=context), seed=0)) == 4
    assert workload(scene="builtin:room", context=context).scene == "builtin:room"
    with pytest.raises(InputError, match="no such scene"):
        load_scene(workload(scene="b.splat", context=context), seed=0)


def test_sh_degree_caps_a_file(data):
    path = str(data / "gs3d/playcanvas/playbot")
    full = load_scene(workload(scene=path, lod=6), seed=0)
    for degree in (0, 1, 3):
        capped = load_scene(workload(scene=path, lod=6, sh_degree=degree), seed=0)
        assert capped.sh_degree == min(degree, 2)
        np.testing.assert_array_equal(capped.sh, full.sh[:, : (degree + 1) ** 2])
        assert capped.sh.flags.c_contiguous
    assert len(full.source["content"]) == 1 + 8  # lod-meta.json, and one level's files


def test_key_follows_content_not_names(tmp_path):
    splat(tmp_path / "a.splat")
    first = scene_key(workload(scene=str(tmp_path / "a.splat")), seed=0)
    shutil.copy(tmp_path / "a.splat", tmp_path / "b.splat")
    assert scene_key(workload(scene=str(tmp_path / "b.splat")), seed=1) == first
    splat(tmp_path / "b.splat", value=2.0)
    assert scene_key(workload(scene=str(tmp_path / "b.splat")), seed=0) != first
    assert json.loads(json.dumps(first)) == first


def test_key_of_builtins_and_compositions():
    def key(seed=0, **fields):
        return hash_data(scene_key(workload(**fields), seed))

    room = key(scene="builtin:room")
    assert key(scene="builtin:room", gaussians=200_000, sh_degree=3) == room
    parts = [{"scene": "builtin:room"}, {"scene": "builtin:room", "at": [[0, 0, 1]]}]
    composed = [key(scene={"compose": [p]}) for p in parts]
    others = [
        key(1, scene="builtin:room"),
        key(scene="builtin:object"),
        key(scene="builtin:room", gaussians=2000),
        key(scene="builtin:room", sh_degree=0),
    ]
    assert len({room, *composed, *others}) == 7


def test_key_needs_no_decoding(data, monkeypatch):
    path = str(data / "gs3d/playcanvas/playbot")
    monkeypatch.setattr("archsim.traces.gs3d.formats.sog._image", None)
    keys = [scene_key(workload(scene=path, lod=lod), seed=0) for lod in (None, 0, 1)]
    assert keys[0] == keys[1] != keys[2]


def test_parameters_that_the_scene_does_not_have(tmp_path):
    splat(tmp_path / "a.splat")
    path = str(tmp_path / "a.splat")
    with pytest.raises(ConfigError, match=r"workload\.gaussians: gaussians: 5000 is given"):
        load_scene(workload(scene=path, gaussians=5000), seed=0)
    with pytest.raises(ConfigError, match="no levels of detail"):
        load_scene(workload(scene="builtin:room", lod=1), seed=0)
    with pytest.raises(ConfigError, match="only built-in scenes"):
        load_cameras(workload(scene=path, cameras={"builtin": {}}), BOUNDS)


def test_memory_limit_is_checked_before_anything_is_made(monkeypatch):
    made = workload(scene="builtin:room", gaussians=10**8)
    with pytest.raises(ResourceError, match=r"needs 53\.6 GB, allowed are 1 GB"):
        load_scene(made, seed=0, memory_limit_bytes=10**9)
    monkeypatch.setattr(
        "archsim.traces.gs3d.memory.psutil.virtual_memory",
        lambda: type("Memory", (), {"available": 10**9})(),
    )
    with pytest.raises(ResourceError, match="allowed are 600 MB"):
        load_scene(made, seed=0)


def test_pick_and_builtin_views():
    made = workload(scene="builtin:room", resolution=[100, 50],
                    cameras={"builtin": {"views": 3}, "pick": [2, 0]})  # fmt: skip
    cameras = load_cameras(made, BOUNDS)
    assert [c.name for c in cameras] == ["path-002", "path-000"]
    np.testing.assert_allclose(cameras[1].position, [-0.2, -1.5, -2.2])
    made.cameras.pick = [3]
    with pytest.raises(ConfigError, match=r"\[3\] of 3 cameras(.|\n)*0 to 2"):
        load_cameras(made, BOUNDS)


def test_camera_file_keeps_or_changes_its_resolution(data):
    path = str(data / "gs3d/cameras/tandt_train_10cams.json")
    own = load_cameras(workload(scene="builtin:room", cameras={"file": path, "pick": [9]}), BOUNDS)
    assert [(c.width, c.height) for c in own] == [(1959, 1090)]
    made = workload(scene="builtin:room", cameras={"file": path}, resolution=[77, 33])
    assert {(c.width, c.height) for c in load_cameras(made, BOUNDS)} == {(77, 33)}


def test_every_field_is_described_with_an_example():
    schema = Gs3dWorkload.model_json_schema()
    models = [schema, *schema["$defs"].values()]
    assert len(models) > 5
    for model in models:
        for name, field in model["properties"].items():
            assert "Example: " in field.get("description", ""), (model["title"], name)
