"""What follows from a trace alone, worked out once: design spaces build many programs of one trace.

Traces are not changed after they are recorded; a memo lives as long as its trace.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable
from typing import TypeVar

from archsim.traces.trace import Trace

__all__ = ["remembered"]

_T = TypeVar("_T")

#: id of a living trace -> what is known of it
_KNOWN: dict[int, dict[Hashable, object]] = {}


def remembered(trace: Trace, what: Hashable, make: Callable[[], _T]) -> _T:
    """Return what ``make`` gave when it was first asked for ``what`` of this trace."""
    if id(trace) not in _KNOWN:
        _KNOWN[id(trace)] = {}
        weakref.finalize(trace, _KNOWN.pop, id(trace), None)
    known = _KNOWN[id(trace)]
    if what not in known:
        known[what] = make()
    return known[what]  # type: ignore[return-value]
