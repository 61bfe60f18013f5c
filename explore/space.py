"""The design space: parameters, linked and conditional, and the points in it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from archsim.base.problems import one_of
from archsim.explore.axis import Axis, Parameter, same
from archsim.explore.expression import Expression

__all__ = ["Point", "Space", "SpaceError"]

#: Parameter -> value, of the parameters that exist at this point.
Point = dict[str, Any]


class SpaceError(ValueError):
    """A space that cannot be searched; ``where`` is the path of what is wrong, inside the study."""

    def __init__(self, where: tuple[str, ...], message: str, remedy: str | None = None):
        super().__init__(message)
        self.where, self.message, self.remedy = where, message, remedy


class Space:
    """Parameters in order, and values linked to them.

    Raises :class:`SpaceError` for a space that is empty or contradicts itself: two parameters at
    one path, a condition that never holds, a parameter that waits for itself.
    """

    def __init__(self, parameters: Mapping[str, Parameter], links: Mapping[str, str] | None = None):
        if not parameters:
            raise SpaceError(("space",), "is empty", "give at least one parameter")
        self.axes: dict[str, Axis] = {}
        for name, parameter in parameters.items():
            try:
                self.axes[name] = Axis(name, parameter)
            except ValueError as error:
                raise SpaceError(("space", name), str(error)) from error
        self._check_conditions()
        self.links = {path: self._link(path, text) for path, text in (links or {}).items()}
        self._check_paths()

    def __len__(self) -> int:
        return len(self.axes)

    def exists(self, name: str, point: Mapping[str, Any]) -> bool:
        """Return whether a parameter exists beside the values of the earlier ones in ``point``."""
        return all(
            other in point and any(same(point[other], value) for value in values)
            for other, values in self.axes[name].parameter.when.items()
        )

    def choose(self, choice: Callable[[Axis], Any]) -> Point:
        """Return the point whose parameters have the values that ``choice`` gives."""
        point: Point = {}
        for name, axis in self.axes.items():
            if self.exists(name, point):
                point[name] = choice(axis)
        return point

    def at(self, shares: Mapping[str, float]) -> Point:
        """Return the point at these shares in [0, 1) of every axis."""
        return self.choose(lambda axis: axis.at(shares[axis.name]))

    def changed(self, point: Point, name: str, value: Any) -> Point:
        """Return ``point`` with one value changed.

        Parameters that begin to exist by that take their first value.
        """
        wanted = {**point, name: value}
        return self.choose(lambda axis: wanted[axis.name] if axis.name in wanted else axis.at(0.0))

    def neighbours(self, point: Point, distance: float = 0.1) -> list[Point]:
        """Return the points one step from ``point`` along each parameter, in order."""
        return [
            self.changed(point, name, value)
            for name in point
            for value in self.axes[name].neighbours(point[name], distance)
        ]

    def grid(self) -> Iterator[Point]:
        """Give every point of a space that can be counted, the last parameter fastest.

        Raises :class:`SpaceError` where a parameter is continuous.
        """
        for name, axis in self.axes.items():
            if axis.levels is None:
                raise SpaceError(("space", name), "a grid needs values that can be counted",
                                 "give a step (range) or a factor (log_range)")  # fmt: skip
        yield from self._grid(list(self.axes), {})

    def _grid(self, names: list[str], point: Point) -> Iterator[Point]:
        if not names:
            yield dict(point)
            return
        name, rest = names[0], names[1:]
        if not self.exists(name, point):
            yield from self._grid(rest, point)
            return
        for value in self.axes[name].levels or ():
            yield from self._grid(rest, {**point, name: value})

    @property
    def size(self) -> int | None:
        """How many points there are; ``None`` where a parameter is continuous."""
        if any(axis.levels is None for axis in self.axes.values()):
            return None
        # only parameters that decide, or are decided upon, have to be gone through
        tied = {name for name, axis in self.axes.items() if axis.parameter.when}
        tied |= {other for axis in self.axes.values() for other in axis.parameter.when}
        free = [axis for name, axis in self.axes.items() if name not in tied]
        combinations = sum(1 for _ in self._grid([n for n in self.axes if n in tied], {}))
        return combinations * math.prod(len(axis.levels or ()) for axis in free)

    def key(self, point: Point) -> str:
        """Return text that is the same for the same point."""
        return json.dumps({name: point[name] for name in self.axes if name in point},
                          separators=(",", ":"))  # fmt: skip

    def rank(self, point: Point) -> tuple[float, ...]:
        """Return numbers that sort points: by each parameter in order, absent ones first."""
        return tuple(
            axis.rank(point[name]) if name in point else -float("inf")
            for name, axis in self.axes.items()
        )

    def contains(self, point: Mapping[str, Any]) -> bool:
        """Return whether these are the parameters and values of one point."""
        expected = self.choose(lambda axis: point.get(axis.name))
        return set(expected) == set(point) and all(
            self.axes[name].has(value) for name, value in point.items()
        )

    def settings(self, point: Point) -> dict[str, Any]:
        """Return path -> value of everything the point sets, linked values included."""
        found: dict[str, Any] = {}
        for name, value in point.items():
            found.update(self.axes[name].parameter.settings(value))
        for path, expression in self.links.items():
            if expression.names <= set(point):
                found[path] = expression(point)
        return found

    def _check_conditions(self) -> None:
        seen: list[str] = []
        for name, axis in self.axes.items():
            for other, values in axis.parameter.when.items():
                where = ("space", name, "when")
                if other not in seen:
                    later = other in self.axes
                    raise SpaceError(
                        where,
                        f"{other!r} is no parameter before {name!r}"
                        if later else f"there is no parameter {other!r}",
                        "list the parameter that decides first"
                        if later else one_of(other, list(self.axes)),
                    )  # fmt: skip
                for value in values:
                    if not self.axes[other].has(value):
                        raise SpaceError(
                            (*where, other),
                            f"{other} never is {value!r}, so {name} would never exist so",
                            f"its values are {self._shown(other)}",
                        )
            seen.append(name)

    def _link(self, path: str, text: str) -> Expression:
        try:
            expression = Expression(text)
        except ValueError as error:
            raise SpaceError(("links", path), str(error)) from error
        for name in sorted(expression.names):
            if name not in self.axes:
                raise SpaceError(("links", path), f"there is no parameter {name!r}",
                                 one_of(name, list(self.axes)))  # fmt: skip
            if not (axis := self.axes[name]).ordered:
                raise SpaceError(("links", path), f"{axis.name} has values that are no numbers")
        return expression

    def _check_paths(self) -> None:
        owners: dict[str, list[str]] = {}
        for name, axis in self.axes.items():
            for path in axis.parameter.paths:
                owners.setdefault(path, []).append(name)
        for path in self.links:
            if path in owners:
                raise SpaceError(("links", path), f"parameter {owners[path][0]} sets this, too",
                                 "keep one of the two")  # fmt: skip
        for path, names in owners.items():
            for i, a in enumerate(names):
                for b in names[i + 1 :]:
                    if not self._exclusive(a, b):
                        raise SpaceError(
                            ("space", b), f"sets {path}, as {a} does",
                            "keep one, or give them conditions (when) of which one holds at a time",
                        )  # fmt: skip

    def _exclusive(self, a: str, b: str) -> bool:
        """Return whether two parameters can never exist together, by their own conditions."""
        first, second = (self.axes[name].parameter.when for name in (a, b))
        return any(
            not any(same(x, y) for x in first[other] for y in second[other])
            for other in set(first) & set(second)
        )

    def _shown(self, name: str) -> str:
        levels = self.axes[name].levels
        if levels is None:
            return "{:g} to {:g}".format(*self.axes[name].span)
        return ", ".join(map(str, levels[:8])) + (", ..." if len(levels) > 8 else "")
