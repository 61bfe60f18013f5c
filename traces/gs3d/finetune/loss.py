"""The image loss of 3DGS and its gradient: L1 and D-SSIM of the displayed images.

    L_orig = (1 - w) mean |x - y| + w (1 - SSIM(x, y)) / 2 ... see :func:`image_loss`

Kerbl et al. 2023, equation 7, has (1 - lambda) L1 + lambda L_D-SSIM with lambda = 0.2; their code
takes 1 - SSIM for D-SSIM, over an 11 x 11 Gaussian window of 1.5 pixels with zeros around the
image, and so does this.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from archsim.base.jit import njit, prange

__all__ = ["image_loss"]

Array = npt.NDArray[Any]

_WINDOW = 11
_SIGMA = 1.5
_C1, _C2 = 0.01**2, 0.03**2


def image_loss(image: Array, target: Array, dssim_weight: float) -> tuple[float, Array]:
    """Return (1 - w) L1 + w (1 - SSIM) and its gradient by the image, (H, W, 3) float64.

    Both images are clamped to [0, 1] first, as they are shown and judged; the clamp passes
    gradients on, so that a colour outside is pulled back.
    """
    shown = np.clip(image, 0.0, 1.0).astype(np.float64)
    wanted = np.clip(target, 0.0, 1.0).astype(np.float64)
    apart = shown - wanted
    weight = (1.0 - dssim_weight) / apart.size
    loss, gradient = weight * float(np.abs(apart).sum()), weight * np.sign(apart)
    if dssim_weight > 0.0:
        similarity, by_image = _ssim(shown, wanted)
        loss += dssim_weight * (1.0 - similarity)
        gradient -= dssim_weight * by_image
    return loss, gradient


def _ssim(x: Array, y: Array) -> tuple[float, Array]:
    """Return the mean SSIM and its gradient by ``x``."""
    offsets = np.arange(_WINDOW) - _WINDOW // 2
    window = np.exp(-0.5 * (offsets / _SIGMA) ** 2)
    window /= window.sum()
    height, width, channels = x.shape
    planes = np.empty((5, channels, height, width))
    for c in range(channels):
        a, b = x[:, :, c], y[:, :, c]
        for k, plane in enumerate((a, b, a * a, b * b, a * b)):
            planes[k, c] = plane
    means = _blur(planes.reshape(-1, height, width), window).reshape(planes.shape)
    values = np.empty((channels, height))
    parts = np.empty((3, channels, height, width))
    _ssim_parts(means, _C1, _C2, values, parts)
    blurred = _blur(parts.reshape(-1, height, width), window).reshape(parts.shape)
    by_x = blurred[0] + 2.0 * planes[0] * blurred[1] + planes[1] * blurred[2]
    return float(values.sum()) / x.size, by_x.transpose(1, 2, 0) / x.size


def _blur(planes: Array, window: Array) -> Array:
    """Return (K, H, W) planes under a separable window, zeros around them."""
    blurred = np.empty_like(planes)
    _blur_planes(planes, window, blurred)
    return blurred


@njit(parallel=True)
def _blur_planes(planes: Array, window: Array, blurred: Array) -> None:
    count, height, width = planes.shape
    half = window.size // 2
    for job in prange(count * height):
        plane, y = planes[job // height], job % height
        row = np.zeros(width + 2 * half)
        for k in range(window.size):
            source = y + k - half
            if 0 <= source < height:
                weight = window[k]
                for x in range(width):
                    row[x + half] += weight * plane[source, x]
        out = blurred[job // height, y]
        for x in range(width):
            total = 0.0
            for k in range(window.size):
                total += window[k] * row[x + k]
            out[x] = total


@njit(parallel=True)
def _ssim_parts(means: Array, c1: float, c2: float, values: Array, parts: Array) -> None:
    """Set SSIM's sums by row, and its gradient by the window's means of x, x x and x y."""
    channels, height, width = means.shape[1:]
    for job in prange(channels * height):
        c, y = job // height, job % height
        total = 0.0
        for x in range(width):
            mean_x, mean_y = means[0, c, y, x], means[1, c, y, x]
            above1 = 2.0 * mean_x * mean_y + c1
            above2 = 2.0 * (means[4, c, y, x] - mean_x * mean_y) + c2
            below1 = mean_x * mean_x + mean_y * mean_y + c1
            below2 = means[2, c, y, x] - mean_x * mean_x + means[3, c, y, x] - mean_y * mean_y + c2
            value = above1 * above2 / (below1 * below2)
            total += value
            by_square = -value / below2
            by_product = 2.0 * above1 / (below1 * below2)
            parts[1, c, y, x], parts[2, c, y, x] = by_square, by_product
            parts[0, c, y, x] = (
                2.0 * mean_y * above2 / (below1 * below2)
                - 2.0 * mean_x * value / below1
                - 2.0 * mean_x * by_square
                - mean_y * by_product
            )
        values[c, y] = total
