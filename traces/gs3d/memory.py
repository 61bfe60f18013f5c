"""How much memory a scene needs, and how much it may take: checked before anything is loaded."""

from __future__ import annotations

from pathlib import Path

import psutil

from archsim.base.errors import ResourceError
from archsim.base.units import format_quantity

__all__ = [
    "AVAILABLE_SHARE",
    "MORE_MEMORY",
    "check_memory",
    "default_memory_limit_bytes",
    "scene_bytes",
]

#: Share of the available memory a scene may take by default; rendering needs the rest
#: (about 130 bytes per visible Gaussian and 12 per Gaussian-tile pair).
AVAILABLE_SHARE = 0.6

#: End of the remedy of every scene that is too large.
MORE_MEMORY = "allow a run more memory, for example --set 'memory_limit=6 GB'"

_CGROUP = Path("/sys/fs/cgroup")


def scene_bytes(gaussians: int, sh_degree: int) -> int:
    """Return the bytes of a scene's arrays: float32, 11 + 3 (degree + 1)^2 per Gaussian."""
    return 4 * gaussians * (11 + 3 * (sh_degree + 1) ** 2)


def default_memory_limit_bytes() -> int:
    """Return :data:`AVAILABLE_SHARE` of what this process may still take.

    The smaller of the machine's available memory and, in a container, what its control group
    has left.
    """
    available = psutil.virtual_memory().available
    try:
        limit = (_CGROUP / "memory.max").read_text().strip()
        used = int((_CGROUP / "memory.current").read_text())
    except (OSError, ValueError):
        limit, used = "max", 0  # no control group, or not version 2: only the machine limits
    if limit != "max":
        available = min(available, max(0, int(limit) - used))
    return int(AVAILABLE_SHARE * available)


def check_memory(needed_bytes: int, limit_bytes: int | None, *, place: str, remedy: str) -> None:
    """Raise :class:`ResourceError` when ``needed_bytes`` is over the limit (None: the default)."""
    limit = default_memory_limit_bytes() if limit_bytes is None else limit_bytes
    if needed_bytes > limit:
        raise ResourceError(
            f"loading needs {format_quantity(needed_bytes, 'B')}, allowed are "
            f"{format_quantity(limit, 'B')}",
            place=place,
            remedy=remedy,
        )
