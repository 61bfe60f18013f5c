"""What flows through StreamingGS's pipeline: visits of voxels, and where their data lie in DRAM."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archsim.sim.gs3d.memo import remembered
from archsim.sim.gs3d.streaminggs_constants import constant
from archsim.sim.gs3d.streaminggs_filter import Passed
from archsim.sim.program import MemoryRuns
from archsim.traces.gs3d.streaminggs.layout import WORD_BYTES
from archsim.traces.trace import Trace

__all__ = ["Layout", "Tokens", "cut_tokens", "pixel_runs"]

I64 = npt.NDArray[np.int64]

_PAGE_BYTES = 4096  # sections of the scene start on pages
_TASKS_PER_TOKEN = 6  # coarse stream, coarse filter, fine stream, fine filter, sort, render
_TASKS_PER_GROUP = 4  # ray sampling, ordering, directory, pixels


@dataclass(frozen=True)
class Tokens:
    """n tokens in group order; a token is one visit, or consecutive visits of one group.

    Attributes
    ----------
    visit_start : (n + 1,) int64
        Token i stands for visits ``visit_start[i]:visit_start[i + 1]``.
    group : (n,) int64
    """

    visit_start: I64
    group: I64

    def sum(self, values: npt.NDArray[np.int64]) -> I64:
        """Return the sum of a per-visit column over each token; also of (visits, k) columns."""
        total = np.concatenate([np.zeros((1, *values.shape[1:]), np.int64),
                                np.cumsum(values, axis=0, dtype=np.int64)])  # fmt: skip
        sums: I64 = total[self.visit_start[1:]] - total[self.visit_start[:-1]]
        return sums


def cut_tokens(trace: Trace, max_tasks: int) -> Tokens:
    """Return one token per visit, or as few visits per token as keep a frame under ``max_tasks``.

    Every group with visits keeps at least one token.
    """
    start = trace.columns["group.start"]
    visits = np.diff(start)
    allowed = (max_tasks - _TASKS_PER_GROUP * visits.size) // _TASKS_PER_TOKEN
    per_token = 1
    while per_token < visits.max(initial=1) and int((-(-visits // per_token)).sum()) > allowed:
        per_token += 1
    tokens = -(-visits // per_token)
    group = np.repeat(np.arange(visits.size), tokens)
    rank = np.arange(group.size) - np.repeat(np.cumsum(tokens) - tokens, tokens)
    return Tokens(np.append(start[:-1][group] + rank * per_token, start[-1]), group)


@dataclass(frozen=True)
class Layout:
    """Byte addresses: directory of voxels, coarse halves, fine halves, frame buffer, spill.

    The scene is stored in two halves, as the trace says
    (:mod:`archsim.traces.gs3d.streaminggs.layout`): the coarse half holds the four FP32 words of
    the coarse filter, the fine half indices into codebooks or all other parameters in FP32.

    Attributes
    ----------
    coarse_bytes, fine_bytes
        One Gaussian's record in each half.
    decoded_bytes, codebook_bytes
        What the codebooks give for one record, and their size; 0 without vector quantisation.
    coarse, fine, frame, spill
        First byte of the coarse half, the fine half, the frame buffer and what does not fit on
        chip; the directory is at 0.
    coarse_start, fine_start : (M,) int64
        First byte of each voxel in each half, from the half's first byte.
    """

    coarse_bytes: int
    fine_bytes: int
    decoded_bytes: int
    codebook_bytes: int
    coarse: int
    fine: int
    frame: int
    spill: int
    coarse_start: I64
    fine_start: I64

    @staticmethod
    def of(trace: Trace) -> Layout:
        """Lay a trace's scene out in memory."""
        stored, books = trace.meta["layout"], trace.meta["vq"]
        voxels = int(trace.columns["voxel.count"].size)
        coarse = _next_page(voxels * constant("directory_bytes"))
        fine = _next_page(coarse + stored["coarse_half_bytes"])
        frame = _next_page(fine + stored["fine_half_bytes"])
        width, height = trace.meta["resolution"]
        spill = _next_page(frame + width * height * constant("pixel_bytes"))
        # position and opacity come from memory, all else from codebooks
        words = int(trace.meta["parameters_per_gaussian"]) - 4
        quantised = books["kind"] != "none"
        return Layout(
            stored["coarse_record_bytes"], stored["fine_record_bytes"],
            WORD_BYTES * words if quantised else 0,
            books["codebook_bytes"] if quantised else 0,
            coarse, fine, frame, spill,
            trace.columns["voxel.coarse_start_bytes"], trace.columns["voxel.fine_start_bytes"],
        )  # fmt: skip

    @property
    def record_bytes(self) -> int:
        """One Gaussian's record as the fine filter reads it: both halves."""
        return self.coarse_bytes + self.fine_bytes

    def after_tables(self, spilled_bytes: I64) -> int:
        """Return the first byte behind the voxel tables that do not fit on chip."""
        return _next_page(self.spill + int(spilled_bytes.sum()))

    def directory_runs(self, trace: Trace, groups: I64) -> MemoryRuns:
        """Return one run per visited voxel of each of ``groups``."""
        size = constant("directory_bytes")
        start = trace.columns["group.start"]
        ptr = np.concatenate([[0], np.cumsum(np.diff(start)[groups])])
        address = trace.columns["visit.voxel"].astype(np.int64) * size
        return MemoryRuns(ptr, address, np.full(address.size, size, np.int64))

    def coarse_runs(self, trace: Trace, tokens: Tokens) -> MemoryRuns:
        """Return one run per visit: the whole coarse half of its voxel."""
        return MemoryRuns(
            tokens.visit_start,
            self.coarse + self.coarse_start[trace.columns["visit.voxel"]],
            trace.columns["visit.loaded"] * self.coarse_bytes,
        )

    def fine_runs(self, trace: Trace, tokens: Tokens, passed: Passed) -> MemoryRuns:
        """Return the fine records that are read; neighbours of one visit form one run."""
        voxel = trace.columns["visit.voxel"]
        if passed.rule != "both":  # whole voxels
            return MemoryRuns(
                tokens.visit_start, self.fine + self.fine_start[voxel],
                passed.projected * self.fine_bytes,
            )  # fmt: skip
        start = trace.columns["visit.survivor_start"]
        first, visit, position, length = remembered(trace, "fine runs", lambda: _survivors(trace))
        ptr = np.searchsorted(first, start[tokens.visit_start])
        begin = self.fine + self.fine_start[voxel][visit] + position * self.fine_bytes
        return MemoryRuns(ptr.astype(np.int64), begin, length * self.fine_bytes)


def _survivors(trace: Trace) -> tuple[I64, I64, I64, I64]:
    """Return runs of neighbouring survivors: first survivor, visit, place in the voxel, length."""
    start, rank = trace.columns["visit.survivor_start"], trace.columns["survivor.rank"]
    begins = np.ones(rank.size, np.bool_)
    begins[1:] = np.diff(rank) != 1
    begins[start[:-1][np.diff(start) > 0]] = True
    first = np.flatnonzero(begins)
    visit = np.searchsorted(start, first, side="right") - 1
    length = np.diff(np.append(first, rank.size)).astype(np.int64)
    return first, visit, rank[first].astype(np.int64), length


def pixel_runs(trace: Trace, frame: int) -> MemoryRuns:
    """Return each group's pixels, one run per row of pixels, in a row-major frame buffer."""
    width, height = trace.meta["resolution"]
    group_w, group_h = trace.meta["parameters"]["group"]
    size = constant("pixel_bytes")
    across, down = -(-width // group_w), -(-height // group_h)
    gx, gy = np.tile(np.arange(across), down), np.repeat(np.arange(down), across)
    rows = np.minimum(group_h, height - gy * group_h)
    group = np.repeat(np.arange(rows.size), rows)
    ptr = np.concatenate([[0], np.cumsum(rows)])
    y = gy[group] * group_h + np.arange(group.size) - ptr[group]
    x = gx[group] * group_w
    return MemoryRuns(
        ptr.astype(np.int64),
        (frame + (y * width + x) * size).astype(np.int64),
        (np.minimum(group_w, width - x) * size).astype(np.int64),
    )


def _next_page(address: int) -> int:
    return -(-address // _PAGE_BYTES) * _PAGE_BYTES
