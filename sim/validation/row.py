"""One line of a validation: a claim, what it is held to, what came out, and the verdict."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

__all__ = ["Row", "Tolerance", "Verdict", "compare", "skipped"]

#: ``fit``: the model was fitted to the reference, which therefore judges nothing.
Verdict = Literal["pass", "miss", "skip", "fit"]


@dataclass(frozen=True)
class Tolerance:
    """The errors that pass, both ends included.

    A relative error is ours / reference - 1, an absolute one ours - reference in their unit.
    """

    low: float
    high: float
    relative: bool = True

    def __post_init__(self) -> None:
        if not self.low <= 0 <= self.high:
            raise ValueError(f"a tolerance of {self.low} to {self.high} does not hold zero")

    @classmethod
    def within(cls, share: float) -> Tolerance:
        """Return the tolerance of a relative error of at most ``share`` either way."""
        return cls(-share, share)

    @classmethod
    def below(cls, share: float) -> Tolerance:
        """Return the tolerance of an upper bound, missed by at most the relative ``share``."""
        return cls(-share, 0.0)

    @classmethod
    def exact(cls) -> Tolerance:
        """Return the tolerance of figures that must be equal."""
        return cls(0.0, 0.0, relative=False)

    @classmethod
    def absolute(cls, amount: float) -> Tolerance:
        """Return the tolerance of a difference of at most ``amount`` either way."""
        return cls(-amount, amount, relative=False)

    def error(self, reference: float, ours: float) -> float:
        """Return the error that this tolerance is about."""
        if not self.relative:
            return ours - reference
        if reference == 0:
            raise ValueError("a relative error of a reference of zero")
        return ours / reference - 1

    def holds(self, error: float) -> bool:
        """Return whether an error passes; one that is not a number does not."""
        return self.low <= error <= self.high


@dataclass(frozen=True)
class Row:
    """One comparison.

    Attributes
    ----------
    part
        The part of the validation it belongs to.
    case, quantity
        What is compared: the case names the model and its input, the quantity what is measured.
    reference, ours
        The two figures in ``unit``; ``None`` where the row was skipped.
    source
        Where the reference comes from.
    error, tolerance
        As :class:`Tolerance` defines them; ``None`` where the row was skipped.
    note
        What a reader needs to judge the row; why it was skipped.
    deviation
        The id of the known deviation that explains a miss.
    """

    part: str
    case: str
    quantity: str
    verdict: Verdict
    reference: float | None = None
    ours: float | None = None
    unit: str = ""
    source: str = ""
    error: float | None = None
    tolerance: Tolerance | None = None
    note: str = ""
    deviation: str | None = field(default=None, kw_only=True)

    @property
    def claim(self) -> str:
        """Case and quantity in one line."""
        return f"{self.case}: {self.quantity}"

    def to_dict(self) -> dict[str, Any]:
        """Return the row as JSON-able data; figures that are no numbers become ``None``."""
        data = {"claim": self.claim, **asdict(self)}
        for name in ("reference", "ours", "error"):
            if data[name] is not None and not math.isfinite(data[name]):
                data[name] = None
        return data


def compare(
    part: str,
    case: str,
    quantity: str,
    *,
    reference: float,
    ours: float,
    source: str,
    tolerance: Tolerance,
    unit: str = "",
    note: str = "",
    fitted: bool = False,
) -> Row:
    """Return the row that holds ``ours`` against ``reference``; ``fitted`` ones get no verdict."""
    error = tolerance.error(reference, ours)
    verdict: Verdict = "fit" if fitted else "pass" if tolerance.holds(error) else "miss"
    return Row(part, case, quantity, verdict, reference, ours, unit, source, error, tolerance, note)


def skipped(part: str, case: str, quantity: str, missing: str) -> Row:
    """Return the row of what could not be compared for want of ``missing``."""
    return Row(part, case, quantity, "skip", note=missing)
