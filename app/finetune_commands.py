"""``archsim finetune``. Slow imports are inside the command."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

import typer

__all__ = ["finetune"]

_PAIR = re.compile(r"^\s*(\d+)\s*[xX,]\s*(\d+)\s*$")


def _pair(text: str) -> tuple[int, int]:
    match = _PAIR.match(text)
    if match is None or not (int(match[1]) and int(match[2])):
        raise typer.BadParameter(f"{text!r}: expected WIDTHxHEIGHT in pixels, such as 400x400")
    return int(match[1]), int(match[2])


def finetune(
    scene: Annotated[str, typer.Argument(help="Scene file or folder, or builtin:NAME.")],
    lod: Annotated[int | None, typer.Option(help="Level of detail, 0 is the finest.")] = None,
    gaussians: Annotated[int | None, typer.Option(help="Count of a built-in scene.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the result: new, empty or of an earlier fine-tuning. "
                     "Default: archsim-out/SCENE-finetuned."),
    ] = None,
    views: Annotated[int, typer.Option(help="Training views of an orbit.")] = 16,
    resolution: Annotated[
        str | None,
        typer.Option(metavar="WxH", help="Of all views. Default: 400x400, or a camera file's."),
    ] = None,
    cameras: Annotated[
        Path | None,
        typer.Option(help="INRIA cameras.json, NeRF transforms.json or a COLMAP sparse folder in "
                     "place of an orbit; every eighth view is held out."),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Train against these images, by the cameras' names, in "
                     "place of the scene's own unquantised renders."),
    ] = None,
    steps: Annotated[int, typer.Option(help="Updates, one training view each.")] = 300,
    beta: Annotated[float, typer.Option(help="Weight of the boundary loss.")] = 0.05,
    boundary: Annotated[
        Literal["gaussian", "pixel"],
        typer.Option(help="The boundary loss: L_CBP of the paper, by Gaussian and group; or by "
                     "pixel, of the weight that is really blended out of order."),
    ] = "gaussian",
    voxel_size: Annotated[
        str, typer.Option(help="Edge of a voxel: a length in scene units, or extent/K.")
    ] = "extent/16",
    group: Annotated[str, typer.Option(metavar="WxH", help="Pixels of a group.")] = "64x64",
    order: Annotated[
        str, typer.Option(help="Rule that orders a group's voxels, or best: the legal one of best "
                          "PSNR on training views.")
    ] = "best",
    ray_stride: Annotated[int, typer.Option(help="Rays through every so many pixels.")] = 1,
    vq: Annotated[
        Literal["trained", "none"],
        typer.Option(help="Tune the entries of codebooks, or each Gaussian's own parameters."),
    ] = "trained",
    codebooks: Annotated[
        str, typer.Option(metavar="S,R,D,H", help="Entries for scale, rotation, DC and harmonics.")
    ] = "4096,4096,4096,512",
    reassign: Annotated[
        int, typer.Option(help="Steps between new assignments to entries; 0 keeps the first.")
    ] = 10,
    render: Annotated[
        Literal["streaming", "exact"],
        typer.Option(help="What training renders: the voxels' order and coverage, or exact depth "
                     "order, which leaves boundaries to L_CBP alone."),
    ] = "streaming",
    learning_rate: Annotated[float, typer.Option(help="Factor on 3DGS' learning rates.")] = 3.0,
    seed: Annotated[int, typer.Option(help="Of the views' order and the codebooks.")] = 0,
    checkpoint_every: Annotated[int, typer.Option(min=1, help="Steps between checkpoints.")] = 25,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the checkpoint in the result's folder.")
    ] = False,
) -> None:  # fmt: skip
    """Tune a scene so that StreamingGS renders it well: boundary-aware, codebooks included."""
    from archsim.finetune import Options, run_finetune
    from archsim.traces.gs3d.finetune.settings import Settings
    from archsim.traces.gs3d.streaminggs.codebooks import CodebookSizes
    from archsim.traces.gs3d.streaminggs.parameters import StreamingGsParameters

    entries = [part.strip() for part in codebooks.split(",")]
    if len(entries) != 4 or not all(part.isdecimal() for part in entries):
        raise typer.BadParameter(f"{codebooks!r}: expected four counts, such as 4096,4096,4096,512")
    try:
        size: str | float = float(voxel_size)
    except ValueError:
        size = voxel_size
    streaming = StreamingGsParameters(
        voxel_size=size, group=_pair(group), order="dag" if order == "best" else order,  # type: ignore[arg-type]
        ray_stride=ray_stride, vq=vq, codebooks=CodebookSizes(*map(int, entries)),
        codebook_seed=seed,
    )  # fmt: skip
    settings = Settings(
        steps=steps, beta=beta, boundary=boundary, render=render, quantise=vq != "none",
        reassign_every=reassign, learning_rate=learning_rate, seed=seed, streaming=streaming,
    )  # fmt: skip
    run_finetune(
        Options(
            scene=scene,
            lod=lod,
            gaussians=gaussians,
            out=out,
            views=views,
            resolution=None if resolution is None else _pair(resolution),
            cameras=cameras,
            images=images,
            find_order=order == "best",
            settings=settings,
            checkpoint_every=checkpoint_every,
            resume=resume,
        )
    )
