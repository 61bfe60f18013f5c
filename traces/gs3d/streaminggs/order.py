"""The order in which a group renders its voxels, by several rules.

A rule is *legal* when every ray meets its voxels in the group's order. Along a ray of a pinhole
each axis's distance to the camera's voxel, counted in cells, never shrinks and one grows with every
step. So every order by a key that grows with each of the three distances is legal, for any set of
rays: their sum (L1), the sum of their squares (L2), their maximum followed by their sum (Linf), one
axis before another (six lexicographic orders), and the distance from the camera itself to a voxel's
centre. A topological order of who follows whom on the rays is legal by construction. Orders by
depth along the view are not: a step to the side may come nearer to the image plane.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from archsim.base.errors import CheckError
from archsim.base.jit import njit
from archsim.traces.gs3d.camera import Camera
from archsim.traces.gs3d.streaminggs.grid import VoxelGrid
from archsim.traces.gs3d.streaminggs.rays import RayTables

__all__ = [
    "ORDER_RULES",
    "Distances",
    "OrderRule",
    "VoxelQueue",
    "order_voxels",
    "violated_edges",
    "voxel_distances",
]

Array = npt.NDArray[Any]
I64 = npt.NDArray[np.int64]

#: ``dag``: rounds of in-degree 0, as the voxel sorting unit, nearest first (L2) in a round;
#: ``dag-depth``: of the voxels with in-degree 0 always the one of least view depth next;
#: ``l1``, ``l2``, ``linf``, ``xyz`` to ``zyx``: distances in cells from the camera's voxel;
#: ``centre``: distance of the voxel's centre from the camera; ``depth``: its view depth, not legal.
OrderRule = Literal[
    "dag", "dag-depth", "l1", "l2", "linf", "centre",
    "xyz", "xzy", "yxz", "yzx", "zxy", "zyx", "depth",
]  # fmt: skip

#: All rules.
ORDER_RULES: tuple[OrderRule, ...] = get_args(OrderRule)


@dataclass(frozen=True)
class Distances:
    """How far the M occupied voxels are from the camera.

    Attributes
    ----------
    offset : (M, 3) int64
        Absolute distance in cells from the camera's (possibly virtual) voxel, by axis.
    centre : (M,) float64
        Squared distance of the centre from the camera, in voxel edges.
    depth : (M,) float64
        View depth of the centre, in voxel edges.
    """

    offset: I64
    centre: npt.NDArray[np.float64]
    depth: npt.NDArray[np.float64]

    @property
    def l1(self) -> I64:
        """Sum of the distances in cells, (M,); it grows by one with every step of every ray."""
        total: I64 = self.offset.sum(axis=1)
        return total

    @property
    def l2_squared(self) -> I64:
        """Sum of their squares, (M,)."""
        total: I64 = (self.offset**2).sum(axis=1)
        return total

    def rank(self, rule: OrderRule) -> I64:
        """Return each voxel's place in the order of all voxels by a rule, (M,).

        Ties are broken by L2, then by the voxel's number. The place of the two ``dag`` rules is
        that among voxels that do not wait for each other.
        """
        keys: list[Any]
        if rule in ("centre", "depth"):
            keys = [getattr(self, rule)]
        elif rule == "dag-depth":
            keys = [self.depth]
        elif rule == "l1":
            keys = [self.l1]
        elif rule in ("l2", "dag"):
            keys = []
        elif rule == "linf":
            keys = [self.offset.max(axis=1), self.l1]
        else:
            keys = [self.offset[:, "xyz".index(axis)] for axis in rule]
        voxel = np.arange(len(self.offset))
        order = np.lexsort((voxel, self.l2_squared, *reversed(keys)))
        rank = np.empty_like(order)
        rank[order] = voxel
        return rank

    def distance(self, rule: OrderRule) -> I64:
        """Return what places voxels that a group does not queue among those it does, (M,).

        A rule's own order, where it orders all voxels; L1 for the topological ones.
        """
        return self.l1 - self.l1.min() if rule.startswith("dag") else self.rank(rule)


@dataclass(frozen=True)
class VoxelQueue:
    """The voxels of each group in rendering order.

    Attributes
    ----------
    start : (G + 1,) int64
        Group g renders ``voxel[start[g]:start[g + 1]]``.
    voxel : (nodes,) int32
    rounds : (G,) int64
        Rounds of the topological order (0 for a group without voxels, or with another rule).
    """

    start: I64
    voxel: npt.NDArray[np.int32]
    rounds: I64


def voxel_distances(grid: VoxelGrid, camera: Camera) -> Distances:
    """Return how far all occupied voxels are from the camera."""
    index = grid.index()
    from_camera = grid.origin + (index + 0.5) * grid.size - camera.position
    forward = camera.world_to_camera[2, :3]
    return Distances(
        np.abs(index - grid.index_of(camera.position)),
        np.square(from_camera / grid.size).sum(axis=1),
        from_camera @ forward / grid.size,
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
    rank = distances.rank(rule)[tables.node]
    if not rule.startswith("dag"):
        order = np.lexsort((rank, group))
        return VoxelQueue(tables.node_start, tables.node[order], rounds)
    place = np.zeros(tables.node.size, np.int64)
    if rule == "dag":
        ordered = _levels(tables.node_start, tables.edge_start, tables.edge, place, rounds)
    else:
        ordered = _emitted(tables.node_start, tables.edge_start, tables.edge, rank, place)
    if ordered < groups:
        raise CheckError(
            f"the voxels of pixel group {ordered} wait for each other in a circle",
            remedy="report this scene and camera: it cannot happen with one pinhole",
        )
    order = np.lexsort((rank, place, group))
    return VoxelQueue(tables.node_start, tables.node[order], rounds)


def violated_edges(tables: RayTables, queue: VoxelQueue) -> int:
    """Count the pairs of voxels that follow each other on a ray, but not in the group's order."""
    groups = tables.node_start.size - 1
    group = np.repeat(np.arange(groups), np.diff(tables.node_start))
    place = np.empty(tables.node.size, np.int64)
    # a group's nodes and its queue hold the same voxels: match them sorted
    queued = np.lexsort((queue.voxel, group))
    met = np.lexsort((tables.node, group))
    place[met] = queued
    edge_group = np.repeat(np.arange(groups), np.diff(tables.edge_start))
    first, second = (tables.node_start[edge_group] + tables.edge[:, side] for side in (0, 1))
    return int((place[first] > place[second]).sum())


@njit()
def _successors(links: int, nodes: int, edges: int, edge: Array) -> tuple[Array, Array, Array]:
    """Return a group's in-degrees, and its successors by node as ranges and a list."""
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
    return waiting, out, successor


@njit()
def _levels(node_start: Array, edge_start: Array, edge: Array, level: Array, rounds: Array) -> int:
    """Set each node's round (longest path from a source); return the groups before a cycle."""
    groups = rounds.size
    for g in range(groups):
        base, links = node_start[g], edge_start[g]
        nodes, edges = node_start[g + 1] - base, edge_start[g + 1] - links
        waiting, out, successor = _successors(links, nodes, edges, edge)
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


@njit()
def _emitted(node_start: Array, edge_start: Array, edge: Array, rank: Array, place: Array) -> int:
    """Set each node's place when the free node of least rank goes first; as :func:`_levels`."""
    groups = node_start.size - 1
    for g in range(groups):
        base, links = node_start[g], edge_start[g]
        nodes, edges = node_start[g + 1] - base, edge_start[g + 1] - links
        waiting, out, successor = _successors(links, nodes, edges, edge)
        free = np.empty(nodes, np.int64)
        ready = emitted = 0
        for n in range(nodes):
            if waiting[n] == 0:
                free[ready] = n
                ready += 1
        while ready > 0:
            best = 0
            for i in range(1, ready):
                if rank[base + free[i]] < rank[base + free[best]]:
                    best = i
            source = free[best]
            ready -= 1
            free[best] = free[ready]
            place[base + source] = emitted
            emitted += 1
            for e in range(out[source], out[source + 1]):
                waiting[successor[e]] -= 1
                if waiting[successor[e]] == 0:
                    free[ready] = successor[e]
                    ready += 1
        if emitted < nodes:
            return g
    return groups
