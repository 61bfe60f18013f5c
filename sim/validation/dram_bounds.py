"""What a device's timing alone says of the bandwidth that any controller reaches."""

from __future__ import annotations

from archsim.arch.dram import DramDevice, resolve
from archsim.sim.validation.dram_traces import REQUESTS
from archsim.sim.validation.row import Row, Tolerance, compare

__all__ = ["BOUNDED", "bound_row", "highest_share"]

#: Devices with the mapping that suits their streams.
BOUNDED = (
    ("ddr4-3200", "row-bank-column-group"),
    ("lpddr5-6400", "row-bank-column-group"),
    ("lpddr4-3200", "row-bank-column"),
    ("lpddr3-1600", "row-bank-column"),
)
#: How far command-level simulators stay below the bounds at most.
_GAP = 0.06


def highest_share(device: DramDevice, key: str) -> float:
    """Return the largest share of the peak that 20,000 streamed or random reads can reach.

    A stream moves a burst every nBL clocks, single random bursts at most four per nFAW and one
    per nRRD; both stop for nRFC of every nREFI clocks.
    """
    clocks = resolve(device)
    burst = clocks["nBL"]
    random = max(burst, clocks["nRRDS"], clocks["nFAW"] / 4)
    moving = REQUESTS * (burst if key == "stream_r" else random)
    refreshes = moving // (clocks["nREFI"] - clocks["nRFC"])
    return REQUESTS * burst / (moving + refreshes * clocks["nRFC"])


def bound_row(model: str, device: DramDevice, mapping: str, key: str, ours: float) -> Row:
    """Return the row that holds a model's share of the peak against the bound."""
    return compare(
        "dram", f"{model}, {device.name} {mapping} {key}", "share of the peak, upper bound",
        reference=highest_share(device, key), ours=ours, tolerance=Tolerance.below(_GAP),
        source="timing alone: a burst per nBL, random ones four per nFAW, less refreshes",
    )  # fmt: skip
