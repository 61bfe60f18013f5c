"""What a component shows: its streams and its plain ports, as the tools drive them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from amaranth.hdl import Const, Shape
from amaranth.lib import stream, wiring

from archsim.rtl.tools.columns import storage_bytes

__all__ = ["Interface", "Plain", "Stream", "describe"]


@dataclass(frozen=True)
class Stream:
    """A ready/valid stream of a component; ``direction`` as the component sees it."""

    name: str
    direction: Literal["in", "out"]
    shape: Any
    has_valid: bool
    has_ready: bool

    @property
    def width(self) -> int:
        """Bits of the payload."""
        return int(Shape.cast(self.shape).width)

    @property
    def bytes(self) -> int:
        """Bytes of a payload where a Verilated model holds it; none without payload."""
        return storage_bytes(self.width) if self.width else 0


@dataclass(frozen=True)
class Plain:
    """A port that belongs to no stream: a parameter (in) or a counter (out)."""

    name: str
    direction: Literal["in", "out"]
    shape: Any

    @property
    def width(self) -> int:
        """Bits of the port."""
        return int(Shape.cast(self.shape).width)


@dataclass(frozen=True)
class Interface:
    """Every port of a component but clock and reset."""

    streams: tuple[Stream, ...]
    plains: tuple[Plain, ...]

    def side(self, direction: Literal["in", "out"]) -> tuple[Stream, ...]:
        """Return the streams of one direction."""
        return tuple(s for s in self.streams if s.direction == direction)

    def plain_side(self, direction: Literal["in", "out"]) -> tuple[Plain, ...]:
        """Return the plain ports of one direction."""
        return tuple(p for p in self.plains if p.direction == direction)

    def port_names(self) -> list[str]:
        """Return the names that the Verilog module's ports have, clock and reset apart."""
        names = [plain.name for plain in self.plains]
        for one in self.streams:
            names += [f"{one.name}__payload"] if one.width else []
            names += [f"{one.name}__valid"] if one.has_valid else []
            names += [f"{one.name}__ready"] if one.has_ready else []
        return names


def describe(component: Any) -> Interface:
    """Return a component's ports from its signature; members of a nested signature included."""
    streams: list[Stream] = []
    plains: list[Plain] = []
    _walk(component, component.signature, "", streams, plains)
    return Interface(tuple(streams), tuple(plains))


def _walk(
    holder: Any, signature: Any, prefix: str, streams: list[Stream], plains: list[Plain]
) -> None:
    for name, member in signature.members.items():
        value = getattr(holder, name)
        for suffix, one in _elements(value, member.dimensions):
            full = f"{prefix}{name}{suffix}"
            if not member.is_signature:
                plains.append(Plain(full, _direction(member.flow), member.shape))
            elif isinstance(_plain_signature(member.signature), stream.Signature):
                streams.append(
                    Stream(full, _stream_direction(member.signature), one.payload.shape(),
                           not isinstance(one.valid, Const), not isinstance(one.ready, Const))
                )  # fmt: skip
            else:
                _walk(one, member.signature, f"{full}__", streams, plains)


def _elements(value: Any, dimensions: tuple[int, ...]) -> list[tuple[str, Any]]:
    if not dimensions:
        return [("", value)]
    return [
        (f"__{index}{suffix}", one)
        for index in range(dimensions[0])
        for suffix, one in _elements(value[index], dimensions[1:])
    ]


def _plain_signature(signature: Any) -> Any:
    return signature.flip() if isinstance(signature, wiring.FlippedSignature) else signature


def _direction(flow: Any) -> Literal["in", "out"]:
    return "out" if flow == wiring.Out else "in"


def _stream_direction(signature: Any) -> Literal["in", "out"]:
    return "in" if isinstance(signature, wiring.FlippedSignature) else "out"
