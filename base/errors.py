"""Errors a user can act on: what is wrong, where, and the remedy; each with its exit status."""

from __future__ import annotations

__all__ = [
    "ArchsimError",
    "CheckError",
    "ConfigError",
    "DeadlockError",
    "InfeasibleError",
    "InputError",
    "OutputError",
    "ResourceError",
]


class ArchsimError(Exception):
    """Something the user can act on.

    Parameters
    ----------
    message
        What is wrong, in one sentence.
    place
        Where: a file, a file with line or byte offset, or a dotted path.
    remedy
        What to do about it.
    """

    exit_code = 1

    def __init__(self, message: str, *, place: str | None = None, remedy: str | None = None):
        self.message = message
        self.place = place
        self.remedy = remedy
        super().__init__(self.render())

    def render(self) -> str:
        """Return the error as the command line prints it (without the word ``error``)."""
        text = f"{self.place}: {self.message}" if self.place else self.message
        return f"{text}\n  remedy: {self.remedy}" if self.remedy else text


class ConfigError(ArchsimError):
    """A configuration, machine or option is wrong."""

    exit_code = 2


class InfeasibleError(ConfigError):
    """A machine has less of something than a method needs; a study records it, and searches on.

    Parameters
    ----------
    demand, bound
        What is needed and what there is, in ``unit``.
    levers
        What closes the gap, one way each; together they are the remedy.
    """

    def __init__(
        self,
        message: str,
        *,
        demand: float,
        bound: float,
        unit: str,
        levers: tuple[str, ...],
        place: str | None = None,
    ):
        self.demand, self.bound, self.unit, self.levers = demand, bound, unit, levers
        super().__init__(message, place=place, remedy=", or ".join(levers))

    @property
    def gap(self) -> float:
        """How much is missing, in ``unit``."""
        return self.demand - self.bound


class InputError(ArchsimError):
    """A scene, camera or trace file is missing, truncated, mislabelled or holds bad values."""

    exit_code = 3


class ResourceError(ArchsimError):
    """The work does not fit this machine's memory or the limit the user set."""

    exit_code = 4


class OutputError(ArchsimError):
    """A result cannot be written."""

    exit_code = 5


class DeadlockError(ArchsimError):
    """A program cannot finish: the message holds who waits for whom."""

    exit_code = 6


class CheckError(ArchsimError):
    """A finished run breaks a physical bound; the result is not to be trusted."""

    exit_code = 7
