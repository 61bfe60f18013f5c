"""What a measure is, and the measures that every domain can use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from archsim.base.interval import Interval
from archsim.claims.bench import Bench
from archsim.claims.bottleneck import bottleneck
from archsim.claims.verdict import Measured, NoData
from archsim.sim.result import SystemResult

__all__ = ["COMMON", "Measure", "interval_of", "per_scene", "slowdowns"]

Arguments = Mapping[str, Any]
_NAMES = ("of", "over", "among")  # arguments that name systems


@dataclass(frozen=True)
class Measure:
    """How a claim is measured, and which systems it always runs besides those it is given.

    The arguments are those of the claim's ``with``, and ``up_to``: whether it is of the best scene.
    """

    take: Callable[[Bench, Arguments], Measured | NoData]
    needs: tuple[str, ...] = ()

    def systems(self, arguments: Arguments) -> list[str]:
        """Return the systems that the measure runs."""
        named: list[str] = []
        for key in _NAMES:
            value = arguments.get(key, [])
            named += [value] if isinstance(value, str) else list(value)
        return [*named, *self.needs]


def per_scene(
    bench: Bench, arguments: Arguments, systems: list[str],
    take: Callable[[dict[str, SystemResult]], Interval],
) -> dict[str, Interval]:  # fmt: skip
    """Return ours on every scene of a claim."""
    results = bench.results(arguments.get("scenes", "default"), systems)
    return {scene: take(found) for scene, found in results.items()}


def interval_of(system: Mapping[str, Any], quantity: str) -> Interval:
    """Return a quantity of a system of ``result.json`` with its interval, if it has one."""
    value = float(system[quantity])
    low, high = system["interval"].get(quantity) or (value, value)
    return Interval(value, low, high)


def slowdowns(bench: Bench, kind: str, of: str, over: str) -> dict[str, float]:
    """Return scene -> time of one system over another's."""
    results = bench.results(kind, [over, of])
    return {scene: found[of].time_s / found[over].time_s for scene, found in results.items()}


def _reasons(bench: Bench, arguments: Arguments, systems: list[str],
             ours: Mapping[str, Interval]) -> str:  # fmt: skip
    """Return what binds the systems in words: on the best scene of a figure "up to", or the first.

    ``ours`` is what was found on each scene.
    """
    kind = arguments.get("scenes", "default")
    scenes = {scene.name: scene for scene in bench.scenes(kind)}
    best = max(ours, key=lambda name: ours[name].value)
    scene = scenes[best if arguments.get("up_to") else next(iter(scenes))]
    found = bench.on(scene, systems)
    return f"on {scene.name} " + "; ".join(bottleneck(found[name]) for name in systems)


def _ratio(bench: Bench, arguments: Arguments) -> Measured | NoData:
    of, over, quantity = arguments["of"], arguments["over"], arguments["quantity"]
    for name in (of, over):
        if not bench.has(name):
            return NoData(f"no machine {name!r} is described")

    def take(found: dict[str, SystemResult]) -> Interval:
        return interval_of(bench.summary(found, over)[of], quantity)

    found = per_scene(bench, arguments, [over, of], take)
    return Measured(found, why=_reasons(bench, arguments, [of, over], found))


def _value(bench: Bench, arguments: Arguments) -> Measured:
    of = arguments["of"]
    systems = [of] if isinstance(of, str) else list(of)

    def take(found: dict[str, SystemResult]) -> Interval:
        summary = bench.summary(found, systems[0])
        parts = [interval_of(summary[name], arguments["quantity"]) for name in systems]
        return Interval(parts[0].value, min(p.low for p in parts), max(p.high for p in parts))

    found = per_scene(bench, arguments, systems, take)
    return Measured(found, why=_reasons(bench, arguments, systems, found))


def _slowdown(bench: Bench, arguments: Arguments) -> Measured:
    of, over = arguments["of"], arguments.get("over", bench.claims.system)
    slower = slowdowns(bench, arguments.get("scenes", "default"), of, over)
    found = {scene: Interval.exact(value) for scene, value in slower.items()}
    return Measured(found, why=_reasons(bench, arguments, [over, of], found))


def _rank(bench: Bench, arguments: Arguments) -> Measured:
    """Place of one change among others by what it does to time, 1 the largest."""
    kind, among = arguments.get("scenes", "default"), list(arguments["among"])
    effect = {name: slowdowns(bench, kind, name, bench.claims.system) for name in among}
    ranks: dict[str, Interval] = {}
    for scene in effect[among[0]]:
        order = sorted(among, key=lambda name: -effect[name][scene])
        ranks[scene] = Interval.exact(order.index(arguments["of"]) + 1)
    shown = {name: sum(by.values()) / len(by) for name, by in effect.items()}
    words = ", ".join(f"{name} {value:.2f}" for name, value in
                      sorted(shown.items(), key=lambda item: -item[1]))  # fmt: skip
    return Measured(
        ranks,
        why=f"times as a multiple, mean of scenes: {words}; "
        + _reasons(bench, arguments, [bench.claims.system], ranks),
    )


#: measures of any system
COMMON: dict[str, Measure] = {
    "ratio": Measure(_ratio),
    "value": Measure(_value),
    "slowdown": Measure(_slowdown),
    "rank": Measure(_rank),
}
