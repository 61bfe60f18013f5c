"""Where a scene's voxels lie in DRAM, and what their visits read of it.

Two halves, each voxel by voxel (StreamingGS, DAC 2025; second-hand). The coarse half holds the four
FP32 words of the coarse filter, x, y, z and the largest scale, 16 bytes a Gaussian. The fine half
holds a record of everything else: indices and opacity, packed to whole bytes, or all other
parameters in FP32. Inside a voxel records follow each other without gaps; a voxel starts on a
multiple of the alignment in both halves, so that no burst holds two voxels (assumed: the paper's
alignment was not found).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from archsim.base.jit import njit
from archsim.traces.trace import Trace

__all__ = [
    "BURST_BYTES",
    "COARSE_WORDS",
    "WORD_BYTES",
    "VoxelLayout",
    "VoxelTraffic",
    "voxel_traffic",
    "vq_savings",
]

I64 = npt.NDArray[np.int64]
Array = npt.NDArray[Any]

#: FP32.
WORD_BYTES = 4
#: Words of the coarse filter: x, y, z, largest scale.
COARSE_WORDS = 4
#: Bytes of a burst that recorded traffic is counted in, and the alignment of voxels: LPDDR3 x32 in
#: bursts of 8, LPDDR4 and LPDDR5 x16 in bursts of 16 (JEDEC). Machines count their own.
BURST_BYTES = 32


@dataclass(frozen=True)
class VoxelLayout:
    """Sizes and places of M voxels, in bytes from the start of each half.

    Attributes
    ----------
    coarse_record_bytes, fine_record_bytes
        A Gaussian's record in each half.
    fine_record_bits
        Bits in use of a fine record.
    alignment_bytes
        Every voxel starts on a multiple of it, in both halves.
    coarse_half_bytes, fine_half_bytes
        Size of each half.
    coarse_start, fine_start : (M,) int64
        First byte of each voxel.
    """

    coarse_record_bytes: int
    fine_record_bytes: int
    fine_record_bits: int
    alignment_bytes: int
    coarse_half_bytes: int
    fine_half_bytes: int
    coarse_start: I64
    fine_start: I64

    @staticmethod
    def of(count: I64, fine_record_bits: int, alignment_bytes: int = BURST_BYTES) -> VoxelLayout:
        """Lay out voxels of ``count`` Gaussians each, shape (M,)."""
        coarse_bytes, fine_bytes = COARSE_WORDS * WORD_BYTES, -(-fine_record_bits // 8)
        ends = [
            np.concatenate([[0], np.cumsum(-(-count * size // alignment_bytes) * alignment_bytes)])
            for size in (coarse_bytes, fine_bytes)
        ]
        return VoxelLayout(
            coarse_bytes, fine_bytes, fine_record_bits, alignment_bytes,
            int(ends[0][-1]), int(ends[1][-1]), ends[0][:-1], ends[1][:-1],
        )  # fmt: skip

    def meta(self) -> dict[str, int]:
        """Return the sizes, JSON-able."""
        return {name: value for name, value in asdict(self).items() if isinstance(value, int)}


@dataclass(frozen=True)
class VoxelTraffic:
    """Bytes that visits read: of the records alone, and of the bursts that hold them."""

    packed_bytes: int
    burst_bytes: int

    def saving_over(self, other: VoxelTraffic) -> dict[str, float]:
        """Return the fraction of ``other`` that is not read, ``packed`` and in ``bursts``."""
        return {
            "packed": 1.0 - self.packed_bytes / max(other.packed_bytes, 1),
            "bursts": 1.0 - self.burst_bytes / max(other.burst_bytes, 1),
        }


def voxel_traffic(
    layout: VoxelLayout, voxel: Array, loaded: I64, survivor_start: I64, survivor_rank: Array,
    burst_bytes: int = BURST_BYTES,
) -> VoxelTraffic:  # fmt: skip
    """Return what visits read: a voxel's whole coarse half, and its survivors' fine records.

    Parameters
    ----------
    voxel, loaded : (n,)
        The voxel of each visit, and its Gaussians.
    survivor_start : (n + 1,); survivor_rank
        Visit i's survivors are ``survivor_rank[survivor_start[i]:survivor_start[i + 1]]``, places
        inside the voxel, increasing. Bursts that hold several of them are read once per visit.
    """
    coarse_bytes = layout.coarse_record_bytes * loaded
    coarse_first = layout.coarse_start[voxel]
    coarse = _bursts(coarse_first, coarse_bytes, burst_bytes)
    fine = _record_bursts(
        layout.fine_start[voxel], survivor_start, survivor_rank, layout.fine_record_bytes,
        burst_bytes,
    )  # fmt: skip
    packed = int(coarse_bytes.sum()) + layout.fine_record_bytes * len(survivor_rank)
    return VoxelTraffic(packed, burst_bytes * (int(coarse.sum()) + int(fine)))


def vq_savings(
    trace: Trace, *, sh_degree: int | None = None, burst_bytes: int = BURST_BYTES
) -> dict[str, dict[str, float]]:
    """Return the share of voxel traffic that a recorded frame's vector quantisation saves.

    Of the same visits and survivors; compare with the published 92.3 % (second-hand: of which
    traffic is not known). Keys, each with ``packed`` and ``bursts``:

    ``with_filter``
        Against coarse words for all and the other parameters, FP32, of the coarse survivors.
    ``without_filter``
        Against all parameters, FP32, of all Gaussians: the filter's saving is in it.

    ``sh_degree`` asks for records as they would be at another degree than the scene's, with the
    index into the harmonics' codebook (0 bits at degree 0). All are 0 for a trace without
    vector quantisation and with the filter.
    """
    columns, meta = trace.columns, trace.meta
    degree = int(meta["sh_degree"]) if sh_degree is None else sh_degree
    words = 11 + 3 * (degree + 1) ** 2
    fine_bits = 8 * WORD_BYTES * (words - COARSE_WORDS)
    stored_bits = fine_bits
    if meta["vq"]["kind"] != "none":
        bits = dict(meta["vq"]["index_bits"])
        bits["sh"] = (int(meta["vq"]["sizes"]["sh"]) - 1).bit_length() if degree else 0
        stored_bits = sum(bits.values())
    count = columns["voxel.count"]
    voxel, loaded = columns["visit.voxel"], columns["visit.loaded"]
    alignment = int(meta["layout"]["alignment_bytes"])
    stored, plain = (
        voxel_traffic(
            VoxelLayout.of(count, bits, alignment), voxel, loaded,
            columns["visit.survivor_start"], columns["survivor.rank"], burst_bytes,
        )
        for bits in (stored_bits, fine_bits)
    )  # fmt: skip
    whole = WORD_BYTES * words * loaded
    first = np.concatenate(
        [[0], np.cumsum(-(-count * WORD_BYTES * words // alignment) * alignment)]
    )
    everything = VoxelTraffic(
        int(whole.sum()), burst_bytes * int(_bursts(first[voxel], whole, burst_bytes).sum())
    )
    return {
        "with_filter": stored.saving_over(plain),
        "without_filter": stored.saving_over(everything),
    }


def _bursts(first: I64, size: I64, burst_bytes: int) -> I64:
    """Return how many bursts each range of bytes touches."""
    count: I64 = (first + size - 1) // burst_bytes - first // burst_bytes + 1
    return np.where(size > 0, count, 0)


@njit()
def _record_bursts(
    voxel_first: Array, start: Array, rank: Array, record_bytes: int, burst_bytes: int
) -> int:
    """Count the bursts that hold records; one that holds several of a visit counts once."""
    total = 0
    for visit in range(voxel_first.shape[0]):
        seen = np.int64(-1)
        for i in range(start[visit], start[visit + 1]):
            byte = voxel_first[visit] + np.int64(rank[i]) * record_bytes
            first = max(byte // burst_bytes, seen + 1)
            last = (byte + record_bytes - 1) // burst_bytes
            total += last - first + 1
            seen = last
    return total
