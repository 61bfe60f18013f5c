"""PSNR and SSIM: closed forms, and SSIM against its definition written out."""

import math

import numpy as np
import pytest

from archsim.traces.gs3d.quality import compare_images, psnr_db, ssim


def noisy(shape, seed=0, sigma=0.1):
    random = np.random.default_rng(seed)
    image = random.uniform(size=shape)
    return image, np.clip(image + random.normal(0, sigma, shape), 0, 1)


def ssim_written_out(a, b):
    """Wang et al. 2004, equation 13, window by window."""
    offsets = np.arange(11) - 5
    window = np.exp(-(offsets[:, None] ** 2 + offsets[None, :] ** 2) / (2 * 1.5**2))
    window /= window.sum()
    values = []
    for channel in range(a.shape[2]):
        for y in range(a.shape[0] - 10):
            for x in range(a.shape[1] - 10):
                p, q = (i[y : y + 11, x : x + 11, channel] for i in (a, b))
                mp, mq = (window * p).sum(), (window * q).sum()
                vp, vq = (window * (p - mp) ** 2).sum(), (window * (q - mq) ** 2).sum()
                cov = (window * (p - mp) * (q - mq)).sum()
                top = (2 * mp * mq + 0.01**2) * (2 * cov + 0.03**2)
                values.append(top / ((mp**2 + mq**2 + 0.01**2) * (vp + vq + 0.03**2)))
    return np.mean(values)


def test_psnr_of_a_constant_difference():
    black = np.zeros((4, 5, 3))
    assert psnr_db(black, black + 0.1) == pytest.approx(20.0)
    assert psnr_db(black, black + 1.0) == pytest.approx(0.0)
    one_pixel = black.copy()
    one_pixel[0, 0, 0] = 0.5
    assert psnr_db(black, one_pixel) == pytest.approx(-10 * math.log10(0.25 / 60))


def test_identical_images():
    image, _ = noisy((20, 30, 3))
    assert psnr_db(image, image.copy()) == math.inf
    assert ssim(image, image.copy()) == pytest.approx(1.0, abs=1e-12)
    assert psnr_db(np.float32([0.1]), np.nextafter(np.float32([0.1]), np.float32(1))) < math.inf


def test_images_are_compared_as_displayed():
    image, other = noisy((20, 30, 3))
    over, under = image + 0.0, image + 0.0
    over[0, 0], under[0, 0] = 1.7, 1.0
    assert compare_images(over, under) == {"exact": True, "psnr_db": None, "ssim": 1.0}
    measured = compare_images(image, other)
    assert measured["psnr_db"] == pytest.approx(psnr_db(image.clip(0, 1), other.clip(0, 1)))
    assert not measured["exact"]


def test_ssim_of_constant_images_is_the_luminance_term():
    a, b = np.full((16, 16, 3), 0.25), np.full((16, 16, 3), 0.75)
    expected = (2 * 0.25 * 0.75 + 1e-4) / (0.25**2 + 0.75**2 + 1e-4)
    assert ssim(a, b) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("shape", [(11, 11, 1), (14, 23, 3), (30, 12, 3)])
def test_ssim_is_its_definition(shape):
    a, b = noisy(shape)
    assert ssim(a, b) == pytest.approx(ssim_written_out(a, b), abs=1e-6)
    assert ssim(a, b) == pytest.approx(ssim(b, a), abs=1e-12)
    assert 0 < ssim(a, b) < 1


def test_more_noise_is_worse():
    scores = [(ssim(*noisy((40, 40, 3), sigma=s)), psnr_db(*noisy((40, 40, 3), sigma=s)))
              for s in (0.02, 0.1, 0.4)]  # fmt: skip
    assert scores == sorted(scores, reverse=True)


def test_grey_and_small_images():
    a, b = noisy((20, 20, 1))
    assert ssim(a[:, :, 0], b[:, :, 0]) == ssim(a, b)
    tiny_a, tiny_b = noisy((6, 40, 3))
    assert 0 < ssim(tiny_a, tiny_b) < 1
    pixel = np.full((1, 1, 3), 0.5)
    assert ssim(pixel, pixel) == 1.0


@pytest.mark.parametrize("measure", [psnr_db, ssim])
def test_shapes_must_agree(measure):
    with pytest.raises(ValueError, match=r"\(4, 4, 3\) and \(4, 5, 3\)"):
        measure(np.zeros((4, 4, 3)), np.zeros((4, 5, 3)))
