"""Pictures of where an image is wrong: one colour scale for all, so that they compare."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from plotly.colors import sequential, unlabel_rgb

__all__ = ["LEAST_ERROR", "MOST_ERROR", "SCALE_TICKS", "heat_map", "scale_colours"]

#: Ends of the scale: a pixel's root mean square error over channels, of 1. Colours are even in its
#: logarithm; less is black and more is the last colour.
LEAST_ERROR, MOST_ERROR = 1e-3, 0.32

#: Marks on the scale: (share of its length, error in 255ths, the PSNR of a pixel so wrong).
SCALE_TICKS = [
    (math.log(error / LEAST_ERROR) / math.log(MOST_ERROR / LEAST_ERROR), 255 * error, db)
    for db in (60, 50, 40, 30, 20, 10)
    for error in [10 ** (-db / 20)]
]


def scale_colours() -> list[tuple[int, int, int]]:
    """Return the scale's colours from least to most, evenly spaced: black to light yellow."""
    return [(0, 0, 0), *(_rgb(colour) for colour in sequential.Inferno)]


def heat_map(error: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Return a picture, (H, W, 3), of errors per pixel, (H, W), from 0 to 1."""
    table = np.array(scale_colours(), np.float64)
    share = np.log(np.maximum(error.astype(np.float64), LEAST_ERROR) / LEAST_ERROR)
    place = np.minimum(share / math.log(MOST_ERROR / LEAST_ERROR), 1.0) * (len(table) - 1)
    marks = np.arange(len(table))
    picture = np.stack([np.interp(place, marks, table[:, c]) for c in range(3)], axis=-1)
    pixels: npt.NDArray[np.uint8] = np.rint(picture).astype(np.uint8)
    return pixels


def _rgb(colour: str) -> tuple[int, int, int]:
    if colour.startswith("#"):
        return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
    red, green, blue = unlabel_rgb(colour)
    return round(red), round(green), round(blue)
