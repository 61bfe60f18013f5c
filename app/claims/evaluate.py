"""All claims about a system, measured and judged."""

from __future__ import annotations

import importlib
from collections import defaultdict
from collections.abc import Sequence

from archsim.base.errors import ConfigError
from archsim.base.problems import one_of
from archsim.claims.bench import Bench
from archsim.claims.claim import Claim
from archsim.claims.measure import Measure
from archsim.claims.verdict import Row, judge

__all__ = ["chosen_claims", "evaluate"]


def chosen_claims(bench: Bench, ids: Sequence[str]) -> list[Claim]:
    """Return the claims of these ids, all without any; :class:`ConfigError` for a wrong one."""
    rows = {row.id: row for row in bench.claims.rows}
    for name in ids:
        if name not in rows:
            raise ConfigError(
                f"{bench.claims.system} has no claim {name!r}", remedy=one_of(name, list(rows))
            )
    return [rows[name] for name in ids] if ids else list(bench.claims.rows)


def evaluate(bench: Bench, claims: Sequence[Claim]) -> list[Row]:
    """Measure claims; systems of one scene are run together, so that it is decoded once."""
    measures: dict[str, Measure] = importlib.import_module(
        f"archsim.claims.{bench.claims.measures}"
    ).MEASURES
    unknown = [claim for claim in claims if claim.measure not in measures]
    if unknown:
        raise ConfigError(
            f"claim {unknown[0].id}: no measure {unknown[0].measure!r}",
            place=f"claims/{bench.claims.system}.yaml",
            remedy=one_of(unknown[0].measure, list(measures)),
        )
    wanted: dict[str, dict[str, None]] = defaultdict(dict)
    for claim in claims:
        systems = measures[claim.measure].systems(claim.arguments)
        here = dict.fromkeys(name for name in systems if bench.has(name))
        wanted[claim.arguments.get("scenes", "default")] |= here
    for kind, together in wanted.items():
        if together:
            bench.results(kind, together)
    return [
        judge(
            claim,
            measures[claim.measure].take(bench, {**claim.arguments, "up_to": claim.up_to}),
        )
        for claim in claims
    ]
