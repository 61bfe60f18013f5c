"""What of a machine shapes GSCore's program: cores, and what their buffers hold."""

from __future__ import annotations

from dataclasses import dataclass

from archsim.arch.machine import Accelerator
from archsim.base.errors import ConfigError, InfeasibleError
from archsim.sim.gs3d.gscore_constants import constant

__all__ = ["GscoreShape"]

_UNITS = ("ccu", "qsu", "bsu", "vru")
_BUFFERS = ("gaussian_fifo", "tile_list", "sort", "feature", "pixel")


@dataclass(frozen=True)
class GscoreShape:
    """What of a machine shapes the program.

    Attributes
    ----------
    cores
        As many as bitonic sorting units; the other units are dealt out evenly.
    qsu_per_core, vru_per_core
        Units of one core.
    list_entries
        Entries of a core's share of the sort buffer.
    group_records
        Feature records of half a core's share of the feature buffer.
    write_pairs
        Pairs of half the tile list buffer.
    core_tiles
        Tiles whose pixels fit in a core's share of the pixel buffer.
    reads_ahead
        Conversion tokens between fetch and conversion: 2 where the input FIFO holds two Gaussians
        per conversion unit, so that one is filled while the other is converted, 1 where it holds
        one. Gaussians of a token stream; a deeper FIFO changes nothing.
    """

    cores: int
    qsu_per_core: int
    vru_per_core: int
    list_entries: int
    group_records: int
    write_pairs: int
    core_tiles: int
    reads_ahead: int

    @staticmethod
    def of(machine: Accelerator, chunk: int, tile: int, gaussian_bytes: int) -> GscoreShape:
        """Read a machine; :class:`ConfigError` when units or buffers do not fit the method."""
        for table, wanted in (("units", _UNITS), ("buffers", _BUFFERS)):
            for name in wanted:
                if name not in getattr(machine, table):
                    raise ConfigError(
                        f"GSCore needs {table[:-1]} {name!r}, which machine {machine.name} lacks",
                        place=f"{machine.name}: {table}",
                        remedy=f"run it on gscore or describe {', '.join(wanted)}",
                    )
        cores = int(machine.units["bsu"].count.value)
        per_core = {}
        for name in ("qsu", "vru"):
            count = int(machine.units[name].count.value)
            per_core[name], rest = divmod(count, cores)
            if rest or not per_core[name]:
                raise InfeasibleError(
                    f"{count} {name} cannot be shared by {cores} cores (one per bsu)",
                    demand=-(-count // cores) * cores,
                    bound=count,
                    unit=name,
                    levers=(f"use a multiple of {cores}",),
                    place=f"{machine.name}: units.{name}.count",
                )
        feature, entry = constant("feature_bytes"), constant("entry_bytes")
        sizes = {name: int(machine.buffers[name].capacity_bytes.value) for name in _BUFFERS}
        state = tile * tile * constant("pixel_state_bytes")
        fetched = gaussian_bytes * int(machine.units["ccu"].count.value)
        for name, need, what in (
            ("pixel", cores * state, f"a tile of {tile}x{tile} pixels per core"),
            ("gaussian_fifo", fetched, "a Gaussian per conversion unit"),
        ):
            if sizes[name] < need:
                raise InfeasibleError(
                    f"{sizes[name]} bytes of {name} are too few for {what}",
                    demand=need,
                    bound=sizes[name],
                    unit="bytes",
                    levers=(f"give at least {need} bytes",),
                    place=f"{machine.name}: buffers.{name}.capacity_bytes",
                )
        shape = GscoreShape(
            cores, per_core["qsu"], per_core["vru"],
            list_entries=sizes["sort"] // cores // entry,
            group_records=sizes["feature"] // cores // 2 // feature,
            write_pairs=sizes["tile_list"] // 2 // entry,
            core_tiles=sizes["pixel"] // cores // state,
            reads_ahead=min(2, sizes["gaussian_fifo"] // fetched),
        )  # fmt: skip
        needs = {"sort": (shape.list_entries, cores * entry), "tile_list": (shape.write_pairs, 0)}
        needs["feature"] = (shape.group_records, 2 * cores * feature)
        for name, (holds, unit) in needs.items():
            least = chunk if unit else 1
            if holds < least:
                demand = max(unit * least, 2 * entry)
                raise InfeasibleError(
                    f"{sizes[name]} bytes of {name} are too few for chunks of {chunk} entries",
                    demand=demand,
                    bound=sizes[name],
                    unit="bytes",
                    levers=(f"give at least {demand} bytes", "smaller chunks"),
                    place=f"{machine.name}: buffers.{name}.capacity_bytes",
                )
        return shape
