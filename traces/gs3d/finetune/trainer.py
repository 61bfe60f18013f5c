"""The training loop: one view a step, and a state that can be kept and taken up again.

The same scene, views and settings give the same bytes on any number of threads, interrupted or
not: everything that a step depends on is in the checkpoint or derived from the step's number.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from archsim.base.errors import ConfigError, InputError
from archsim.base.files import write_whole
from archsim.traces.gs3d.finetune.gradients import parameter_gradients
from archsim.traces.gs3d.finetune.lists import Stream, make_stream, mis_ordered, stream_lists
from archsim.traces.gs3d.finetune.loss import image_loss
from archsim.traces.gs3d.finetune.model import Model
from archsim.traces.gs3d.finetune.order_loss import order_loss
from archsim.traces.gs3d.finetune.parameters import Parameters, parameters_of
from archsim.traces.gs3d.finetune.raster import Raster, rasterise, rasterise_backward
from archsim.traces.gs3d.finetune.settings import Settings
from archsim.traces.gs3d.finetune.views import View
from archsim.traces.gs3d.projection import Projected, Variant, project
from archsim.traces.gs3d.quality import psnr_db
from archsim.traces.gs3d.reference import BLEND_RULES, TILE
from archsim.traces.gs3d.scene import Scene
from archsim.traces.gs3d.sorting import TileLists, tile_lists
from archsim.traces.gs3d.streaminggs.codebooks import train_codebooks
from archsim.traces.gs3d.streaminggs.gauge import canonical
from archsim.traces.gs3d.streaminggs.grid import VoxelGrid, build_grid
from archsim.traces.gs3d.streaminggs.render import gaussian_features

__all__ = ["StepLoss", "Trainer"]

Progress = Callable[[int, int], None]

_VARIANT: Variant = "inria"
_META = "__meta__"


@dataclass(frozen=True)
class StepLoss:
    """What a step's view lost.

    Attributes
    ----------
    step
    loss
        L_orig + beta times the boundary loss.
    image
        L_orig.
    boundary
        L_CBP, or L_pixel.
    psnr_db
        Of the training view, before the update.
    """

    step: int
    loss: float
    image: float
    boundary: float
    psnr_db: float


@dataclass(frozen=True)
class _Frame:
    projected: Projected
    features: npt.NDArray[np.float32]
    lists: TileLists
    raster: Raster


class Trainer:
    """Trains a scene's parameters on views; centres are frozen.

    Attributes
    ----------
    step
        Steps done.
    losses
        One entry per step done.
    """

    def __init__(
        self, scene: Scene, views: list[View], settings: Settings,
        progress: Progress | None = None,
    ):  # fmt: skip
        settings.check()
        self._settings, self._views = settings, views
        self._scene = canonical(scene) if settings.quantise else scene
        self._grid = build_grid(scene.means, settings.streaming.voxel_size)
        self._streams: dict[int, Stream] = {}
        self.step = 0
        self.losses: list[StepLoss] = []
        self._model = self._start(progress)

    @property
    def grid(self) -> VoxelGrid:
        """The voxels."""
        return self._grid

    def scene(self) -> Scene:
        """Return the scene as trained so far: decoded, where it is quantised."""
        return self._model.scene(self._scene)

    def train_step(self) -> StepLoss:
        """Render one training view, and move the parameters against its loss."""
        settings, step = self._settings, self.step + 1
        number = self._order_of(step)
        view = self._views[number]
        frame = self._render(self.scene(), view, self._stream(number))
        loss, upstream = image_loss(frame.raster.image, view.target, settings.dssim_weight)
        rule = BLEND_RULES[_VARIANT]
        by_feature = rasterise_backward(
            frame.raster, upstream, frame.features, frame.lists, frame.projected.tile_rect, rule
        )
        boundary = 0.0
        if settings.boundary == "pixel" and settings.beta > 0.0:
            ordered = order_loss(
                frame.raster, frame.features, frame.projected.depth, frame.lists,
                frame.projected.tile_rect, rule,
            )  # fmt: skip
            by_feature += settings.beta * ordered.gradient
            boundary = ordered.loss
        parameters = self._model.decoded()
        gradient = parameter_gradients(
            self._scene.means, parameters, view.camera, _VARIANT, frame.projected.index,
            frame.features, by_feature,
        )  # fmt: skip
        if settings.boundary == "gaussian" and settings.beta > 0.0:
            boundary = self._boundary(frame, number, parameters, gradient)
        self._model.update(gradient, step, settings)
        self.step = step
        shown = [np.clip(i, 0.0, 1.0) for i in (frame.raster.image, view.target)]
        done = StepLoss(step, loss + settings.beta * boundary, loss, boundary, psnr_db(*shown))
        self.losses.append(done)
        return done

    def save(self, path: Path, identity: dict[str, Any]) -> None:
        """Write a checkpoint, whole or not at all; ``identity`` is what it belongs to."""
        meta = {
            "identity": identity,
            "step": self.step,
            "losses": [list(vars(loss).values()) for loss in self.losses],
        }
        text = np.frombuffer(json.dumps(meta).encode(), np.uint8)
        with write_whole(path) as stream:
            np.savez(stream, **{_META: text}, **dict(self._model.arrays()))  # type: ignore[arg-type]

    def restore(self, path: Path, identity: dict[str, Any]) -> None:
        """Take up a checkpoint.

        Raises :class:`InputError` for a damaged one and :class:`ConfigError` naming what differs
        for one of another scene or other settings.
        """
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                meta = json.loads(archive[_META].tobytes().decode())
                arrays = {name: archive[name] for name in archive.files if name != _META}
        except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
            raise InputError(
                f"not a readable checkpoint ({error})", place=str(path),
                remedy="delete it and start again without --resume",
            ) from error  # fmt: skip
        other = _differences(meta["identity"], identity)
        if other:
            raise ConfigError(
                f"the checkpoint is of another fine-tuning: {'; '.join(other)}", place=str(path),
                remedy="give the same scene and options, or start again without --resume in "
                "another folder",
            )  # fmt: skip
        for name, array in self._model.arrays():
            array[...] = arrays[name]
        self.step = int(meta["step"])
        self.losses = [StepLoss(*row) for row in meta["losses"]]

    def _start(self, progress: Progress | None) -> Model:
        settings = self._settings
        parameters = parameters_of(self._scene)
        if not settings.quantise:
            return Model.start(parameters, None, None)
        books = train_codebooks(
            self._scene, sizes=settings.codebooks, seed=settings.seed, progress=progress
        )
        return Model.start(parameters, books, self._weight())

    def _weight(self) -> npt.NDArray[np.float64]:
        """Return how much of the training images each Gaussian makes: the sum of alpha T."""
        weight = np.zeros(len(self._scene))
        for number, view in enumerate(self._views):
            frame = self._render(self._scene, view, self._stream(number))
            by_feature = rasterise_backward(
                frame.raster, np.ones_like(frame.raster.image), frame.features, frame.lists,
                frame.projected.tile_rect, BLEND_RULES[_VARIANT],
            )  # fmt: skip
            weight[frame.projected.index] += by_feature[:, 4]
        return weight

    def _order_of(self, step: int) -> int:
        """Return the view of a step: every epoch takes each once, in an order of its own."""
        epoch, place = divmod(step - 1, len(self._views))
        order = np.random.default_rng([self._settings.seed, epoch]).permutation(len(self._views))
        return int(order[place])

    def _stream(self, number: int) -> Stream:
        if number not in self._streams:
            streaming = self._settings.streaming
            self._streams[number] = make_stream(
                self._grid, self._scene.means, self._views[number].camera, group=streaming.group,
                order=streaming.order, ray_stride=streaming.ray_stride,
            )  # fmt: skip
        return self._streams[number]

    def _render(self, scene: Scene, view: View, stream: Stream) -> _Frame:
        camera = view.camera
        projected = project(scene, camera, variant=_VARIANT, tile=TILE)
        features = gaussian_features(projected)
        if self._settings.render == "exact":
            lists = tile_lists(projected, -(-camera.width // TILE), -(-camera.height // TILE))
        else:
            lists = stream_lists(stream, projected, len(scene))
        raster = rasterise(features, lists, camera.width, camera.height, BLEND_RULES[_VARIANT])
        return _Frame(projected, features, lists, raster)

    def _boundary(
        self, frame: _Frame, number: int, parameters: Parameters, gradient: Parameters
    ) -> float:
        """Return L_CBP = (1/N) sum S_i T_i, and add beta times its gradient by the scales.

        N counts the Gaussians that each group renders, S_i is the largest scale in voxel edges.
        """
        index = frame.projected.index
        out = mis_ordered(self._stream(number), frame.projected, len(self._scene))
        scale = parameters.scale[index]
        largest = np.argmax(scale, axis=1)
        size = np.exp(scale[np.arange(len(index)), largest].astype(np.float64)) / self._grid.size
        share = size * out.struck / max(out.pairs, 1)
        gradient.scale[index, largest] += self._settings.beta * share
        return float(share.sum())


def _differences(found: dict[str, Any], wanted: dict[str, Any], path: str = "") -> list[str]:
    """Return what two nested dictionaries disagree on, in words."""
    words = []
    for key in dict.fromkeys([*found, *wanted]):
        one, other = found.get(key), wanted.get(key)
        if isinstance(one, dict) and isinstance(other, dict):
            words += _differences(one, other, f"{path}{key}.")
        elif one != other:
            words.append(f"{path}{key} was {one}, now {other}")
    return words
