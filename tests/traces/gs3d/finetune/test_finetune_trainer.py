"""Training: it helps, it is the same on any number of threads, interrupted or not."""

from dataclasses import replace

import numba
import numpy as np
import pytest

from archsim.base.errors import ConfigError, InputError
from archsim.traces.gs3d.builtin import builtin_scene
from archsim.traces.gs3d.finetune.judge import judge, mean_quality
from archsim.traces.gs3d.finetune.load import load_tuned
from archsim.traces.gs3d.finetune.settings import Settings
from archsim.traces.gs3d.finetune.trainer import Trainer
from archsim.traces.gs3d.finetune.views import file_split, make_views, orbit_split
from archsim.traces.gs3d.formats import load_scene_file
from archsim.traces.gs3d.formats.write_ply import write_inria_ply
from archsim.traces.gs3d.images import write_png
from archsim.traces.gs3d.streaminggs.codebooks import CodebookSizes, train_codebooks
from archsim.traces.gs3d.streaminggs.parameters import StreamingGsParameters
from archsim.traces.gs3d.streaminggs.quantise import quantise

STREAMING = StreamingGsParameters(
    voxel_size="extent/8", group=(32, 32), order="l2", codebooks=CodebookSizes(256, 256, 256, 64)
)
SETTINGS = Settings(steps=24, reassign_every=5, learning_rate=1.0, streaming=STREAMING)
NAMES = ("means", "scales", "quats", "opacities", "sh")


@pytest.fixture(scope="module")
def scene():
    return builtin_scene("object").make(3000, 1, 0)


@pytest.fixture(scope="module")
def split(scene):
    return orbit_split(scene, 4, (96, 96))


@pytest.fixture(scope="module")
def views(scene, split):
    return make_views(scene, split.training, None)


@pytest.fixture(scope="module")
def trained(scene, views):
    trainer = Trainer(scene, views, SETTINGS)
    for _ in range(SETTINGS.steps):
        trainer.train_step()
    return trainer


def same(one, other):
    return all(np.array_equal(getattr(one, n), getattr(other, n)) for n in NAMES)


def test_held_out_views_gain_and_centres_stay(scene, split, trained):
    tuned = trained.scene()
    held_out = make_views(scene, split.held_out, None)
    mean = mean_quality(judge(scene, tuned, held_out, STREAMING, against_images=False))
    assert mean["after"]["psnr_db"] > mean["before"]["psnr_db"] + 0.5  # 0.8 when written
    assert mean["after"]["parameters_psnr_db"] > mean["before"]["parameters_psnr_db"] + 0.5
    assert np.array_equal(tuned.means, scene.means)
    first, last = trained.losses[:4], trained.losses[-4:]
    assert sum(s.image for s in last) < sum(s.image for s in first)


def test_a_tuned_scene_is_made_of_its_codebooks_and_survives_its_file(trained, scene, tmp_path):
    """k-means keeps what has no more different values than entries: a run loses nothing."""
    tuned = trained.scene()
    write_inria_ply(tuned, tmp_path / "scene.ply")
    read = load_tuned(tmp_path / "scene.ply", scene)
    for name in NAMES:
        np.testing.assert_allclose(getattr(read, name), getattr(tuned, name), rtol=2e-6, atol=1e-6)
    quantised = quantise(read, codebooks_of(read))
    assert quantised.exact
    np.testing.assert_allclose(quantised.decoded().opacities, tuned.opacities, atol=1e-6)
    assert not quantise(scene, codebooks_of(scene)).exact


def codebooks_of(scene):
    return train_codebooks(scene, sizes=STREAMING.codebooks)


def test_threads_do_not_matter_and_a_checkpoint_goes_on_as_if_nothing_happened(
    scene, views, trained, tmp_path
):
    before = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        first = Trainer(scene, views, SETTINGS)
        for _ in range(11):
            first.train_step()
        first.save(tmp_path / "checkpoint.npz", {"of": {"this": 1}})
        numba.set_num_threads(numba.config.NUMBA_NUM_THREADS)
        second = Trainer(scene, views, SETTINGS)
        second.restore(tmp_path / "checkpoint.npz", {"of": {"this": 1}})
        for _ in range(SETTINGS.steps - 11):
            second.train_step()
    finally:
        numba.set_num_threads(before)
    assert same(second.scene(), trained.scene())
    assert second.losses == trained.losses


def test_a_checkpoint_of_something_else_says_what_differs(trained, tmp_path):
    path = tmp_path / "checkpoint.npz"
    trained.save(path, {"settings": {"beta": 0.05}, "scene": "a"})
    with pytest.raises(ConfigError, match=r"settings\.beta was 0\.05, now 0\.1") as caught:
        trained.restore(path, {"settings": {"beta": 0.1}, "scene": "a"})
    assert "scene" not in caught.value.message.split(":", 1)[1]
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match="not a readable checkpoint"):
        trained.restore(path, {})


def test_the_given_scene_is_left_as_it_is():
    """At degree 0 the colours are one contiguous array, which a view would have trained."""
    scene = builtin_scene("object").make(1000, 0, 0)
    before = {name: getattr(scene, name).copy() for name in NAMES}
    views = make_views(scene, orbit_split(scene, 2, (48, 48)).training, None)
    for quantise_it in (False, True):
        Trainer(scene, views, replace(SETTINGS, quantise=quantise_it)).train_step()
    assert all(np.array_equal(getattr(scene, name), before[name]) for name in NAMES)


def test_without_codebooks_each_gaussian_has_its_own_parameters(scene, views):
    settings = replace(SETTINGS, quantise=False, steps=2, beta=0.0, render="exact")
    trainer = Trainer(scene, views, settings)
    assert len(np.unique(trainer.scene().scales, axis=0)) > 2900
    assert trainer.train_step().image < 1e-4  # exact order, nothing quantised: the target itself


def test_the_loss_by_pixel_brings_what_is_blended_out_of_order_down(scene, views):
    def ending(beta):
        settings = replace(
            SETTINGS, steps=14, quantise=False, boundary="pixel", beta=beta, learning_rate=3.0
        )
        trainer = Trainer(scene, views[:2], settings)
        losses = [trainer.train_step() for _ in range(settings.steps)]
        assert losses[0].loss == losses[0].image + beta * losses[0].boundary
        return losses[0].boundary, sum(loss.boundary for loss in losses[-2:])

    (first, weak), (same_first, strong) = ending(1e-9), ending(2.0)
    assert first == same_first > 0.0
    assert strong < 0.9 * weak


def test_a_scene_tuned_from_another_is_refused(scene, tmp_path):
    path = tmp_path / "scene.ply"
    other = replace(scene, means=scene.means + np.float32(1e-3))
    write_inria_ply(other, path)
    with pytest.raises(ConfigError, match="3,000 of 3,000 centres"):
        load_tuned(path, scene)
    fewer = replace(scene, **{name: getattr(scene, name)[:10] for name in NAMES})
    write_inria_ply(fewer, path)
    with pytest.raises(ConfigError, match="has 10 Gaussians and scene object has 3,000"):
        load_tuned(path, scene)
    write_inria_ply(replace(scene, sh=scene.sh[:, :1].copy()), path)
    with pytest.raises(ConfigError, match="degree 0 and scene object of degree 1"):
        load_tuned(path, scene)


def test_settings_that_cannot_train_are_named():
    for changes, words in (
        ({"steps": 0}, "0 steps cannot train"),
        ({"beta": -1.0}, "beta -1 cannot train"),
        ({"beta": float("nan")}, "beta nan"),
        ({"dssim_weight": 1.5}, "D-SSIM weight of 1.5"),
    ):
        with pytest.raises(ConfigError, match=words):
            replace(SETTINGS, **changes).check()


def test_held_out_views_are_never_trained_on(scene, tmp_path):
    split = orbit_split(scene, 16, (32, 32))
    names = {c.name for c in split.training}
    assert len(names) == 16
    assert len(split.held_out) == 4
    assert not names & {c.name for c in split.held_out}
    pose = '"position": [0, 0, -4], "rotation": [[1,0,0],[0,1,0],[0,0,1]]'
    item = f'"width": 32, "height": 24, "fx": 30, "fy": 30, {pose}'
    cameras = [f'{{"img_name": "v{i}", {item}}}' for i in range(10)]
    (tmp_path / "cameras.json").write_text(f"[{','.join(cameras)}]")
    split = file_split(tmp_path / "cameras.json", None)
    assert [c.name for c in split.held_out] == ["v0", "v8"]
    assert len(split.training) == 8
    (tmp_path / "cameras.json").write_text(f"[{cameras[0]}]")
    with pytest.raises(InputError, match="1 camera"):
        file_split(tmp_path / "cameras.json", None)


def test_images_are_found_by_name_laid_over_black_and_missed_by_name(scene, split, tmp_path):
    camera = split.training[0]
    shown = np.full((192, 192, 3), 0.5)
    write_png(shown, tmp_path / f"{camera.name}.png")
    (view,) = make_views(scene, [camera], tmp_path)
    assert view.target.shape == (96, 96, 3)
    assert np.allclose(view.target, 128 / 255, atol=1e-6)
    with pytest.raises(InputError, match=f"no image of camera {split.training[1].name}"):
        make_views(scene, split.training[:2], tmp_path)
    (tmp_path / f"{split.training[1].name}.png").write_bytes(b"no image")
    with pytest.raises(InputError, match="not a readable image"):
        make_views(scene, split.training[:2], tmp_path)


def test_a_written_ply_is_read_back(scene, tmp_path):
    write_inria_ply(scene, tmp_path / "a.ply")
    read = load_scene_file(tmp_path / "a.ply")
    assert read.sh_degree == 1
    assert np.array_equal(read.means, scene.means)
    assert np.array_equal(read.sh, scene.sh)
