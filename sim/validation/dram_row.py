"""The row-level DRAM model against command-level simulators and analytic bounds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from archsim.arch.dram import DramDevice, load_device
from archsim.sim.dram.row import WRITE_BATCH_BURSTS
from archsim.sim.validation.checks import Check
from archsim.sim.validation.dram_bounds import BOUNDED, bound_row
from archsim.sim.validation.dram_traces import (
    REQUESTS,
    TRACES,
    fit_note,
    line_bits,
    row_clocks,
    row_model,
    simulator_source,
)
from archsim.sim.validation.figures import figures
from archsim.sim.validation.inputs import Inputs
from archsim.sim.validation.row import Row, Tolerance, compare

__all__ = ["CHECKS", "REFERENCES", "RowReference"]

_PART = "dram"
#: What the row model is to keep to on every pattern.
_TOLERANCE = 0.05


@dataclass(frozen=True)
class RowReference:
    """A configuration of ``dram_reference.json`` that a device table describes.

    Attributes
    ----------
    device
        Name of the device table.
    mappings
        The file's mappings by our names.
    write_batch
        Writes that the simulator drains at once.
    timing
        Times of the simulator's file where it differs from the table, by the table's names.
    channels
        Pseudo-channels that the simulator's channel consists of.
    """

    device: str
    mappings: dict[str, str]
    write_batch: int = WRITE_BATCH_BURSTS
    timing: dict[str, float] = field(default_factory=dict)
    channels: int = 1

    def table(self) -> DramDevice:
        """Return the device with the simulator's timing."""
        device = load_device(self.device)
        changed = {
            name: device.timing[name].model_copy(update={"value": value})
            for name, value in self.timing.items()
        }
        return device.model_copy(update={"timing": device.timing | changed})


_GROUPS = {"bgco": "row-bank-column", "cobg": "row-bank-column-group"}
#: Entries of DRAMsim3's write buffer: it drains in batches of that order.
_DRAMSIM3_BATCH = 32
REFERENCES = {
    "ramulator2_DDR4_3200AA": RowReference("ddr4-3200", _GROUPS, timing={"trfc_ns": 360}),
    "ramulator2_LPDDR5_6400": RowReference("lpddr5-6400", _GROUPS),
    "ramulator2_DDR5_4800AN": RowReference(
        "ddr5-4800", {"cobg": "row-bank-column-group"}, timing={"tfaw_ns": 20}
    ),
    "ramulator2_HBM2_2000": RowReference(
        "hbm2-2000", {"cobg": "row-bank-column-group"}, channels=2
    ),
    "ramulator2_GDDR6_14000": RowReference("gddr6-14000", {"cobg": "row-bank-column-group"}),
    "dramsim3_LPDDR4_3200_x16_custom": RowReference(
        "lpddr4-3200", {"bgco": "row-bank-column", "coba": "row-column-bank"}, _DRAMSIM3_BATCH
    ),
    "dramsim3_LPDDR3_1600_x64": RowReference(
        "lpddr3-1600", {"cobg": "row-bank-column"}, _DRAMSIM3_BATCH, timing={"trfc_ns": 210}
    ),
}


def against_simulators(inputs: Inputs) -> Iterator[Row]:
    """Yield the total clocks of every trace with refresh, 20,000 bursts on one channel."""
    file = inputs.json("hardware/dram_reference.json")
    for name, reference in REFERENCES.items():
        configuration = file["configurations"][name]
        source = simulator_source(file, name)
        device = reference.table()
        for short, mapping in reference.mappings.items():
            for key in TRACES:
                dram = row_model(device, mapping, reference.channels)
                ours = row_clocks(dram, key, configuration["L"], REQUESTS, reference.write_batch)
                yield compare(
                    _PART, f"row model, {name} {mapping} {key}", "total clocks",
                    reference=configuration["results"][f"{short}/refresh/{key}"]["cycles_total"],
                    ours=ours, unit="clocks", tolerance=Tolerance.within(_TOLERANCE),
                    source=source,
                    note=fit_note(device.name, mapping, key),
                )  # fmt: skip


def shares_of_the_peak(inputs: Inputs) -> Iterator[Row]:
    """Yield the shares of the peak against published measurements.

    A case of the figures reads ``row model, <device> <mapping> <trace>``.
    """
    known = figures()
    for figure in known.of(_PART, "share of the peak"):
        model, rest = figure.case.split(", ")
        if model == "row model":
            name, mapping, key = rest.split(" ")
            yield known.compare(figure, share_of_the_peak(load_device(name), mapping, key))


def share_of_the_peak(device: DramDevice, mapping: str, key: str) -> float:
    """Return the share of the peak bandwidth that the row model reaches on a trace."""
    bits = line_bits(device)
    clocks = row_clocks(row_model(device, mapping), key, bits, REQUESTS)
    return REQUESTS * device.burst_clocks / clocks


def analytic_bounds(inputs: Inputs) -> Iterator[Row]:
    """Yield the row model against the least clocks that the bursts can take."""
    for name, mapping in BOUNDED:
        device = load_device(name)
        for key in ("stream_r", "random_r"):
            ours = share_of_the_peak(device, mapping, key)
            yield bound_row("row model", device, mapping, key, ours)


CHECKS = (
    Check(_PART, "row model against analytic bounds", analytic_bounds),
    Check(_PART, "row model against published shares of the peak", shares_of_the_peak),
    Check(_PART, "row model against command-level simulators", against_simulators),
)
