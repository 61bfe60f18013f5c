"""What a system's time goes to, in a sentence."""

from __future__ import annotations

from archsim.sim.result import SystemResult
from archsim.words import TIMES, percent, quantity, size

__all__ = ["bottleneck"]

_BOUND = 0.6  # of the time: a unit whose bound is longer binds


def bottleneck(result: SystemResult) -> str:
    """Return what binds a system on its first frame: a bound by hand, or the busiest unit."""
    frame = result.frames[0]
    time_s = frame.time_ps * 1e-12
    if frame.bounds and frame.bounds[0]["bound_ps"] >= _BOUND * frame.time_ps:
        row = frame.bounds[0]
        if row["servers"] is None:
            what = f"{size(row['items'])}B at {quantity(result.dram_peak_bytes_per_s, 'B/s')}"
        else:
            what = (f"{size(row['items'])} {row['what']} {TIMES} {row['interval_cycles']:g} "
                    f"cycles / {row['servers']}")  # fmt: skip
        return (
            f"{result.name} is bound by {row['unit']}: {what} take "
            f"{quantity(row['bound_ps'] * 1e-12, 's')} of {quantity(time_s, 's')}"
        )
    shares = {
        unit: {cause: ps / max(sum(causes.values()), 1) for cause, ps in causes.items()}
        for unit, causes in frame.time_by_cause_ps.items()
    }
    unit = max(shares, key=lambda name: shares[name].get("busy", 0.0))
    causes = {cause: share for cause, share in shares[unit].items() if cause != "busy"}
    wait = max(causes, key=lambda cause: causes[cause])
    return (
        f"{result.name} takes {quantity(time_s, 's')}; its busiest unit is {unit}, "
        f"{percent(shares[unit]['busy'])} busy and {percent(causes[wait])} {wait}"
    )
