"""Toggle coverage of ports: which payload bits rose and fell from one beat to the next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from archsim.rtl.tools.columns import leaves
from archsim.rtl.tools.interface import Interface, Stream
from archsim.rtl.tools.library import StreamCounters

__all__ = ["Toggles"]


@dataclass(frozen=True)
class _Bit:
    name: str  #: e.g. ``o.payload.x:7`` or ``o.ready``
    leaf: str
    stream: str
    place: int  #: in the payload; -1 for a handshake


class Toggles:
    """Collects what toggled in several runs; ``valid`` and ``ready`` by their counters.

    A bit counts when it has both risen and fallen between beats that moved: idle values on the
    wires do not.
    """

    def __init__(self, interface: Interface):
        self._bits = [bit for stream in interface.streams for bit in _bits(stream)]
        self._rose = {s.name: np.zeros(s.bytes, np.uint8) for s in interface.streams}
        self._fell = {s.name: np.zeros(s.bytes, np.uint8) for s in interface.streams}
        self._handshakes: set[str] = set()

    def add(
        self, packed: Mapping[str, np.ndarray[Any, Any]], counters: Mapping[str, StreamCounters]
    ) -> None:
        """Add the beats of a run ``(n, bytes)`` by stream, and its counters."""
        for name, beats in packed.items():
            if len(beats) > 1 and beats.shape[1]:
                before, after = beats[:-1], beats[1:]
                self._rose[name] |= np.bitwise_or.reduce(after & ~before, axis=0)
                self._fell[name] |= np.bitwise_or.reduce(before & ~after, axis=0)
        for name, one in counters.items():
            if one.beats and (one.starved or one.idle):
                self._handshakes.add(f"{name}.valid")
            if one.beats and (one.stalled or one.idle):
                self._handshakes.add(f"{name}.ready")

    def missing(self, cannot: Iterable[str] = ()) -> list[str]:
        """Return the bits that did not toggle and are not among those that cannot."""
        known = set(cannot)
        return [
            bit.name
            for bit in self._bits
            if not self._toggled(bit) and not {bit.leaf, bit.name} & known
        ]

    def fraction(self) -> float:
        """Return the share of all port bits that toggled, those that cannot included."""
        return sum(map(self._toggled, self._bits)) / max(1, len(self._bits))

    def _toggled(self, bit: _Bit) -> bool:
        if bit.place < 0:
            return bit.name in self._handshakes
        byte, place = divmod(bit.place, 8)
        both = int(self._rose[bit.stream][byte] & self._fell[bit.stream][byte])
        return bool(both >> place & 1)


def _bits(stream: Stream) -> list[_Bit]:
    bits = []
    for leaf in leaves(stream.shape) if stream.width else []:
        path = f"{stream.name}.payload" + (f".{leaf}" if str(leaf) else "")
        bits += [_Bit(f"{path}:{n}", path, stream.name, leaf.offset + n) for n in range(leaf.width)]
    for handshake, present in (("valid", stream.has_valid), ("ready", stream.has_ready)):
        if present:
            name = f"{stream.name}.{handshake}"
            bits.append(_Bit(name, name, stream.name, -1))
    return bits
