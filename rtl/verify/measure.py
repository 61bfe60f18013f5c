"""A block's whole bench through the library: bits, bins and toggles in one result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from archsim.rtl.tools.library import build_library
from archsim.rtl.verify.bench import Bench, Seen, check
from archsim.rtl.verify.toggles import Toggles

__all__ = ["LEAST_TOGGLED", "Verified", "verify_block"]

#: Share of a block's port bits that must rise and fall, those that cannot included.
LEAST_TOGGLED = 0.95
#: Stalls of inputs and of outputs in percent; the last makes gaps of many cycles.
_STALLS = ((0, 0), (30, 30), (60, 0), (0, 60), (95, 95))
_SHORT_BEATS = 2_000


@dataclass
class Verified:
    """What the runs of a block showed; that there is one means that every bit was the model's.

    Attributes
    ----------
    bench
        The block's row.
    vectors, cycles, simulation_s
        Beats of each run's busiest stream, cycles and CPU seconds of the hardware, of all runs.
    longest
        Beats of the busiest stream in the longest run.
    hit
        Whether each bin happened.
    toggles
        What rose and fell.
    """

    bench: Bench
    toggles: Toggles
    vectors: int = 0
    cycles: int = 0
    simulation_s: float = 0.0
    longest: int = 0
    hit: dict[str, bool] = field(default_factory=dict)

    def add(self, seen: Seen) -> None:
        """Add a run."""
        beats = max(one.beats for one in seen.run.streams.values())
        self.vectors += beats
        self.longest = max(self.longest, beats)
        self.cycles += seen.run.cycles
        self.simulation_s += seen.cpu_s
        for name, happened in self.bench.bins.items():
            self.hit[name] = self.hit.get(name, False) or happened(seen)
        self.toggles.add(seen.packed, seen.run.streams)

    def shortcomings(self) -> list[str]:
        """Return what the runs left out: bins, bits, and listed bits that toggled after all."""
        never = set(self.toggles.missing())
        still = {bit.split(":")[0] for bit in never} | never
        short = [f"never happened: {name}" for name, happened in self.hit.items() if not happened]
        short += [f"never toggled: {bit}" for bit in self.toggles.missing(self.bench.cannot_toggle)]
        short += [f"toggled, though listed as fixed: {bit}"
                  for bit in self.bench.cannot_toggle if bit not in still]  # fmt: skip
        if self.toggles.fraction() < LEAST_TOGGLED:
            short.append(f"{self.toggles.fraction():.1%} of the port bits toggled, "
                         f"{LEAST_TOGGLED:.0%} are asked for")  # fmt: skip
        return short


def verify_block(
    bench: Bench, *, beats: int | None = None, seed: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Verified:  # fmt: skip
    """Run a block's corners, short runs at several rates of stalls, and one of ``beats`` vectors.

    Raises ``AssertionError`` at the first bit that is not the model's, and
    :class:`~archsim.rtl.tools.library.RtlError` for a broken contract, a failed assertion of the
    hardware or a hang.
    """
    component, library = bench.make(), build_library(bench.make(), made_from=bench.made_from)
    rng = np.random.default_rng(seed)
    given = [(one, (stall, stall)) for one in bench.directed() for stall in (0, 40)]
    given += [(bench.random(rng, _SHORT_BEATS), stalls) for stalls in _STALLS]
    given += [(bench.random(rng, bench.beats if beats is None else beats), (10, 10))]
    verified = Verified(bench, Toggles(library.interface))
    for number, (stimulus, (fed, taken)) in enumerate(given):
        stalls: dict[str, float] = {
            s.name: fed if s.direction == "in" else taken for s in library.interface.streams
        }
        verified.add(check(bench, component, library, stimulus, stall_percent=stalls, seed=number))
        if progress is not None:
            progress(number + 1, len(given))
    return verified
