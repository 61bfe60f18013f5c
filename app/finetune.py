"""``archsim finetune``: train, judge on held-out views, and write the result."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from archsim.base.errors import ArchsimError, ConfigError, OutputError
from archsim.base.files import write_whole
from archsim.base.hashing import hash_data, hash_path
from archsim.base.yaml_places import Places, validate
from archsim.finetune_progress import training_progress
from archsim.finetune_report import render_finetune_report
from archsim.finetune_table import finetune_table
from archsim.output import default_folder, to_json
from archsim.progress import ConsoleReporter, output_console
from archsim.traces.gs3d.finetune.judge import Judged, find_order, judge, mean_quality
from archsim.traces.gs3d.finetune.settings import SOURCES, Settings
from archsim.traces.gs3d.finetune.trainer import Trainer
from archsim.traces.gs3d.finetune.views import Split, file_split, make_views, orbit_split
from archsim.traces.gs3d.formats import load_scene_file
from archsim.traces.gs3d.formats.write_ply import write_inria_ply
from archsim.traces.gs3d.images import write_png
from archsim.traces.gs3d.memory import check_memory, scene_bytes
from archsim.traces.gs3d.scene import Scene
from archsim.traces.gs3d.streaminggs.parameters import StreamingGsParameters
from archsim.traces.gs3d.workload import Gs3dWorkload, load_scene, scene_key

__all__ = ["Options", "run_finetune"]

SCHEMA = "archsim-finetune-1"

_METRICS = "metrics.json"
_CHECKPOINT = "checkpoint.npz"
_NAMES = {_METRICS, _CHECKPOINT, "scene.ply", "report.html", "images"}
_RESOLUTION = (400, 400)
#: Scenes in memory while training: the given one, own and rendered parameters, two moments of the
#: parameters, and gradients in double precision with their pairs.
_SCENES_HELD = 9


@dataclass(frozen=True)
class Options:
    """What ``archsim finetune`` was asked for; see its help."""

    scene: str
    lod: int | None
    gaussians: int | None
    out: Path | None
    views: int
    resolution: tuple[int, int] | None
    cameras: Path | None
    images: Path | None
    find_order: bool
    settings: Settings
    checkpoint_every: int
    resume: bool


class InterruptedTrainingError(ArchsimError):
    """Ctrl-C while training; what was done is kept."""

    exit_code = 130


def run_finetune(options: Options) -> None:
    """Fine-tune a scene, print the table, and write the result's folder."""
    options.settings.check()
    if options.images is not None and options.cameras is None:
        raise ConfigError(
            "where these images were taken from is not known", place="--images",
            remedy="give --cameras: a transforms.json, a cameras.json or a COLMAP folder",
        )  # fmt: skip
    folder = options.out or _default_folder(options)
    console = output_console()
    if _check_folder(folder, options.resume):
        _print_result(console, folder, json.loads((folder / _METRICS).read_text("utf-8")))
        console.print("finished before; nothing to resume", style="dim")
        return
    reporter = ConsoleReporter(Console(stderr=True))
    workload: Gs3dWorkload = validate(
        Gs3dWorkload,
        {"scene": options.scene, "lod": options.lod, "gaussians": options.gaussians},
        Places("options"),
    )
    with reporter.step("reading the scene") as progress:
        scene = load_scene(workload, seed=options.settings.seed, progress=progress)
    check_memory(
        _SCENES_HELD * scene_bytes(len(scene), scene.sh_degree), None, place=options.scene,
        remedy="choose a coarser level of detail, or free memory",
    )  # fmt: skip
    split = _split(options, scene)
    settings = options.settings
    if options.find_order:
        with reporter.step("comparing the rules that order voxels") as progress:
            rule, _ = find_order(scene, split.training, settings.streaming, progress)
        settings = replace(settings, streaming=replace(settings.streaming, order=rule))
    with reporter.step("rendering the training views") as progress:
        views = make_views(scene, split.training, options.images, progress)
    with reporter.step("training codebooks") as progress:
        trainer = Trainer(scene, views, settings, progress)
    identity = _identity(options, workload, settings, split)
    checkpoint = folder / _CHECKPOINT
    if options.resume:
        trainer.restore(checkpoint, identity)
    _train(trainer, options, settings, checkpoint, identity)
    with reporter.step("writing the scene"):
        write_inria_ply(trainer.scene(), folder / "scene.ply")
        tuned = load_scene_file(folder / "scene.ply")  # judged as it will be used
    with reporter.step("rendering the held-out views") as progress:
        held_out = make_views(scene, split.held_out, options.images)
        judged = judge(
            scene, tuned, held_out, settings.streaming,
            against_images=options.images is not None, progress=progress,
        )  # fmt: skip
    metrics = _metrics(scene, options, settings, split, trainer, judged, folder)
    _write(folder, metrics, judged)
    _print_result(console, folder, metrics)


def _default_folder(options: Options) -> Path:
    folder = default_folder("finetuned", [f"workload.scene={options.scene}"])
    return folder if options.lod is None else folder.with_name(f"{folder.name}-lod{options.lod}")


def _check_folder(folder: Path, resume: bool) -> bool:
    """Return whether ``folder`` holds the finished result that ``--resume`` asks for."""
    if folder.exists() and not folder.is_dir():
        raise OutputError("is no folder", place=str(folder), remedy="choose another --out")
    present = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    others = sorted(name for name in present - _NAMES if not name.startswith("."))
    ours = _CHECKPOINT in present or _is_result(folder)
    if others and not ours:
        raise OutputError(
            f"holds files that are no fine-tuning's, such as {others[0]}", place=str(folder),
            remedy="choose an empty or new folder with --out",
        )  # fmt: skip
    if resume and _CHECKPOINT in present:
        return False
    if resume:
        if _is_result(folder):
            return True
        raise ConfigError("there is nothing to resume", place=str(folder),
                          remedy="start without --resume")  # fmt: skip
    if _CHECKPOINT in present:
        raise OutputError(
            "holds an unfinished fine-tuning", place=str(folder),
            remedy=f"go on with --resume, choose another --out, or delete {_CHECKPOINT}",
        )  # fmt: skip
    return False


def _is_result(folder: Path) -> bool:
    try:
        found = json.loads((folder / _METRICS).read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and found.get("schema") == SCHEMA


def _split(options: Options, scene: Scene) -> Split:
    if options.cameras is not None:
        return file_split(options.cameras, options.resolution)
    return orbit_split(scene, options.views, options.resolution or _RESOLUTION)


def _identity(
    options: Options, workload: Gs3dWorkload, settings: Settings, split: Split
) -> dict[str, Any]:
    """Return what a checkpoint belongs to, as JSON gives it back."""
    cameras = [
        [c.name, c.width, c.height, c.fx, c.fy, c.cx, c.cy, c.world_to_camera.tolist()]
        for c in (*split.training, *split.held_out)
    ]
    data = {
        "scene": scene_key(workload, settings.seed),
        "cameras": hash_data(cameras),
        "images": None if options.images is None else hash_path(options.images),
        "settings": settings.data(),
    }
    made: dict[str, Any] = json.loads(json.dumps(data))
    return made


def _train(
    trainer: Trainer, options: Options, settings: Settings, checkpoint: Path,
    identity: dict[str, Any],
) -> None:  # fmt: skip
    """Take the steps that are left; a checkpoint is on the disk before the first one."""
    if not options.resume:
        trainer.save(checkpoint, identity)
    with _deferred_interrupt() as interrupted, training_progress(settings.steps) as tell:
        while trainer.step < settings.steps:
            tell(trainer.train_step())
            kept = trainer.step % options.checkpoint_every == 0 or trainer.step == settings.steps
            if kept or interrupted():
                trainer.save(checkpoint, identity)
            if interrupted():
                raise InterruptedTrainingError(
                    f"interrupted after step {trainer.step} of {settings.steps}; they are kept in "
                    f"{checkpoint}",
                    remedy="go on with the same command and --resume",
                )


@contextmanager
def _deferred_interrupt() -> Iterator[Any]:
    """Let Ctrl-C wait for the end of a step; a second one does not wait."""
    asked = False

    def ask(_signal: int, _frame: Any) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield lambda: asked
    finally:
        signal.signal(signal.SIGINT, before)


def _metrics(
    scene: Scene, options: Options, settings: Settings, split: Split, trainer: Trainer,
    judged: list[Judged], folder: Path,
) -> dict[str, Any]:  # fmt: skip
    source = {key: value for key, value in scene.source.items() if key != "path"}
    return {
        "schema": SCHEMA,
        "scene": {"name": scene.name, "gaussians": len(scene), "sh_degree": scene.sh_degree,
                  "source": source, "given": options.scene, "lod": options.lod,
                  "built": options.gaussians},
        "voxels": {"occupied": trainer.grid.occupied, "edge": trainer.grid.size},
        "settings": settings.data(),
        "sources": SOURCES,
        "split": {"rule": split.rule, "training": [c.name for c in split.training],
                  "held_out": [c.name for c in split.held_out],
                  "resolution": [split.training[0].width, split.training[0].height]},
        "target": "images" if options.images else "the scene's own unquantised exact renders",
        "mean": mean_quality(judged),
        "views": [{"camera": j.camera, **j.quality} for j in judged],
        "losses": [vars(loss) | {"psnr_db": _finite(loss.psnr_db)} for loss in trainer.losses],
        "scene_ply_sha256": hash_path(folder / "scene.ply"),
    }  # fmt: skip


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _write(folder: Path, metrics: dict[str, Any], judged: list[Judged]) -> None:
    """Write images, report and, last, the metrics; then the checkpoint is no longer needed."""
    shutil.rmtree(folder / "images", ignore_errors=True)
    for view in judged:
        for name, image in view.images.items():
            write_png(image, folder / "images" / f"{view.camera}-{name}.png")
    with write_whole(folder / "report.html") as stream:
        stream.write(render_finetune_report(metrics, judged).encode())
    with write_whole(folder / _METRICS) as stream:
        stream.write(to_json(metrics).encode())
    (folder / _CHECKPOINT).unlink(missing_ok=True)


def _print_result(console: Console, folder: Path, metrics: dict[str, Any]) -> None:
    console.print()
    console.print(finetune_table(metrics))
    console.print()
    console.print(f"use it: {_use(folder, metrics)}", style="dim", markup=False, soft_wrap=True)
    console.print(f"report: {folder / 'report.html'}", style="bold", soft_wrap=True)


def _use(folder: Path, metrics: dict[str, Any]) -> str:
    """Return the command of a run that streams the tuned scene as it was judged."""
    scene, streaming = metrics["scene"], metrics["settings"]["streaming"]
    values = {
        "workload.scene": scene["given"],
        "workload.lod": scene["lod"],
        "workload.gaussians": scene["built"],
        "workload.resolution": json.dumps(metrics["split"]["resolution"], separators=(",", ":")),
        "method.finetuned": folder / "scene.ply",
        "method.order": streaming["order"],
    }
    usual = StreamingGsParameters().meta()
    for name in ("voxel_size", "group", "ray_stride", "vq", "codebooks"):
        value = streaming[name]
        if value is not None and value != usual[name]:
            values[f"method.{name}"] = json.dumps(value, separators=(",", ":")).strip('"')
    words = [
        f"--set '{name.replace('method.', 'systems.streaminggs.method.')}={value}'"
        for name, value in values.items()
        if value is not None
    ]
    return " ".join(["archsim run streaminggs", *words])
