"""How good a fine-tuning is: held-out views streamed before and after, errors apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from archsim.traces.gs3d.camera import Camera
from archsim.traces.gs3d.finetune.views import View
from archsim.traces.gs3d.images import to_uint8
from archsim.traces.gs3d.quality import compare_images
from archsim.traces.gs3d.reference import render_reference
from archsim.traces.gs3d.scene import Scene
from archsim.traces.gs3d.streaminggs.compare_orders import best_order, compare_orders
from archsim.traces.gs3d.streaminggs.frame import stream_frame
from archsim.traces.gs3d.streaminggs.order import OrderRule
from archsim.traces.gs3d.streaminggs.parameters import StreamingGsParameters
from archsim.traces.gs3d.streaminggs.record import record_streaminggs
from archsim.traces.trace import Trace

__all__ = ["Judged", "find_order", "judge", "mean_quality"]

Progress = Callable[[int, int], None]

#: Views that choose the ordering rule: rules differ by more than views do.
_ORDER_VIEWS = 2
_MADE = ("before", "after")


@dataclass(frozen=True)
class Judged:
    """A held-out view.

    Attributes
    ----------
    camera
        Its name.
    quality
        ``unquantised``, ``before`` and ``after``: figures of the streamed frame, see :func:`judge`.
    images : name -> (H, W, 3) uint8
        ``reference``, ``before``, ``after`` and, where images were given, ``target``.
    """

    camera: str
    quality: dict[str, dict[str, Any]]
    images: dict[str, npt.NDArray[np.uint8]]


def find_order(
    scene: Scene, cameras: Sequence[Camera], parameters: StreamingGsParameters,
    progress: Progress | None = None,
) -> tuple[OrderRule, pd.DataFrame]:  # fmt: skip
    """Return the legal ordering rule of best PSNR on training views, and the comparison."""
    chosen = [cameras[0], cameras[len(cameras) // 2]][:_ORDER_VIEWS]
    tables = []
    for number, camera in enumerate(chosen):
        tables.append(compare_orders(scene, camera, render_reference(scene, camera), parameters))
        if progress is not None:
            progress(number + 1, len(chosen))
    table = pd.concat(tables)
    return best_order(table), table


def judge(
    scene: Scene, tuned: Scene, views: list[View], parameters: StreamingGsParameters, *,
    against_images: bool, progress: Progress | None = None,
) -> list[Judged]:  # fmt: skip
    """Stream held-out views of the scene and of the tuned one; ``parameters`` are of both.

    The reference is the exact render of ``scene``, not quantised. Figures of ``before`` and
    ``after``: ``psnr_db`` and ``ssim`` of the streamed frame, ``order_psnr_db`` and
    ``coverage_psnr_db`` of this error alone (against the same scene's own exact render),
    ``parameters_psnr_db`` of the exact render of what is stored (codebooks and tuning alone),
    ``misordered_{group,size,pixel}_fraction``, and ``target_psnr_db`` against the given image.
    ``unquantised`` is the scene streamed without codebooks or tuning.
    """
    judged = []
    for number, view in enumerate(views):
        camera = view.camera
        reference = render_reference(scene, camera)
        frame = stream_frame(scene, camera, reference, replace(parameters, vq="none"))
        plain = frame.streamed.frame.over(reference.background)
        quality: dict[str, dict[str, Any]] = {
            "unquantised": {
                **_compared(plain, reference.image),
                **{f"misordered_{by}_fraction": share
                   for by, share in frame.streamed.misorder.fractions().items()},
            }
        }  # fmt: skip
        images = {"reference": to_uint8(reference.image)}
        for when, made in zip(_MADE, (None, tuned), strict=True):
            trace = record_streaminggs(scene, camera, reference, parameters, tuned=made)
            quality[when] = _figures(trace)
            images[when] = trace.columns["image"]
        if against_images:
            images["target"] = to_uint8(view.target)
            quality["unquantised"]["target_psnr_db"] = _psnr(plain, view.target)
            for when in _MADE:
                quality[when]["target_psnr_db"] = _psnr(images[when] / 255.0, view.target)
        judged.append(Judged(camera.name, quality, images))
        if progress is not None:
            progress(number + 1, len(views))
    return judged


def mean_quality(judged: list[Judged]) -> dict[str, dict[str, Any]]:
    """Return the mean of every figure over the views; a PSNR over those that are not exact."""
    means: dict[str, dict[str, Any]] = {}
    for when, figures in judged[0].quality.items():
        means[when] = {}
        for name in figures:
            known = [j.quality[when][name] for j in judged if j.quality[when][name] is not None]
            means[when][name] = sum(known) / len(known) if known else None
    return means


def _figures(trace: Trace) -> dict[str, Any]:
    quality, counts = trace.meta["quality"], trace.meta["counts"]
    errors = {cause: error["psnr_db"] for cause, error in quality["errors"].items()}
    stored = errors.get("tuning", errors.get("vq"))
    return {
        "psnr_db": quality["psnr_db"],
        "ssim": quality["ssim"],
        "order_psnr_db": errors["order"],
        "coverage_psnr_db": errors["coverage"],
        "parameters_psnr_db": stored,
        **{
            f"misordered_{by}_fraction": counts[f"misordered_{by}_fraction"]
            for by in ("group", "size", "pixel")
        },
    }


def _psnr(image: npt.NDArray[Any], target: npt.NDArray[Any]) -> float | None:
    found: float | None = compare_images(image, target)["psnr_db"]
    return found


def _compared(image: npt.NDArray[Any], reference: npt.NDArray[Any]) -> dict[str, Any]:
    compared = compare_images(image, reference)
    return {"psnr_db": compared["psnr_db"], "ssim": compared["ssim"]}
