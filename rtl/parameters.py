"""What a size of the RTL is made of, from the same machine file as the timing model."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from archsim.arch.load import load_machine
from archsim.arch.machine import Accelerator
from archsim.base.errors import ConfigError
from archsim.base.problems import one_of

__all__ = [
    "BURST",
    "COMMANDS",
    "SIZES",
    "SUBTILE",
    "TILE",
    "Parameters",
    "load_parameters",
    "parameters_of",
]

#: Sides of a tile and of a subtile in pixels.
TILE, SUBTILE = 16, 8

#: Beats of a request for coarse records.
BURST = 16

#: Lists and ends of tiles on the way from the list buffer's filling to its reading side.
COMMANDS = 8

_ENTRY_BYTES = 8  # a depth and the number of its features, as in the timing model


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """Everything that the hardware's structure depends on.

    Attributes
    ----------
    machine, size
        Names for reports.
    slices
        Hierarchical filter units with a sorter and render lanes each; a slice renders one tile.
    coarse_filters
        Coarse filter units of a slice.
    coarse_interval, fine_interval
        Cycles between two items of a coarse and of a fine filter unit.
    lanes
        Pixels that a slice blends in a cycle: 8 or 16.
    sorter_keys
        Keys of the bitonic network.
    list_entries
        Survivors of a voxel that are sorted together; longer lists are cut.
    tile_voxels
        Rows of the adjacency and in-degree tables: voxels of a tile; later ones are dropped.
    cells, voxels
        Words of the renaming table and of the voxel directory.
    coarse_fifo, fine_fifo, feature_fifo
        Depth of the FIFOs before the coarse filters, before and behind the fine filter.
    sh_degree
        Degree of the spherical harmonics.
    scale_entries, rotation_entries, base_entries, harmonics_entries
        Codebook words.
    """

    machine: str
    size: str
    slices: int
    coarse_filters: int
    coarse_interval: int
    fine_interval: int
    lanes: int
    sorter_keys: int = 16
    list_entries: int = 1024
    tile_voxels: int = 64
    cells: int = 8192
    voxels: int = 4096
    coarse_fifo: int = 16
    fine_fifo: int = 16
    feature_fifo: int = 16
    sh_degree: int = 2
    scale_entries: int = 4096
    rotation_entries: int = 4096
    base_entries: int = 4096
    harmonics_entries: int = 512

    def __post_init__(self) -> None:
        if self.lanes not in (8, 16):
            raise ConfigError(
                f"lanes must be 8 or 16, found {self.lanes}",
                remedy="a row of a subtile has 8 pixels; for more lanes use more slices",
            )
        for name, value in asdict(self).items():
            if isinstance(value, int) and name != "sh_degree" and value < 1:
                raise ConfigError(f"{name} must be at least 1, found {value}")
        if not 0 <= self.sh_degree <= 3:
            raise ConfigError(f"sh_degree must be 0 to 3, found {self.sh_degree}")

    def describe(self) -> dict[str, Any]:
        """Return all fields, JSON-able."""
        return asdict(self)


#: size -> slices, coarse filters and lanes; None: as the machine has them
SIZES = ("rtl-small", "rtl-slice", "full")


def parameters_of(machine: Accelerator, size: str) -> Parameters:
    """Return the parameters of one size of a StreamingGS machine.

    ``rtl-small`` has one coarse filter unit and one fine filter unit, both with an interval of 8
    cycles, and 8 lanes. ``rtl-slice`` is one hierarchical filter unit of the machine: a fine filter
    unit and its share of coarse filter units, at the machine's intervals, and 16 lanes. ``full``
    has as many slices as the machine has fine filter units.
    """
    if size not in SIZES:
        raise ConfigError(f"unknown size {size!r}; {one_of(size, list(SIZES))}")
    for unit in ("cfu", "ffu", "bsu", "vru"):
        if unit not in machine.units:
            raise ConfigError(f"machine {machine.name} has no unit {unit!r}",
                              place=f"{machine.name}: units",
                              remedy="use streaminggs or a variant of it")  # fmt: skip
    slices = int(machine.units["ffu"].count.value)
    coarse = max(1, int(machine.units["cfu"].count.value) // slices)
    half = int(machine.buffers["sort"].capacity_bytes.value) // 2
    entries = 1 << (max(half // slices // _ENTRY_BYTES, 32).bit_length() - 1)
    if size == "rtl-small":
        return Parameters(machine=machine.name, size=size, slices=1, coarse_filters=1,
                          coarse_interval=8, fine_interval=8, lanes=8,
                          list_entries=entries)  # fmt: skip
    return Parameters(
        machine=machine.name,
        size=size,
        slices=slices if size == "full" else 1,
        coarse_filters=coarse,
        coarse_interval=round(machine.units["cfu"].initiation_interval_cycles.value),
        fine_interval=round(machine.units["ffu"].initiation_interval_cycles.value),
        lanes=16,
        list_entries=entries,
        coarse_fifo=32,
        fine_fifo=32,
        feature_fifo=32,
        sh_degree=3 if size == "full" else 2,
    )


def load_parameters(machine: str, size: str) -> Parameters:
    """Return the parameters of a machine file or shipped machine."""
    described = load_machine(machine)
    if not isinstance(described, Accelerator):
        raise ConfigError(f"machine {machine} is a GPU", remedy="name a StreamingGS machine")
    return parameters_of(described, size)
