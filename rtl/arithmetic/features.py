"""The fine filter's results as the features that the render unit takes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from archsim.rtl.arithmetic.falloff import FEATURE, split_sharp

__all__ = ["KEPT", "RENAMED", "pack_columns"]

RENAMED = {"red": "colour_0", "green": "colour_1", "blue": "colour_2"}
KEPT = ("mean_x", "mean_y", "slope")


def pack_columns(
    result: dict[str, npt.NDArray[np.int64]], opacity: npt.NDArray[np.int64]
) -> dict[str, npt.NDArray[np.int64]]:
    """Return the columns of the features of n results."""
    x, x_shift = split_sharp(result["sharp_x"])
    y, y_shift = split_sharp(result["sharp_y"])
    columns = {
        **{name: result[name] for name in KEPT},
        "sharp_x": x, "shift_x": x_shift, "sharp_y": y, "shift_y": y_shift, "opacity": opacity,
        **{name: result[old] for name, old in RENAMED.items()},
        "mask": sum((result[f"mask_{k}"] << k for k in range(4)), np.zeros_like(opacity)),
    }  # fmt: skip
    return {name: columns[name] for name in (*FEATURE, "mask")}
