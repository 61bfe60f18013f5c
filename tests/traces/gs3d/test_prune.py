"""Pruning: contributions against an independent renderer, choices, judgement, workload, cache."""

from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from archsim.traces.cache import TraceCache
from archsim.traces.gs3d import workload as workload_module
from archsim.traces.gs3d.prune import (
    Contributions,
    Prune,
    choose,
    prune_scene,
    record_contributions,
)
from archsim.traces.gs3d.statistics import scene_warnings
from archsim.traces.gs3d.workload import Gs3dWorkload, load_scene, scene_key


def test_contributions_equal_those_of_an_independent_renderer(make_scene, make_camera, oracle):
    scene, camera = make_scene(80, seed=4, log_scale=-1.8), make_camera(40, 36)
    weight, transmittance = np.zeros(80), np.zeros(80)
    projected = sorted(oracle.project(scene, camera, "inria"), key=lambda g: g.depth)
    for top in range(0, 36, 16):
        for start in range(0, 40, 16):
            ys, xs = np.mgrid[top : min(top + 16, 36), start : min(start + 16, 40)]
            left, ended = np.ones(xs.shape), np.zeros(xs.shape, bool)
            for g in projected:
                low, high = g.low * 16, g.high * 16
                if not ((low <= [start, top]).all() and (high > [start, top]).all()):
                    continue
                away = g.mean2d - np.stack([xs, ys], axis=-1)
                power = -0.5 * np.einsum("yxi,ij,yxj->yx", away, g.conic, away)
                alpha = np.minimum(0.99, g.opacity * np.exp(power))
                hit = ~ended & (power <= 0) & (alpha >= 1 / 255)
                ended |= hit & (left * (1 - alpha) < 1e-4)
                hit &= ~ended
                weight[g.index] += (left * alpha)[hit].sum()
                transmittance[g.index] += left[hit].sum()
                left = np.where(hit, left * (1 - alpha), left)
    found = record_contributions(scene, camera)
    assert found.weight == pytest.approx(weight, rel=1e-4, abs=1e-4)
    assert found.transmittance == pytest.approx(transmittance, rel=1e-4, abs=1e-4)
    assert weight.sum() > 100


def test_sampling_follows_the_weights(make_scene):
    scene = make_scene(2000, seed=1)
    weight = np.concatenate([np.zeros(200), np.full(900, 1.0), np.full(900, 9.0)])
    contributions = Contributions(weight, weight)
    prune = Prune(kind="mini-splatting", keep=0.1)
    kept = choose(scene, prune, contributions, seed=0)
    assert len(kept) == 200 == len(set(kept.tolist()))
    assert (kept >= 200).all()  # what adds nothing is not drawn
    assert np.mean(kept >= 1100) == pytest.approx(0.9, abs=0.06)
    assert (kept == choose(scene, prune, contributions, seed=0)).all()
    assert (kept != choose(scene, prune, contributions, seed=1)).any()


def test_significance_by_hand(make_scene):
    scene = make_scene(4, seed=1)
    scales = np.float32([[1, 1, 1], [1, 1, 1], [0.1, 0.1, 0.1], [2, 2, 2]])
    scene = replace(scene, scales=scales, opacities=np.float32([0.5, 1.0, 1.0, 1.0]))
    contributions = Contributions(np.ones(4), np.array([10.0, 4.0, 9.0, 0.1]))
    # the volumes' 90th percentile is 5.9: 0.5 x 10 x (1 / 5.9)^0.1 = 4.19,
    # 4 x (1 / 5.9)^0.1 = 3.35, 9 x (0.001 / 5.9)^0.1 = 3.78, 0.1
    for keep, kept in ((0.25, [0]), (0.5, [0, 2]), (0.75, [0, 1, 2])):
        prune = Prune(kind="lightgaussian", keep=keep)
        assert choose(scene, prune, contributions, seed=0).tolist() == kept


@pytest.mark.parametrize("kind", ["mini-splatting", "lightgaussian"])
def test_what_stays_renders_better_than_what_goes(make_scene, make_camera, kind):
    scene = make_scene(600, seed=2, log_scale=-2)
    cameras = [make_camera(48, 48, angle=a, name=str(a)) for a in np.linspace(0, 6, 10)]
    told = []
    pruned = prune_scene(
        scene, Prune(kind=kind, keep=0.5), cameras, 0, lambda *step: told.append(step)
    )
    assert told[-1] == (10, 10)
    assert pruned.judged_on == 2
    smaller = pruned.of(scene, Prune(kind=kind, keep=0.5))
    assert len(smaller) == 300
    assert (smaller.means == scene.means[pruned.kept]).all()
    random_choice = np.sort(np.random.default_rng(0).choice(600, 300, replace=False))
    monkey = replace(pruned, kept=random_choice).of(scene, Prune(kind=kind, keep=0.5))
    worse = prune_judgement(scene, monkey, cameras)
    assert pruned.psnr_db == pytest.approx(prune_judgement(scene, smaller, cameras))
    assert pruned.psnr_db > worse + 1
    (warning,) = scene_warnings(smaller)
    assert f"300 of 600 Gaussians, chosen by {kind} without retraining" in warning
    assert f"{pruned.psnr_db:.2f} dB against the unpruned scene on 2 views" in warning


def prune_judgement(scene, smaller, cameras):
    from archsim.traces.gs3d.quality import psnr_db
    from archsim.traces.gs3d.reference import render_reference

    return np.mean(
        [
            psnr_db(*(np.clip(render_reference(s, c).image, 0, 1) for s in (smaller, scene)))
            for c in (cameras[4], cameras[9])
        ]
    )


def test_a_workload_is_pruned_once_and_kept(tmp_path, monkeypatch):
    asked = {"kind": "mini-splatting", "keep": 0.25, "views": 4, "resolution": [32, 32]}
    plain = Gs3dWorkload(scene="builtin:object", gaussians=2000)
    workload = Gs3dWorkload(scene="builtin:object", gaussians=2000, prune=asked)
    assert scene_key(workload, 0) != scene_key(plain, 0)
    assert scene_key(workload, 0)["of"] == scene_key(plain, 0)
    cache = TraceCache(tmp_path, 10**9)
    scene = load_scene(workload, seed=0, cache=cache)
    assert len(scene) == 500
    assert scene.source["pruned_from_gaussians"] == 2000
    assert scene.source["pruned_psnr_db"] > 10
    assert "ECCV 2024" in scene.source["pruned_citation"]
    monkeypatch.setattr(workload_module, "prune_scene", None)
    again = load_scene(workload, seed=0, cache=cache)
    assert again.source == scene.source
    assert (again.means == scene.means).all()


@pytest.mark.parametrize("wrong", [{"keep": 1.0}, {"keep": 0}, {"kind": "random", "keep": 0.5}])
def test_wrong_prunings_are_refused(wrong):
    with pytest.raises(ValidationError):
        Gs3dWorkload(scene="builtin:object", prune={"kind": "lightgaussian", **wrong})
