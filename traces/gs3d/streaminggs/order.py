"""The order in which a group renders its voxels: a topological order, or a plain distance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from archsim.base.errors import CheckError
from archsim.base.jit import njit
from archsim.traces.gs3d.camera import Camera
from archsim.traces.gs3d.streaminggs.grid import VoxelGrid
from archsim.traces.gs3d.streaminggs.rays import RayTables

__all__ = ["Distances", "OrderRule", "VoxelQueue", "order_voxels", "voxel_distances"]

Array = npt.NDArray[Any]

#: ``dag``: rounds of in-degree 0, as the voxel sorting unit; ``l1``, ``l2``: index distance only.
OrderRule = Literal["dag", "l1", "l2"]


@dataclass(frozen=True)
class Distances:
    """Index distances of the occupied voxels from the camera's (possibly virtual) voxel.

    Attributes
    ----------
    l1 : (M,) int64
        Sum of absolute offsets. It grows by one with every step of every ray, so sorting by it
        is a legal order for any set of rays of one pinhole.
    l2_squared : (M,) int64
    rank_l1, rank_l2 : (M,) int64
        Position in the order by (l1, l2_squared, voxel) and by (l2_squared, voxel).
    """

    l1: npt.NDArray[np.int64]
    l2_squared: npt.NDArray[np.int64]
    rank_l1: npt.NDArray[np.int64]
    rank_l2: npt.NDArray[np.int64]


@dataclass(frozen=True)
class VoxelQueue:
    """The voxels of each group in rendering order.

    Attributes
    ----------
    start : (G + 1,) int64
        Group g renders ``voxel[start[g]:start[g + 1]]``.
    voxel : (nodes,) int32
    rounds : (G,) int64
        Rounds of the topological order (0 for a group without voxels, or with a distance rule).
    """

    start: npt.NDArray[np.int64]
    voxel: npt.NDArray[np.int32]
    rounds: npt.NDArray[np.int64]


def voxel_distances(grid: VoxelGrid, camera: Camera) -> Distances:
    """Return the index distances of all occupied voxels from the camera's voxel."""
    offset = grid.index() - grid.index_of(camera.position)
    l1 = np.abs(offset).sum(axis=1)
    l2_squared = (offset**2).sum(axis=1)
    voxel = np.arange(grid.occupied)
    return Distances(
        l1,
        l2_squared,
        _inverse(np.lexsort((voxel, l2_squared, l1))),
        _inverse(np.lexsort((voxel, l2_squared))),
    )


def order_voxels(tables: RayTables, distances: Distances, rule: OrderRule) -> VoxelQueue:
    """Order every group's voxels.

    ``dag`` emits all nodes of in-degree 0 in a round, nearest first (squared index distance from
    the camera's voxel, then voxel number), removes them and repeats. Raises :class:`CheckError`
    on a cycle, which a pinhole and a uniform grid cannot make.
    """
    groups = tables.node_start.size - 1
    group = np.repeat(np.arange(groups), np.diff(tables.node_start))
    rounds = np.zeros(groups, np.int64)
    if rule == "l1":
        order = np.lexsort((distances.rank_l1[tables.node], group))
    elif rule == "l2":
        order = np.lexsort((distances.rank_l2[tables.node], group))
    else:
        level = np.zeros(tables.node.size, np.int64)
        ordered = _levels(tables.node_start, tables.edge_start, tables.edge, level, rounds)
        if ordered < groups:
            raise CheckError(
                f"the voxels of pixel group {ordered} wait for each other in a circle",
                remedy="report this scene and camera: it cannot happen with one pinhole",
            )
        order = np.lexsort((distances.rank_l2[tables.node], level, group))
    return VoxelQueue(tables.node_start, tables.node[order], rounds)


def _inverse(order: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    rank = np.empty_like(order)
    rank[order] = np.arange(order.size)
    return rank


@njit()
def _levels(node_start: Array, edge_start: Array, edge: Array, level: Array, rounds: Array) -> int:
    """Set each node's round (longest path from a source); return the groups before a cycle."""
    groups = rounds.size
    for g in range(groups):
        base, links = node_start[g], edge_start[g]
        nodes, edges = node_start[g + 1] - base, edge_start[g + 1] - links
        waiting = np.zeros(nodes, np.int64)
        out = np.zeros(nodes + 1, np.int64)
        for e in range(edges):
            waiting[edge[links + e, 1]] += 1
            out[edge[links + e, 0] + 1] += 1
        for n in range(nodes):
            out[n + 1] += out[n]
        fill = out[:-1].copy()
        successor = np.empty(edges, np.int64)
        for e in range(edges):
            source = edge[links + e, 0]
            successor[fill[source]] = edge[links + e, 1]
            fill[source] += 1
        queue = np.empty(nodes, np.int64)
        head = tail = 0
        for n in range(nodes):
            if waiting[n] == 0:
                queue[tail] = n
                tail += 1
        while head < tail:
            source = queue[head]
            head += 1
            rounds[g] = max(rounds[g], level[base + source] + 1)
            for e in range(out[source], out[source + 1]):
                n = successor[e]
                level[base + n] = max(level[base + n], level[base + source] + 1)
                waiting[n] -= 1
                if waiting[n] == 0:
                    queue[tail] = n
                    tail += 1
        if tail < nodes:
            return g
    return groups
