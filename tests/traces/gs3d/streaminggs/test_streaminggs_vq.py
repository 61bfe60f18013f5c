"""Codebooks and quantised scenes: equal covariances, sizes, exactness where it is due, errors."""

from dataclasses import replace

import numpy as np
import pytest

from archsim.base.errors import ConfigError
from archsim.traces.cache import TraceCache
from archsim.traces.gs3d.formats import load_scene_file
from archsim.traces.gs3d.quality import psnr_db
from archsim.traces.gs3d.reference import render_reference
from archsim.traces.gs3d.streaminggs import codebooks as codebooks_module
from archsim.traces.gs3d.streaminggs.codebooks import (
    CodebookSizes,
    nearest,
    scene_codebooks,
    train_codebooks,
)
from archsim.traces.gs3d.streaminggs.gauge import canonical, canonical_gauge
from archsim.traces.gs3d.streaminggs.quantise import quantise

SMALL = CodebookSizes(48, 64, 40, 32)


@pytest.fixture(scope="module")
def scene(make_scene):
    return make_scene(1500, degree=2, seed=5)


def covariances(oracle, scales, quats):
    axes = [oracle.rotation(q.astype(float)) * s for q, s in zip(quats, scales)]
    return np.array([a @ a.T for a in axes])


def test_the_gauge_changes_no_covariance(scene, oracle):
    gauge, scales, quats = canonical_gauge(scene.scales, scene.quats)
    assert set(gauge.order.tolist()) == set(range(6))
    assert set(gauge.half_turn.tolist()) == set(range(4))
    before = covariances(oracle, scene.scales, scene.quats)
    scale = np.abs(before).max(axis=(1, 2), keepdims=True)
    for equal in (
        covariances(oracle, scales, quats),
        covariances(oracle, gauge.scales_back(scales), gauge.quats_back(quats)),
    ):
        assert np.abs(equal - before).max() <= 2e-6 * scale.max()
        assert (np.abs(equal - before) <= 2e-6 * scale).all()
    assert (np.diff(scales, axis=1) <= 0).all()
    assert (quats[:, :1] >= np.abs(quats)).all()
    # and back, parameter by parameter
    assert (gauge.scales_back(scales) == scene.scales).all()
    assert np.abs(gauge.quats_back(quats) - scene.quats).max() < 3e-7


def test_equal_gaussians_have_one_representative(scene):
    # the same Gaussians with their axes renamed x -> y -> z -> x: times (1 + i + j + k) / 2
    w, x, y, z = scene.quats.astype(np.float64).T
    renamed = np.stack([w - x - y - z, w + x + y - z, w - x + y + z, w + x - y + z], axis=1) / 2
    other = canonical_gauge(scene.scales[:, [1, 2, 0]], -renamed.astype(np.float32))
    same = canonical_gauge(scene.scales, scene.quats)
    assert (other[1] == same[1]).all()
    assert np.abs(other[2] - same[2]).max() < 3e-7


def test_published_sizes_are_250_kib_at_degree_3(make_scene):
    books = train_codebooks(make_scene(50, degree=3))
    assert books.codebook_bytes() == 256_000 == 250 * 1024
    assert quantise(make_scene(50, degree=3), books).codebook_bytes == 256_000
    lower = train_codebooks(make_scene(50, degree=0))
    assert lower.codebook_bytes() == 4 * 4096 * 10
    assert lower.codebook_bytes(3) == 256_000


@pytest.mark.parametrize(("degree", "bits", "size"), [(0, 44, 6), (1, 53, 7), (3, 53, 7)])
def test_a_record_has_an_index_per_codebook_and_the_opacity(make_scene, degree, bits, size):
    quantised = quantise(make_scene(50, degree=degree))
    assert quantised.record_bits == bits == sum(quantised.index_bits.values())
    assert quantised.record_bytes == size
    assert quantised.index_bits["scale"] == 12
    assert quantised.index_bits["opacity"] == 8


def test_few_different_values_are_kept_exactly(scene):
    books = train_codebooks(scene)  # 1500 Gaussians, 4096 entries
    decoded = quantise(scene, books).decoded(canonical=True)
    same = canonical(scene)
    assert np.abs(decoded.scales / same.scales - 1).max() < 1e-6  # logarithm and back
    assert np.abs(decoded.quats - same.quats).max() < 3e-7
    assert (decoded.sh[:, 0] == scene.sh[:, 0]).all()
    assert (decoded.means == scene.means).all()
    assert np.abs(decoded.opacities - scene.opacities).max() <= 0.5 / 255 + 1e-7


def test_quantising_again_loses_nothing(scene):
    once = quantise(scene, train_codebooks(scene, sizes=SMALL)).decoded(canonical=True)
    again = quantise(once, train_codebooks(once, sizes=SMALL))
    twice = again.decoded(canonical=True)
    assert [len(getattr(again.codebooks, part)) for part in SMALL._fields] <= list(SMALL)
    assert np.abs(twice.scales / once.scales - 1).max() < 1e-6
    assert np.abs(twice.quats - once.quats).max() < 3e-7
    assert (twice.sh == once.sh).all()
    assert (twice.opacities == once.opacities).all()


def test_each_parameter_stays_near_its_original(scene):
    quantised = quantise(scene, train_codebooks(scene, sizes=SMALL))
    decoded = quantised.decoded()
    # in the scene's own gauge: no axis renamed, no sign turned
    assert np.mean(np.sum(decoded.quats * scene.quats, axis=1)) > 0.9
    assert np.sum(decoded.quats * scene.quats, axis=1).min() > 0
    apart = np.log(decoded.scales) - np.log(scene.scales)
    assert np.std(apart) < 0.5 * np.std(np.log(scene.scales))
    assert np.allclose(np.linalg.norm(decoded.quats, axis=1), 1, atol=1e-6)


def test_both_decoded_forms_render_alike(scene, make_camera):
    quantised = quantise(scene, train_codebooks(scene, sizes=SMALL))
    images = [
        render_reference(quantised.decoded(canonical=form), make_camera(64, 48)).image
        for form in (False, True)
    ]
    assert np.abs(images[0] - images[1]).max() < 1e-4


def test_training_is_deterministic_and_better_than_its_start(scene):
    first, second = (train_codebooks(scene, sizes=SMALL, seed=3) for _ in range(2))
    other = train_codebooks(scene, sizes=SMALL, seed=4)
    for part in SMALL._fields:
        assert getattr(first, part).tobytes() == getattr(second, part).tobytes()
        assert getattr(first, part).tobytes() != getattr(other, part).tobytes()

    def error(entries):
        apart = scene.sh[:, 0] - entries[nearest(scene.sh[:, 0], entries)]
        return np.square(apart).sum(axis=1).mean()

    some = scene.sh[:: len(scene) // SMALL.dc, 0][: SMALL.dc]
    assert error(first.dc) < 0.75 * error(some)


def test_nearest_is_the_nearest(scene):
    points, entries = scene.sh[:, 0], scene.sh[:300, 1]
    apart = np.square(points[:, None].astype(float) - entries[None]).sum(axis=2)
    found = apart[np.arange(len(points)), nearest(points, entries)]
    assert (found <= apart.min(axis=1) + 1e-6).all()


def test_progress_reaches_its_end(scene):
    told = []
    train_codebooks(scene, sizes=SMALL, progress=lambda done, total: told.append((done, total)))
    assert told == sorted(told)
    assert told[-1][0] == told[-1][1]
    assert len(told) > 20


def test_codebooks_are_kept_by_content(scene, tmp_path, monkeypatch):
    monkeypatch.setattr(codebooks_module, "_MEMORY", {})
    cache = TraceCache(tmp_path, 10**9)
    first = scene_codebooks(scene, sizes=SMALL, cache=cache)
    monkeypatch.setattr(codebooks_module, "_MEMORY", {})  # as in another process
    monkeypatch.setattr(codebooks_module, "train_codebooks", None)
    again = scene_codebooks(replace(scene, name="other"), sizes=SMALL, cache=cache)
    assert again.sizes == first.sizes == SMALL
    for part in SMALL._fields:
        assert (getattr(again, part) == getattr(first, part)).all()
    with pytest.raises(TypeError):  # other content is trained anew
        scene_codebooks(replace(scene, sh=scene.sh + 1), sizes=SMALL, cache=cache)


def test_a_palette_is_the_codebook_of_harmonics(scene):
    palette = np.random.default_rng(0).normal(size=(70, 8, 3)).astype(np.float32)
    labels = np.random.default_rng(1).integers(0, 70, len(scene))
    sh = np.concatenate([scene.sh[:, :1], palette[labels]], axis=1)
    with_palette = replace(scene, sh=np.ascontiguousarray(sh))
    quantised = quantise(with_palette, train_codebooks(with_palette, kind="palette", sizes=SMALL))
    assert (quantised.decoded().sh[:, 1:] == with_palette.sh[:, 1:]).all()
    assert quantised.index_bits["sh"] == 7
    assert len(quantised.codebooks.sh) == quantised.codebooks.sizes.sh == 70


def test_harmonics_that_are_no_palette_s_are_refused(make_scene, monkeypatch):
    monkeypatch.setattr(codebooks_module, "_MOST_PALETTE", 100)
    with pytest.raises(ConfigError, match=r"150 different values; a SOG palette has at most 100"):
        train_codebooks(make_scene(150, degree=1), kind="palette", sizes=CodebookSizes(9, 9, 9, 9))


def test_impossible_requests_are_refused(scene, make_scene):
    with pytest.raises(ConfigError, match=r"codebook of 0 entries for rotation\n.*1 to 65536"):
        train_codebooks(scene, sizes=CodebookSizes(rotation=0))
    books = train_codebooks(make_scene(20, degree=1))
    with pytest.raises(ConfigError, match="SH degree 1 for scene random of degree 2"):
        quantise(scene, books)


def test_larger_codebooks_lose_less(scene, make_camera):
    camera = make_camera(80, 60)
    target = render_reference(scene, camera).image
    psnr = [
        psnr_db(
            render_reference(
                quantise(scene, train_codebooks(scene, sizes=sizes)).decoded(), camera
            ).image,
            target,
        )
        for sizes in (CodebookSizes(8, 8, 8, 8), SMALL, CodebookSizes(512, 512, 512, 512))
    ]
    assert psnr == sorted(psnr)
    assert psnr[2] > psnr[0] + 3


def test_a_sog_scene_s_palette(data):
    scene = load_scene_file(data / "gs3d" / "playcanvas" / "playbot", 3)
    books = train_codebooks(scene, kind="palette", sizes=CodebookSizes(16, 16, 16, 16))
    decoded = quantise(scene, books).decoded()
    assert (decoded.sh[:, 1:] == scene.sh[:, 1:]).all()
    assert len(books.sh) <= 65_536
