"""Matrix products on tensor or CUDA cores, tiled as CUTLASS and cuBLAS tile them.

A block computes one tile of C over a share of k, loading panels of A and B step by step. Libraries
choose tile and split of k by a heuristic over measured times; here the choice is the one with the
shortest modelled time. Tiles are padded: a product of one row still computes a whole tile.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from archsim.sim.gpu.device import BlockShape, Device, resident_blocks
from archsim.sim.gpu.timing import kernel_time
from archsim.sim.gpu.work import Memory, Work, blocks

__all__ = ["Cores", "gemm", "tile_of"]

Cores = Literal["tensor", "fp16", "fp32"]

_STEP = 32  # of k between two loads
_STAGES = 3  # panels in shared memory, loaded ahead
_SPLITS = (1, 2, 3, 4, 6, 8, 12, 16)
_LEAST_K = 256  # of a split
#: (rows, columns, threads) of the tiles that libraries ship for Ampere and Ada
_TILES: dict[Cores, tuple[tuple[int, int, int], ...]] = {
    "tensor": (
        (256, 128, 256), (128, 256, 256), (128, 128, 256), (256, 64, 256), (64, 256, 256),
        (128, 64, 128), (64, 128, 128), (64, 64, 128), (32, 128, 128), (32, 64, 128),
        (16, 128, 128), (16, 64, 128),
    ),
    "fp32": ((128, 128, 256), (128, 64, 128), (64, 64, 64), (32, 64, 64), (16, 64, 64)),
    "fp16": ((128, 128, 256), (128, 64, 128), (64, 64, 64), (32, 64, 64), (16, 64, 64)),
}  # fmt: skip
#: Warp instructions per product: one multiply-add a lane, two to a word in FP16; tensor cores do
#: 2048 products in one, beside loads of their operands.
_ISSUE: dict[Cores, float] = {"tensor": 1 / 1024, "fp16": 1.1 / 64, "fp32": 1.1 / 32}


@dataclass(frozen=True)
class _Tile:
    rows: int
    columns: int
    split: int


def gemm(m: int, n: int, k: int, device: Device, *, batch: int = 1, cores: Cores = "tensor",
         a_bytes: float = 2, b_bytes: float = 2, c_bytes: float = 2, warm: bool = False,
         name: str = "gemm") -> Work:  # fmt: skip
    """Return C = A B for ``batch`` products of (m, k) by (k, n); bytes are those of an element.

    A is what the kernel before left; with ``warm`` so is B, as where a product is repeated.
    ``b_bytes`` may be fractional: weights of 4 bits with their scales.
    """
    tile = tile_of(m, n, k, device, batch, cores, a_bytes, b_bytes, c_bytes, warm)
    return _work(tile, m, n, k, device, batch, cores, a_bytes, b_bytes, c_bytes, warm, name)


@lru_cache(maxsize=4096)
def tile_of(m: int, n: int, k: int, device: Device, batch: int, cores: Cores, a_bytes: float,
            b_bytes: float, c_bytes: float, warm: bool) -> _Tile:  # fmt: skip
    """Return the tile and split with the shortest modelled time."""
    best: tuple[float, _Tile] | None = None
    for rows, columns, _ in _TILES[cores]:
        if (rows > 64 and rows >= 2 * m) or (columns > 64 and columns >= 2 * n):
            continue
        tiles = -(-m // rows) * -(-n // columns) * batch
        for split in _SPLITS:
            if split > 1 and (k // split < _LEAST_K or tiles * split > 8 * device.sms):
                break
            tile = _Tile(rows, columns, split)
            work = _work(tile, m, n, k, device, batch, cores, a_bytes, b_bytes, c_bytes, warm, "")
            time = kernel_time(work, device).total_ns
            if best is None or time < best[0]:
                best = time, tile
    assert best is not None  # small tiles always apply
    return best[1]


def _work(tile: _Tile, m: int, n: int, k: int, device: Device, batch: int, cores: Cores,
          a_bytes: float, b_bytes: float, c_bytes: float, warm: bool,
          name: str) -> Work:  # fmt: skip
    rows, columns, split = tile.rows, tile.columns, tile.split
    threads = next(t for r, c, t in _TILES[cores] if (r, c) == (rows, columns))
    down, across = -(-m // rows), -(-n // columns)
    steps = -(-k // (_STEP * split))
    products = rows * columns * _STEP * steps
    shape = BlockShape(
        threads, min(rows * columns // threads + 64, 255),
        int(_STAGES * _STEP * (rows * a_bytes + columns * b_bytes)),
    )  # fmt: skip
    loaded = steps * _STEP * (rows * a_bytes + columns * b_bytes)
    written = rows * columns * (c_bytes if split == 1 else 4)
    grid = blocks(
        down * across * batch * split, trips=1,
        l2=loaded + written, shared=loaded,
        issue=products * _ISSUE[cores], **{cores: products},
    )  # fmt: skip
    a, b, c = (float(x) for x in (m * k * a_bytes, k * n * b_bytes, m * n * c_bytes))
    places = device.sms * resident_blocks(device.machine.sm, shape)
    memory = Memory(
        batch * (a + b), batch * c, held_bytes=batch * (a + b if warm else a),
        again_bytes=batch * _again(tile, m, n, k, max(places // batch, 1), a_bytes, b_bytes),
        reuse_bytes=min(a, b),
    )  # fmt: skip
    return Work(
        name, "gemm", shape, *grid, memory, sharing=split, launches=1 if split == 1 else 2
    )  # fmt: skip


def _again(tile: _Tile, m: int, n: int, k: int, places: int, a_bytes: float,
           b_bytes: float) -> float:  # fmt: skip
    """Return the panel bytes that waves of blocks read again, in the best shape of a wave."""
    down, across = -(-m // tile.rows), -(-n // tile.columns)
    best = float("inf")
    for power in range(8):
        high = min(2**power, down)
        wide = min(max(places / (tile.split * high), 1), across)
        waves = max(down * across / (high * wide), 1)
        best = min(best, waves * (high * tile.rows * a_bytes + wide * tile.columns * b_bytes))
    return max(k * (best - m * a_bytes - n * b_bytes), 0.0)
