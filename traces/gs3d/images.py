"""Images: from linear floats to files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from archsim.base.errors import OutputError

__all__ = ["to_uint8", "write_png"]


def to_uint8(image: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Return an image in [0, 1] as bytes: clamped, times 255, rounded to nearest (ties to even)."""
    pixels: npt.NDArray[np.uint8] = np.rint(np.clip(image, 0.0, 1.0) * 255.0).astype(np.uint8)
    return pixels


def write_png(image: npt.NDArray[Any], path: Path) -> None:
    """Write an (H, W, 3) image, uint8 or floats in [0, 1], as a PNG file.

    Raises :class:`OutputError` when the file cannot be written.
    """
    pixels = image if image.dtype == np.uint8 else to_uint8(image)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.ascontiguousarray(pixels)).save(path, format="PNG")
    except OSError as error:
        raise OutputError(
            f"the image cannot be written ({error.strerror or error})",
            place=str(path),
            remedy="choose another folder with --out, or free space on this one",
        ) from error
