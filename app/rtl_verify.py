"""``archsim rtl verify``: every block's bench, and what it covered."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from rich.table import Table

from archsim.base.errors import CheckError, ConfigError
from archsim.base.problems import one_of
from archsim.progress import Reporter
from archsim.words import DASH

__all__ = ["verify_rtl"]

_COCOTB_BEATS = 3_000


def verify_rtl(
    names: list[str], beats: int | None, seed: int, cocotb: bool, reporter: Reporter
) -> tuple[Table, list[str]]:
    """Run the benches of the named blocks, or of all; return the table and what was left out.

    Raises :class:`CheckError` at the first block that is not its model, bit for bit, or breaks the
    contract of a stream.
    """
    from archsim.rtl.tools.environment import need_package

    need_package("amaranth", "rtl")
    from archsim.rtl.tools.library import RtlError
    from archsim.rtl.verify.measure import verify_block
    from archsim.rtl.verify.table import BENCHES

    known = [bench.name for bench in BENCHES]
    for name in names:
        if name not in known:
            raise ConfigError(f"unknown block {name!r}; {one_of(name, known)}")
    chosen = [bench for bench in BENCHES if not names or bench.name in names]
    verified = []
    for bench in chosen:
        with reporter.step(f"{bench.name}: build, then feed") as done:
            try:
                verified.append(verify_block(bench, beats=beats, seed=seed, progress=done))
            except (AssertionError, RtlError) as error:
                raise CheckError(
                    f"{bench.name}: {error}", remedy="report the block and the seed"
                ) from None
    rates = _cocotb_rates(chosen, seed, reporter) if cocotb else {}
    table = _table(verified, rates, seed)
    return table, [f"{one.bench.name}: {what}" for one in verified for what in one.shortcomings()]


def _cocotb_rates(benches: list[Any], seed: int, reporter: Reporter) -> dict[str, str]:
    """Drive the blocks from cocotb, too; return beats and cycles a CPU second, by block."""
    import numpy as np

    from archsim.rtl.verify.jobs import run_jobs

    rates = {}
    # what takes long to build has a simulator of its own
    for group in (False, True):
        given = [(bench, bench.random(np.random.default_rng(seed), _COCOTB_BEATS))
                 for bench in benches if bench.heavy == group]  # fmt: skip
        if not given:
            continue
        what = ", ".join(bench.name for bench, _ in given) if group else f"{len(given)} blocks"
        with (
            reporter.step(f"cocotb: {what}"),
            tempfile.TemporaryDirectory(prefix="archsim-cocotb-") as folder,
        ):
            results = run_jobs(given, Path(folder), seed=seed)
        for name, result in results.items():
            if result.error:
                raise CheckError(f"{name} under cocotb: {result.error}",
                                 remedy="report the block and the seed")  # fmt: skip
            rates[name] = f"{result.beats:,} at {result.cycles / result.cpu_s / 1e3:.0f} k/s"
    return rates


def _table(verified: list[Any], rates: dict[str, str], seed: int) -> Table:
    table = Table(title=f"blocks equal to their models, bit for bit (seed {seed})")
    columns = ("block", "vectors", "cycles", "M cycles/s", "bins hit", "port bits toggled",
               "fixed", *(["cocotb: beats, cycles"] if rates else []))  # fmt: skip
    for name in columns:
        table.add_column(name, justify="left" if name == "block" else "right")
    for one in verified:
        rate = f"{one.cycles / one.simulation_s / 1e6:.2f}" if one.simulation_s else DASH
        fixed = len(one.toggles.missing())
        table.add_row(
            one.bench.name, f"{one.vectors:,}", f"{one.cycles:,}", rate,
            f"{sum(one.hit.values())} of {len(one.hit)}", f"{one.toggles.fraction():.1%}",
            f"{fixed:,}", *([rates[one.bench.name]] if rates else []),
        )  # fmt: skip
    return table
