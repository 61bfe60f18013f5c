"""What of a frame must fit on a StreamingGS machine, and what happens where it does not.

The renaming table, the pixels of a group and the smallest piece of every stream must fit: a
machine that cannot hold them is refused with demand, bound, gap and the levers that close it. The
tables of a group's voxels need not: what is beyond the buffer goes through DRAM once (assumed; the
paper says nothing of it). Streams, the voxel queue and the other queues wait instead.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archsim.arch.machine import Accelerator
from archsim.base.errors import ConfigError, InfeasibleError
from archsim.sim.gs3d.streaminggs_constants import constant
from archsim.sim.gs3d.streaminggs_tokens import Layout
from archsim.traces.gs3d.streaminggs.reuse import FILTER_ENTRIES
from archsim.traces.trace import Trace

__all__ = ["BUFFERS", "FIFOS", "PAIR_FILTER", "UNITS", "OnChip", "filtered_pairs"]

I64 = npt.NDArray[np.int64]

UNITS = ("sampler", "voxel_sorter", "cfu", "ffu", "bsu", "vru")
BUFFERS = (
    "rename", "voxel_table", "coarse", "fine", "codebook", "sort", "feature", "pixel",
)  # fmt: skip
FIFOS = ("ray_hits", "voxel_queue", "survivors", "render_queue")
#: A machine may have it: a filter of the pairs of voxels met last, in front of the voxel sorter.
PAIR_FILTER = "pair_filter"


@dataclass(frozen=True)
class OnChip:
    """What a frame keeps on chip.

    Attributes
    ----------
    rename_bytes
        The grid's renaming table.
    codebook_bytes
        The codebooks; 0 without vector quantisation.
    table_bytes, spilled_bytes : (G,) int64
        Adjacency and in-degree tables of each group, and what of them does not fit.
    state_bytes
        Colour and transmittance of one group.
    tables, states
        How many groups' tables and pixels fit at once; at least 1.
    """

    rename_bytes: int
    codebook_bytes: int
    table_bytes: I64
    spilled_bytes: I64
    state_bytes: int
    tables: int
    states: int

    @staticmethod
    def of(trace: Trace, machine: Accelerator, layout: Layout) -> OnChip:
        """Return it; :class:`ConfigError` when the machine lacks a part or cannot hold a frame.

        The latter is an :class:`InfeasibleError`, which studies count as a point out of reach.
        """
        _check_parts(machine)
        nodes, edges = trace.columns["group.nodes"], trace.columns["group.edges"]
        topological = trace.meta["parameters"]["order"].startswith("dag")
        edge_bytes = constant("edge_bytes") if topological else 0
        table = nodes * constant("node_bytes") + edges * edge_bytes
        cells = int(np.prod(trace.meta["grid"]["cells"]))
        rename = -(-cells // constant("rename_cells")) * constant("rename_bits") // 8
        width, height = trace.meta["parameters"]["group"]
        state = width * height * constant("pixel_state_bytes")
        block = constant("bitonic_width_entries")
        for buffer, need, what, lever in (
            ("rename", rename, "the grid's renaming table", "use larger voxels"),
            ("pixel", state, "the pixels of one group", "use smaller groups"),
            ("codebook", layout.codebook_bytes, "the codebooks", "use smaller codebooks"),
            ("coarse", 2 * layout.coarse_bytes, "two Gaussians of the coarse filter", ""),
            ("fine", 2 * layout.record_bytes, "two Gaussians of the fine filter", ""),
            ("sort", 2 * block * constant("entry_bytes"), "two blocks of a bitonic unit", ""),
            ("feature", 2 * block * constant("feature_bytes"),
             "the features of two bitonic blocks", ""),
        ):  # fmt: skip
            _fit(machine, buffer, need, what, lever or "use the shipped sizes")
        capacity = int(machine.buffers["voxel_table"].capacity_bytes.value)
        return OnChip(
            rename,
            layout.codebook_bytes,
            table.astype(np.int64),
            np.maximum(table - capacity, 0).astype(np.int64),
            state,
            max(1, capacity // max(int(table.max(initial=1)), 1)),
            int(machine.buffers["pixel"].capacity_bytes.value) // state,
        )


def filtered_pairs(machine: Accelerator) -> int:
    """Return the entries of the machine's filter of pairs, 0 without one.

    Raises :class:`ConfigError` for a size that traces do not record.
    """
    if PAIR_FILTER not in machine.fifos:
        return 0
    entries = int(machine.fifos[PAIR_FILTER].depth_items.value)
    if entries not in FILTER_ENTRIES:
        raise ConfigError(
            f"a pair filter of {entries} pairs is not recorded",
            place=f"{machine.name}: fifos.{PAIR_FILTER}.depth_items",
            remedy="use " + ", ".join(str(size) for size in FILTER_ENTRIES[1:]),
        )
    return entries


def _check_parts(machine: Accelerator) -> None:
    for table, wanted in (("units", UNITS), ("buffers", BUFFERS), ("fifos", FIFOS)):
        for name in wanted:
            if name not in getattr(machine, table):
                raise ConfigError(
                    f"StreamingGS needs {table[:-1]} {name!r}, which machine {machine.name} lacks",
                    place=f"{machine.name}: {table}",
                    remedy=f"run it on streaminggs or describe {', '.join(wanted)}",
                )


def _fit(machine: Accelerator, buffer: str, need: int, what: str, lever: str) -> None:
    capacity = int(machine.buffers[buffer].capacity_bytes.value)
    if need > capacity:
        raise InfeasibleError(
            f"{what} take {need} bytes of buffer {buffer}, which holds {capacity} "
            f"({need - capacity} too few)",
            demand=need,
            bound=capacity,
            unit="bytes",
            levers=(lever, f"a buffer of at least {need} bytes"),
            place=f"{machine.name}: buffers.{buffer}.capacity_bytes",
        )
