"""archsim: what a co-design is worth before anyone builds it.

The Python API, loaded on first use so that worker processes and ``--help`` stay fast.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archsim.api import Result as Result
    from archsim.api import run as run
    from archsim.sweep_api import Study as Study
    from archsim.sweep_api import sweep as sweep

__version__ = "0.1.0"
__all__ = ["Result", "Study", "__version__", "run", "sweep"]

_LAZY = {"run": "archsim.api", "Result": "archsim.api", "sweep": "archsim.sweep_api",
         "Study": "archsim.sweep_api"}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'archsim' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
