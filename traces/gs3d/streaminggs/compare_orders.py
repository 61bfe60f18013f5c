"""What each ordering rule costs: legality on the rays, misorder, and PSNR."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import cast

import pandas as pd

from archsim.traces.gs3d.camera import Camera
from archsim.traces.gs3d.quality import compare_images
from archsim.traces.gs3d.reference import BLEND_RULES, Reference
from archsim.traces.gs3d.scene import Scene
from archsim.traces.gs3d.streaminggs.errors import render_errors
from archsim.traces.gs3d.streaminggs.frame import StreamedFrame, stream_frame
from archsim.traces.gs3d.streaminggs.order import ORDER_RULES, OrderRule, violated_edges
from archsim.traces.gs3d.streaminggs.parameters import StreamingGsParameters
from archsim.traces.gs3d.streaminggs.render import gaussian_features

__all__ = ["best_order", "compare_orders"]


def compare_orders(
    scene: Scene, camera: Camera, reference: Reference, parameters: StreamingGsParameters, *,
    fine: Reference | None = None, rules: Sequence[OrderRule] = ORDER_RULES,
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Stream a frame once by each rule; ``parameters.order`` is not looked at.

    ``fine`` is the reference render of what the fine filter reads, the decoded scene; without it
    that is the scene itself. Columns, a row per rule, the best order first:

    ``rule``, ``legal``, ``violated_edges``
        Pairs of voxels that follow each other on some ray, but not in their group's order;
        legal without any.
    ``order_psnr_db``
        Of the reference's Gaussians in this order and nothing else wrong; infinite when exact.
    ``psnr_db``
        Of the streamed frame with all its errors.
    ``misordered_group``, ``misordered_size``, ``misordered_pixel``
        Shares of the streamed frame (:mod:`misorder`).
    """
    rows = []
    for number, rule in enumerate(rules):
        frame = stream_frame(scene, camera, fine or reference, replace(parameters, order=rule))
        order = _order_alone(frame, reference, rule)
        image = frame.streamed.frame.over(reference.background)
        shares = frame.streamed.misorder.fractions()
        violated = violated_edges(frame.tables, frame.queue)
        rows.append(
            {
                "rule": rule,
                "legal": violated == 0,
                "violated_edges": violated,
                "order_psnr_db": order,
                "psnr_db": _psnr(compare_images(image, reference.image)["psnr_db"]),
                **{f"misordered_{by}": share for by, share in shares.items()},
            }
        )
        if progress is not None:
            progress(number + 1, len(rules))
    table = pd.DataFrame(rows)
    return table.sort_values("order_psnr_db", ascending=False, kind="stable", ignore_index=True)


def best_order(table: pd.DataFrame, *, legal: bool = True) -> OrderRule:
    """Return the rule of highest ``order_psnr_db``, among the legal ones unless told otherwise.

    ``table`` is :func:`compare_orders`'s, or several of them concatenated: then the mean decides.
    """
    some = table[table["legal"].groupby(table["rule"]).transform("all")] if legal else table
    mean = some.groupby("rule", sort=False)["order_psnr_db"].mean()
    return cast(OrderRule, mean.idxmax())


def _order_alone(frame: StreamedFrame, reference: Reference, rule: OrderRule) -> float:
    projected = reference.projected
    errors = render_errors(
        frame.queue, frame.distances, rule, frame.grid.places()[1][projected.index],
        gaussian_features(projected), projected.depth, reference.tile_start,
        reference.pair_visible, frame.groups, BLEND_RULES[reference.variant],
    )  # fmt: skip
    return _psnr(
        compare_images(errors.order.over(reference.background), reference.image)["psnr_db"]
    )


def _psnr(value: float | None) -> float:
    return float("inf") if value is None else value
