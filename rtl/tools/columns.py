"""Batches of stream payloads as numpy columns, and as the bytes that a Verilated port holds.

A batch of ``n`` payloads of a shape is

* a plain shape of at most 64 bits: one integer array ``(n,)``; wider: words ``(n, words)`` of
  uint64, least significant first;
* a struct: a dictionary of its fields' batches;
* an array: its element's batch with one more axis after the first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from amaranth.hdl import Shape
from amaranth.lib import data

__all__ = ["Columns", "Leaf", "count", "leaves", "pack", "storage_bytes", "unpack"]

#: One array, or a dictionary of fields.
Columns: TypeAlias = "np.ndarray[Any, Any] | dict[str, Columns]"

_WORD = 64


@dataclass(frozen=True)
class Leaf:
    """A scalar inside a payload: its field names, array indices and place in bits."""

    names: tuple[str, ...]
    indices: tuple[int, ...]
    offset: int
    width: int
    signed: bool

    def __str__(self) -> str:
        return ".".join(self.names) + "".join(f"[{index}]" for index in self.indices)


def leaves(shape: Any) -> list[Leaf]:
    """Return the scalars of a shape in the order of its bits' fields."""
    return list(_leaves(shape, (), (), 0))


def _leaves(
    shape: Any, names: tuple[str, ...], indices: tuple[int, ...], offset: int
) -> Iterator[Leaf]:
    layout = _layout(shape)
    if layout is None:
        plain = Shape.cast(shape)
        yield Leaf(names, indices, offset, plain.width, plain.signed)
        return
    for key, field in layout:
        at = offset + field.offset
        if isinstance(key, int):
            yield from _leaves(field.shape, names, (*indices, key), at)
        else:
            yield from _leaves(field.shape, (*names, key), indices, at)


def _layout(shape: Any) -> Any:
    """Return the layout of a struct or array, None for scalars."""
    if isinstance(shape, type) and issubclass(shape, data.Struct | data.Union):
        return data.Layout.cast(shape)
    return shape if isinstance(shape, data.Layout) else None


def storage_bytes(width: int) -> int:
    """Return the bytes of a Verilated port: 1, 2, 4, 8 or whole 32-bit words."""
    for bits in (8, 16, 32, 64):
        if width <= bits:
            return bits // 8
    return -(-width // 32) * 4


def count(columns: Columns) -> int:
    """Return the number of payloads in a batch."""
    while isinstance(columns, Mapping):
        columns = next(iter(columns.values()))
    return len(columns)


def pack(shape: Any, columns: Columns) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return a batch as bytes ``(n, storage_bytes)``, little endian.

    Raises :class:`ValueError` for a field that is missing, unknown, of another length or out of
    its range: a value that would be cut is a mistake of the caller.
    """
    width = Shape.cast(shape).width
    total = count(columns)
    words = np.zeros((total, -(-width // _WORD)), dtype=np.uint64)
    _check_names(_layout(shape), columns, "payload")
    for leaf in leaves(shape):
        for part, (at, bits) in enumerate(_parts(leaf)):
            values = _values(columns, leaf, part)
            if values.shape != (total,):
                raise ValueError(f"{leaf}: {values.shape} values for {total} payloads")
            _check_range(values, leaf, bits)
            _insert(words, values.astype(np.int64, copy=False).view(np.uint64), at, bits)
    return words.view(np.uint8)[:, : storage_bytes(width)].copy()


def unpack(shape: Any, raw: np.ndarray[Any, np.dtype[np.uint8]]) -> Columns:
    """Return the columns of packed bytes ``(n, storage_bytes)``: int64, or uint64 at 64 bits."""
    total, used = raw.shape
    words = np.zeros((total, -(-used // 8) * 8), dtype=np.uint8)
    words[:, :used] = raw
    return _unpack(shape, words.view(np.uint64), 0)


def _unpack(shape: Any, words: np.ndarray[Any, Any], offset: int) -> Columns:
    layout = _layout(shape)
    if layout is None:
        plain = Shape.cast(shape)
        leaf = Leaf((), (), offset, plain.width, plain.signed)
        parts = [_extract(words, at, bits) for at, bits in _parts(leaf)]
        if len(parts) > 1:
            return np.stack(parts, axis=1)
        return _signed(parts[0], leaf) if parts else np.zeros(len(words), dtype=np.int64)
    fields = [(key, _unpack(field.shape, words, offset + field.offset)) for key, field in layout]
    if isinstance(layout, data.ArrayLayout):
        return _stacked([columns for _, columns in fields])
    return dict(fields)


def _stacked(elements: list[Columns]) -> Columns:
    first = elements[0]
    if isinstance(first, dict):
        inner: list[Any] = elements
        return {name: _stacked([element[name] for element in inner]) for name in first}
    arrays: list[Any] = elements
    return np.stack(arrays, axis=1)


def _parts(leaf: Leaf) -> list[tuple[int, int]]:
    """Return (bit, width) of each word of a scalar."""
    return [
        (leaf.offset + done, min(_WORD, leaf.width - done)) for done in range(0, leaf.width, _WORD)
    ]


def _values(columns: Columns, leaf: Leaf, part: int) -> np.ndarray[Any, Any]:
    for name in leaf.names:
        columns = columns[name]
    index: tuple[Any, ...] = (slice(None), *leaf.indices)
    if leaf.width > _WORD:
        index += (part,)
    values = np.asarray(columns)
    if values.ndim != len(index):
        raise ValueError(f"{leaf}: an array of {values.ndim} axes where {len(index)} are needed")
    picked: np.ndarray[Any, Any] = values[index]
    if picked.dtype.kind not in "iub":
        raise ValueError(f"{leaf}: values must be integers, not {picked.dtype}")
    return picked


def _check_names(layout: Any, columns: Any, where: str) -> None:
    if layout is None or isinstance(layout, data.ArrayLayout):
        if layout is not None and _layout(layout.elem_shape) is not None:
            _check_names(_layout(layout.elem_shape), columns, where)
        return
    fields = dict(iter(layout))
    if not isinstance(columns, Mapping):
        raise ValueError(f"{where}: must be a dictionary of {', '.join(fields)}")
    for name in fields.keys() ^ columns.keys():
        state = "missing" if name in fields else "unknown"
        raise ValueError(f"{where}: field {name!r} is {state}; fields: {', '.join(fields)}")
    for name, field in fields.items():
        _check_names(_layout(field.shape), columns[name], f"{where}.{name}")


def _check_range(values: np.ndarray[Any, Any], leaf: Leaf, bits: int) -> None:
    if not values.size or bits == _WORD:
        return
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if leaf.signed else (0, (1 << bits) - 1)
    least, most = int(values.min()), int(values.max())
    if least < low or most > high:
        raise ValueError(f"{leaf}: values {least} to {most} do not fit {low} to {high}")


def _insert(words: np.ndarray[Any, Any], values: np.ndarray[Any, Any], at: int, bits: int) -> None:
    word, shift = divmod(at, _WORD)
    masked = values if bits == _WORD else values & np.uint64((1 << bits) - 1)
    words[:, word] |= masked << np.uint64(shift)
    if shift + bits > _WORD:
        words[:, word + 1] |= masked >> np.uint64(_WORD - shift)


def _extract(words: np.ndarray[Any, Any], at: int, bits: int) -> np.ndarray[Any, Any]:
    word, shift = divmod(at, _WORD)
    values = words[:, word] >> np.uint64(shift)
    if shift + bits > _WORD:
        values = values | words[:, word + 1] << np.uint64(_WORD - shift)
    return values if bits == _WORD else values & np.uint64((1 << bits) - 1)


def _signed(values: np.ndarray[Any, Any], leaf: Leaf) -> np.ndarray[Any, Any]:
    if leaf.width == _WORD:
        return values.view(np.int64) if leaf.signed else values
    raw = values.view(np.int64)
    if not leaf.signed:
        return raw
    spare = _WORD - leaf.width
    return (raw << spare) >> spare
