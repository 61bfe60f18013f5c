"""What is trained: each Gaussian's own parameters, or the entries of the codebooks they share.

With vector quantisation a Gaussian's scale, rotation and colours are entries of codebooks, and
an entry's gradient is the sum of its members'. Beside them every Gaussian keeps values of its own,
which nothing renders: they take the gradient that its decoded ones get (a straight-through
estimator, as in VQ-VAE: van den Oord et al. 2017), and now and then each Gaussian moves to the
entry nearest to them. Opacities are stored in steps of 1/255, which gradients ignore.

Entries start as k-means' on the scene, then as the means of their members weighted by how much of
the training images each makes (the sum of alpha T, as sensitivities weigh the codebooks of
Niedermayr et al. 2024): what nobody sees may be wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from archsim.traces.gs3d.finetune.adam import Adam
from archsim.traces.gs3d.finetune.parameters import Parameters, activate
from archsim.traces.gs3d.finetune.settings import Settings, learning_rate
from archsim.traces.gs3d.scene import Scene
from archsim.traces.gs3d.streaminggs.codebooks import Codebooks, nearest
from archsim.traces.gs3d.streaminggs.quantise import OPACITY_BITS

__all__ = ["Model"]

F32 = npt.NDArray[np.float32]

_LLOYD_ROUNDS = 3  # of weighted means and new assignments before training
_LEAST_WEIGHT = 0.01  # of the mean weight: entries of what is never seen keep a place
_ASSIGNED_UNTIL = 0.8  # share of the steps after which assignments stay, so that entries settle
_OPACITY_STEPS = (1 << OPACITY_BITS) - 1


@dataclass
class Model:
    """Trainable state; made by :meth:`start`, advanced by :meth:`update`.

    Attributes
    ----------
    own : kind -> array
        Each Gaussian's parameters: what is rendered, or the straight-through values.
    books : kind -> (K, D)
        Entries of the quantised kinds, trained in the same space as ``own``; empty without
        vector quantisation.
    index : kind -> (N,) int32
        Entry of each Gaussian.
    moments : kind or ``book.<kind>`` -> Adam
    """

    own: dict[str, F32]
    books: dict[str, F32]
    index: dict[str, npt.NDArray[np.int32]]
    moments: dict[str, Adam]

    @staticmethod
    def start(
        parameters: Parameters, codebooks: Codebooks | None, weight: npt.NDArray[np.float64] | None
    ) -> Model:
        """Return the model of a scene before training.

        With ``codebooks``, ``parameters`` must be in their gauge
        (:mod:`archsim.traces.gs3d.streaminggs.gauge`) and ``weight``, (N,), says how much each
        Gaussian counts.
        """
        own = {kind: np.ascontiguousarray(array) for kind, array in parameters.items()}
        model = Model(own, {}, {}, {kind: Adam(array.shape) for kind, array in own.items()})
        if codebooks is None:
            return model
        assert weight is not None
        model.books = {
            "scale": np.log(codebooks.scale),
            "rotation": codebooks.rotation.copy(),
            "dc": codebooks.dc.copy(),
            "sh": codebooks.sh.reshape(len(codebooks.sh), -1).copy(),
        }
        if own["sh"].shape[1] == 0:
            del model.books["sh"]
        weight = weight + _LEAST_WEIGHT * max(float(weight.mean()), 1e-12)
        for kind, entries in model.books.items():
            model._assign(kind)
            if len(entries) > 1:
                for _ in range(_LLOYD_ROUNDS):
                    model._centre(kind, weight)
                    model._assign(kind)
            model.moments[f"book.{kind}"] = Adam(entries.shape)
        return model

    def decoded(self) -> Parameters:
        """Return the parameters to render."""
        arrays = {
            kind: self.books[kind][self.index[kind]].reshape(own.shape)
            if kind in self.books
            else own
            for kind, own in self.own.items()
        }
        return Parameters(**arrays)

    def scene(self, scene: Scene) -> Scene:
        """Return the scene to render: decoded, with stored opacities."""
        made = activate(self.decoded(), scene)
        if self.books:
            stored = np.rint(made.opacities * np.float32(_OPACITY_STEPS))
            made.opacities[:] = stored / np.float32(_OPACITY_STEPS)
        return made

    def update(self, gradient: Parameters, step: int, settings: Settings) -> None:
        """Take training step ``step``, from 1 on."""
        for kind, by_own in gradient.items():
            if by_own.size == 0:
                continue
            rate = learning_rate(kind, step, settings)
            self.moments[kind].update(self.own[kind], by_own, rate, step)
            if kind in self.books:
                by_entry = _summed(by_own, self.index[kind], len(self.books[kind]))
                self.moments[f"book.{kind}"].update(self.books[kind], by_entry, rate, step)
        if not self.books:
            return
        _keep_gauge(self.books)
        every, until = settings.reassign_every, _ASSIGNED_UNTIL * settings.steps
        if every and step % every == 0 and step <= until:
            for kind in self.books:
                self._assign(kind)

    def arrays(self) -> Iterator[tuple[str, npt.NDArray[Any]]]:
        """Give every array of the state by name; changing them in place changes the model."""
        for group in ("own", "books", "index"):
            for kind, array in getattr(self, group).items():
                yield f"{group}.{kind}", array
        for kind, adam in self.moments.items():
            yield f"mean.{kind}", adam.mean
            yield f"square.{kind}", adam.square

    def _assign(self, kind: str) -> None:
        points = self.own[kind].reshape(len(self.own[kind]), -1)
        if kind == "rotation":
            points = points / np.linalg.norm(points, axis=1, keepdims=True)
        self.index[kind] = nearest(points, self.books[kind])

    def _centre(self, kind: str, weight: npt.NDArray[np.float64]) -> None:
        """Make every entry with members their weighted mean."""
        entries = len(self.books[kind])
        own = self.own[kind].reshape(len(weight), -1)
        total = np.bincount(self.index[kind], weight, minlength=entries)
        mean = _summed(own * weight[:, None], self.index[kind], entries)
        mean /= np.maximum(total, np.finfo(np.float64).tiny)[:, None]
        used = total > 0
        self.books[kind][used] = mean[used]
        if kind == "rotation":
            self.books[kind] /= np.linalg.norm(self.books[kind], axis=1, keepdims=True)


def _summed(
    values: npt.NDArray[Any], index: npt.NDArray[np.int32], entries: int
) -> npt.NDArray[np.float64]:
    """Return the sum of the members' values of each entry, (K, D), added in scene order."""
    flat = values.reshape(len(index), -1)
    columns = [np.bincount(index, column, minlength=entries) for column in flat.T]
    return np.stack(columns, axis=1)


def _keep_gauge(books: dict[str, F32]) -> None:
    """Put entries back into the gauge: scales descending, quaternions of w the largest, length 1.

    An entry that left it would stand for Gaussians of another representative, and a scene stored
    by its values would quantise to other entries.
    """
    np.minimum.accumulate(books["scale"], axis=1, out=books["scale"])
    rotation = books["rotation"]
    w = np.maximum(rotation[:, :1], np.float32(1e-6))
    np.clip(rotation[:, 1:], -w, w, out=rotation[:, 1:])
    rotation[:, :1] = w
    rotation /= np.linalg.norm(rotation, axis=1, keepdims=True)
