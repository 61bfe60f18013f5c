"""Rays through the grid against boxes cut one by one; voxel order against plain Python."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.base.errors import CheckError
from archsim.traces.gs3d.camera import Camera
from archsim.traces.gs3d.streaminggs import rays
from archsim.traces.gs3d.streaminggs.grid import build_grid
from archsim.traces.gs3d.streaminggs.order import (
    ORDER_RULES,
    order_voxels,
    violated_edges,
    voxel_distances,
)
from archsim.traces.gs3d.streaminggs.rays import RayTables, trace_rays
from archsim.traces.gs3d.streaminggs.reuse import FILTER_ENTRIES


def random_case(seed, inside=False):
    """A random grid and a random camera, outside or among the Gaussians."""
    random = np.random.default_rng(seed)
    means = random.normal(size=(60, 3)).astype(np.float32)
    grid = build_grid(means, f"extent/{random.integers(1, 7)}")
    rotation, _ = np.linalg.qr(random.normal(size=(3, 3)))
    if np.linalg.det(rotation) < 0:
        rotation[0] *= -1
    centre = random.normal(size=3) * 0.5 if inside else -rotation[2] * random.uniform(3, 8)
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = rotation, -rotation @ centre
    return grid, Camera(48, 40, 50.0, 47.0, 24.3, 20.0, pose)


def cut_boxes(grid, camera, x, y):
    """Occupied voxels that a pixel's ray cuts by more than a hair, nearest first."""
    direction = camera.world_to_camera[:3, :3].T @ [
        (x + 0.5 - camera.cx) / camera.fx, (y + 0.5 - camera.cy) / camera.fy, 1.0
    ]  # fmt: skip
    low = grid.origin + grid.index() * grid.size - camera.position
    ends = np.stack([low / direction, (low + grid.size) / direction])
    near, far = ends.min(axis=0).max(axis=1), ends.max(axis=0).min(axis=1)
    near = np.maximum(near, 0.0)
    cut = np.flatnonzero(far - near > 1e-9)
    return list(cut[np.argsort(near[cut])])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_a_ray_meets_the_boxes_it_cuts_in_order(seed, inside):
    grid, camera = random_case(seed, inside)
    tables = trace_rays(grid, camera, group=(16, 16), stride=16)  # one ray per group
    rays = [(x, y) for y in (8, 24, 39) for x in (8, 24, 40)]  # the last row is cut to 8 pixels
    assert list(tables.rays) == [1] * len(rays)
    for g, (x, y) in enumerate(rays):
        met = list(tables.node[tables.node_start[g] : tables.node_start[g + 1]])
        assert met == cut_boxes(grid, camera, x, y)
        assert tables.hits[g] == len(met) <= tables.steps[g]
        edges = tables.edge[tables.edge_start[g] : tables.edge_start[g + 1]]
        assert [list(e) for e in edges] == [[i, i + 1] for i in range(len(met) - 1)]


def test_a_group_joins_the_rays_of_its_pixels():
    grid, camera = random_case(3)
    single = trace_rays(grid, camera, group=(16, 16), stride=1)
    group = 4
    nodes, edges = set(), set()
    for y in range(16, 32):
        for x in range(16, 32):
            met = [int(v) for v in cut_boxes(grid, camera, x, y)]
            nodes |= set(met)
            edges |= set(pairwise(met))
    own = single.node[single.node_start[group] : single.node_start[group + 1]]
    found = single.edge[single.edge_start[group] : single.edge_start[group + 1]]
    assert len(own) == len(nodes)
    assert set(own.tolist()) == nodes
    assert len(found) == len(edges)
    assert {(int(own[a]), int(own[b])) for a, b in found} == edges


def kahn(nodes, edges, key):
    """Rounds of in-degree 0 in plain Python."""
    waiting = {n: sum(b == n for _, b in edges) for n in nodes}
    queue, rounds = [], 0
    while waiting:
        ready = sorted((n for n in waiting if waiting[n] == 0), key=key)
        assert ready, "a cycle"
        rounds += 1
        queue += ready
        for n in ready:
            del waiting[n]
        for a, b in edges:
            if a in ready:
                waiting[b] -= 1
    return queue, rounds


def cells_of_ray(grid, camera, x, y):
    """Occupied voxels of a ray with the cells it entered before each, by small steps in floats."""
    direction = camera.world_to_camera[:3, :3].T @ [
        (x + 0.5 - camera.cx) / camera.fx, (y + 0.5 - camera.cy) / camera.fy, 1.0
    ]  # fmt: skip
    low, high = grid.origin, grid.origin + grid.cells * grid.size
    ends = np.stack([(low - camera.position) / direction, (high - camera.position) / direction])
    near, far = max(ends.min(axis=0).max(), 0.0), ends.max(axis=0).min()
    if near >= far:
        return []
    faces = [near, far]
    for axis in range(3):
        planes = low[axis] + grid.size * np.arange(grid.cells[axis] + 1) - camera.position[axis]
        faces += [t for t in planes / direction[axis] if near < t < far]
    faces = np.sort(faces)
    middle = camera.position + ((faces[1:] + faces[:-1]) / 2)[:, None] * direction
    index = np.floor((middle - low) / grid.size).astype(int)
    flat = (index[:, 0] * grid.cells[1] + index[:, 1]) * grid.cells[2] + index[:, 2]
    return [(step, int(grid.rename[c])) for step, c in enumerate(flat) if grid.rename[c] >= 0]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans(), st.sampled_from([1, 3, 16]))
def test_a_filter_of_the_last_pairs_lets_through_what_a_plain_list_does(seed, inside, abreast):
    grid, camera = random_case(seed, inside)
    tables = trace_rays(grid, camera, group=(16, 16), stride=2, abreast=abreast)
    group = 4  # pixels 16 to 31 of both axes
    rays = [cells_of_ray(grid, camera, x, y) for y in range(17, 32, 2) for x in range(17, 32, 2)]
    assert sum(map(len, rays)) == tables.hits[group]
    met = []
    for first in range(0, len(rays), abreast):
        wave = []
        for number, ray in enumerate(rays[first : first + abreast]):
            before = [None, *(voxel for _, voxel in ray)]
            wave += [(step, number, (b, voxel)) for b, (step, voxel) in zip(before, ray)]
        met += [pair for *_, pair in sorted(wave, key=lambda item: item[:2])]
    for column, entries in enumerate(FILTER_ENTRIES):
        recent, passed = [], 0
        for pair in met:
            if pair in recent:
                recent.remove(pair)
            else:
                passed += 1
            recent = [pair, *recent][:entries]
        assert tables.passed[group, column] == passed
    distinct = len(set(met))
    assert tables.passed[group, 0] == len(met)
    assert tables.passed[group, -1] == (distinct if distinct <= FILTER_ENTRIES[-1] else passed)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_voxel_orders_are_legal_and_equal_plain_python(seed, inside):
    grid, camera = random_case(seed, inside)
    tables = trace_rays(grid, camera, group=(32, 16), stride=2)
    distances = voxel_distances(grid, camera)
    offset = grid.index() - np.floor((camera.position - grid.origin) / grid.size).astype(int)
    queues = {rule: order_voxels(tables, distances, rule) for rule in ("dag", "l1", "l2")}
    for g in range(len(tables.rays)):
        own = slice(tables.node_start[g], tables.node_start[g + 1])
        nodes = tables.node[own].tolist()
        edges = tables.edge[tables.edge_start[g] : tables.edge_start[g + 1]]
        edges = [(nodes[a], nodes[b]) for a, b in edges]
        expected, rounds = kahn(nodes, edges, lambda n: (int((offset[n] ** 2).sum()), n))
        assert queues["dag"].voxel[own].tolist() == expected
        assert queues["dag"].rounds[g] == rounds
        for rule in ("dag", "l1"):  # distance by steps is legal too, without any table
            place = {v: i for i, v in enumerate(queues[rule].voxel[own].tolist())}
            assert all(place[a] < place[b] for a, b in edges)
        l2 = queues["l2"].voxel[own]
        assert l2.tolist() == sorted(nodes, key=lambda n: (int((offset[n] ** 2).sum()), n))


LEGAL = [rule for rule in ORDER_RULES if rule != "depth"]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_no_ray_meets_voxels_out_of_a_legal_order(seed, inside):
    # the rule knows no ray but the topological ones' tables; the oracle cuts boxes one by one
    grid, camera = random_case(seed, inside)
    tables = trace_rays(grid, camera, group=(48, 48), stride=4)
    distances = voxel_distances(grid, camera)
    met = [cut_boxes(grid, camera, x, y) for y in range(2, 40, 4) for x in range(2, 48, 4)]
    assert len(tables.rays) == 1
    for rule in LEGAL:
        queue = order_voxels(tables, distances, rule)
        place = {v: i for i, v in enumerate(queue.voxel.tolist())}
        assert all(place[a] < place[b] for ray in met for a, b in pairwise(ray)), rule
        assert violated_edges(tables, queue) == 0
        assert sorted(place) == sorted(tables.node.tolist())


def test_view_depth_is_no_legal_order():
    violated = []
    for seed in range(20):
        grid, camera = random_case(seed)
        tables = trace_rays(grid, camera, group=(16, 16), stride=2)
        queue = order_voxels(tables, voxel_distances(grid, camera), "depth")
        wrong = 0
        for g in range(len(tables.rays)):
            own = slice(tables.node_start[g], tables.node_start[g + 1])
            place = {v: i for i, v in enumerate(queue.voxel[own].tolist())}
            nodes = tables.node[own]
            for a, b in tables.edge[tables.edge_start[g] : tables.edge_start[g + 1]]:
                wrong += place[nodes[a]] > place[nodes[b]]
        assert violated_edges(tables, queue) == wrong
        violated.append(wrong)
    assert sum(violated) > 0


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_the_free_voxel_of_least_depth_comes_next(seed, inside):
    grid, camera = random_case(seed, inside)
    tables = trace_rays(grid, camera, group=(32, 16), stride=2)
    distances = voxel_distances(grid, camera)
    queue = order_voxels(tables, distances, "dag-depth")
    centre = grid.origin + (grid.index() + 0.5) * grid.size
    depth = (centre @ camera.world_to_camera[:3, :3].T + camera.world_to_camera[:3, 3])[:, 2]
    assert np.allclose(distances.depth * grid.size, depth, atol=1e-9)
    for g in range(len(tables.rays)):
        own = slice(tables.node_start[g], tables.node_start[g + 1])
        nodes = tables.node[own].tolist()
        edges = tables.edge[tables.edge_start[g] : tables.edge_start[g + 1]]
        left = {n: {nodes[a] for a, b in edges if nodes[b] == n} for n in nodes}
        for voxel in queue.voxel[own].tolist():
            free = [n for n in left if not left[n] & left.keys()]
            assert voxel in free
            assert distances.depth[voxel] == min(distances.depth[n] for n in free)
            del left[voxel]


def test_a_circle_is_an_error():
    grid, camera = random_case(5)
    distances = voxel_distances(grid, camera)
    ones = np.ones(2, np.int64)
    tables = RayTables(
        ones, ones, ones, np.zeros((2, 10), np.int64), np.array([0, 1, 3]),
        np.array([0, 0, 1], np.int32), np.array([0, 0, 2]), np.array([[0, 1], [1, 0]], np.int32),
    )  # fmt: skip
    for rule in ("dag", "dag-depth"):
        with pytest.raises(CheckError, match="group 1 wait for each other in a circle"):
            order_voxels(tables, distances, rule)


def test_groups_that_find_too_little_room_are_traced_again(monkeypatch):
    grid, camera = random_case(5, inside=True)
    usual = trace_rays(grid, camera, group=(32, 16), stride=1)
    assert usual.node_start[1] > 1
    monkeypatch.setattr(rays, "_FIRST_ROOM", 1)
    for name, column in vars(trace_rays(grid, camera, group=(32, 16), stride=1)).items():
        assert column.tolist() == getattr(usual, name).tolist()
        assert column.dtype == getattr(usual, name).dtype
