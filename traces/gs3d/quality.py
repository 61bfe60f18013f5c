"""How close two images are: PSNR and SSIM on floats in [0, 1]."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from archsim.base.jit import njit

__all__ = ["compare_images", "error_map", "psnr_db", "ssim"]

Array = npt.NDArray[Any]

# Wang et al. 2004, section III-C: an 11 x 11 Gaussian window of 1.5 pixels, K1 = 0.01, K2 = 0.03.
_WINDOW = 11
_SIGMA = 1.5
_K1, _K2 = 0.01, 0.03


def compare_images(image: Array, reference: Array) -> dict[str, Any]:
    """Return ``exact``, ``psnr_db`` (None when exact) and ``ssim`` of two images as displayed.

    Both are clamped to [0, 1] first, as a display and the published evaluations do: harmonics
    may add up to colours above 1.
    """
    shown, target = np.clip(image, 0.0, 1.0), np.clip(reference, 0.0, 1.0)
    exact = bool(np.array_equal(shown, target))
    return {
        "exact": exact,
        "psnr_db": None if exact else psnr_db(shown, target),
        "ssim": 1.0 if exact else ssim(shown, target),
    }


def error_map(image: Array, reference: Array) -> npt.NDArray[np.float16]:
    """Return where two images as displayed differ: each pixel's root mean square over channels.

    (H, W), 0 to 1; the mean of its squares is what the PSNR is of.
    """
    apart = np.clip(image, 0.0, 1.0).astype(np.float64) - np.clip(reference, 0.0, 1.0)
    error: npt.NDArray[np.float16] = np.sqrt(np.mean(np.square(apart), axis=2)).astype(np.float16)
    return error


def psnr_db(a: Array, b: Array) -> float:
    """Return the peak signal-to-noise ratio in dB, peak 1; ``inf`` for identical images.

    Over all pixels and channels, values as given (:func:`compare_images` clamps).
    """
    if a.shape != b.shape:
        raise ValueError(f"images of different shapes: {a.shape} and {b.shape}")
    difference = a.astype(np.float64) - b.astype(np.float64)
    squared = float(np.mean(np.square(difference)))
    return math.inf if squared == 0.0 else -10.0 * math.log10(squared)


def ssim(a: Array, b: Array) -> float:
    """Return the structural similarity of (H, W) or (H, W, C) images, dynamic range 1.

    Wang, Bovik, Sheikh and Simoncelli 2004: mean of the SSIM map over the positions where the
    window lies inside the image, and over channels. In an image smaller than 11 pixels the
    window is the largest odd one that fits.
    """
    if a.shape != b.shape:
        raise ValueError(f"images of different shapes: {a.shape} and {b.shape}")
    if a.ndim == 2:
        a, b = a[:, :, None], b[:, :, None]
    height, width, channels = a.shape
    window = min(_WINDOW, height - (height + 1) % 2, width - (width + 1) % 2)
    offsets = np.arange(window) - window // 2
    weights = np.exp(-0.5 * (offsets / _SIGMA) ** 2)
    weights /= weights.sum()
    flat = [np.ascontiguousarray(i, np.float32).reshape(height, width * channels) for i in (a, b)]
    return float(_mean_ssim(flat[0], flat[1], channels, weights, _K1**2, _K2**2))


@njit()
def _mean_ssim(a: Array, b: Array, channels: int, weights: Array, c1: float, c2: float) -> float:
    """Average the SSIM map; images are (H, W * channels). The window is separable."""
    window = weights.shape[0]
    height, span = a.shape
    inner = span - (window - 1) * channels
    down = np.empty((5, span))  # weighted sums over the window's rows of a, b, aa, bb, ab
    sums = np.empty((5, inner))
    total = 0.0
    for y in range(height - window + 1):
        down[:] = 0.0
        for k in range(window):
            row_a, row_b, weight = a[y + k], b[y + k], weights[k]
            for x in range(span):
                va, vb = np.float64(row_a[x]), np.float64(row_b[x])
                down[0, x] += weight * va
                down[1, x] += weight * vb
                down[2, x] += weight * va * va
                down[3, x] += weight * vb * vb
                down[4, x] += weight * va * vb
        sums[:] = 0.0
        for k in range(window):
            weight, shift = weights[k], k * channels
            for s in range(5):
                for x in range(inner):
                    sums[s, x] += weight * down[s, x + shift]
        for x in range(inner):
            mean_a, mean_b = sums[0, x], sums[1, x]
            var_a, var_b = sums[2, x] - mean_a * mean_a, sums[3, x] - mean_b * mean_b
            cov = sums[4, x] - mean_a * mean_b
            luminance = (2.0 * mean_a * mean_b + c1) / (mean_a * mean_a + mean_b * mean_b + c1)
            total += luminance * (2.0 * cov + c2) / (var_a + var_b + c2)
    mean: float = total / ((height - window + 1) * inner)
    return mean
