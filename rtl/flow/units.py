"""The shared units in hardware: pipelined operations of :class:`archsim.rtl.format.Float`.

Each function adds one unit to a module and returns its result; every stage advances when ``go``.
The pipeline registers the operands in front, so that the choice among operations has a cycle of
its own.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, unsigned
from amaranth.lib.memory import Memory

from archsim.rtl.format import FLOAT, Q

__all__ = ["build_unit", "compute"]

_E, _M = FLOAT.e, FLOAT.m


def build_unit(m: Module, go: Any, resource: tuple[Any, ...], held: list[Value]) -> Value:
    """Add a unit for ``resource`` behind its operand registers, advancing with ``go``."""
    kind = resource[0]
    if kind == "multiply":
        return _multiply(m, go, *held)
    if kind == "add":
        return _add(m, go, *held)
    if kind in ("reciprocal", "inverse_root"):
        return _table(m, go, kind, *held)
    if kind == "from_fixed":
        return _from_fixed(m, go, resource[1], *held)
    return _to_fixed(m, go, resource[1], *held)


def compute(kind: str, args: list[Value], value: int) -> Value:
    """Return an operation that has no unit of its own, in combinational logic."""
    if kind == "scale":
        sign, exponent, _ = _split(args[0])
        moved = Cat(exponent, Const(0, 2)).as_signed() + value
        result = _pack(sign, moved, args[0][:_M])
        return Mux(exponent == 0, args[0], result)
    if kind in ("both", "either"):
        return args[0] & args[1] if kind == "both" else args[0] | args[1]
    a, b = args
    if kind == "less":
        return _less(a, b)
    if kind == "maximum":
        return Mux(_less(b, a), a, b)
    if kind == "minimum":
        return Mux(_less(a, b), a, b)
    raise AssertionError(kind)


def _register(m: Module, go: Any, value: Any) -> Signal:
    register = (
        Signal.like(value, reset_less=True)
        if isinstance(value, Signal)
        else Signal(value.shape(), reset_less=True)
    )
    with m.If(go):
        m.d.sync += register.eq(value)
    return register


def _split(a: Value) -> tuple[Value, Value, Value]:
    """Return sign, exponent code and significand."""
    return a[_E + _M], a[_M : _E + _M], Cat(a[:_M], Const(1, 1))


def _pack(sign: Value, exponent: Value, fraction: Value) -> Value:
    """Return bits for a signed exponent that may have left its range."""
    over = exponent >= (1 << _E)
    under = exponent <= 0
    code = Mux(over, Const((1 << _E) - 1, _E), exponent[:_E])
    kept = Mux(over, Const((1 << _M) - 1, _M), fraction[:_M])
    return Mux(under, Const(0, FLOAT.width), Cat(kept, code, sign))


def _multiply(m: Module, go: Any, a: Value, b: Value) -> Value:
    sign_a, exponent_a, significand_a = _split(a)
    sign_b, exponent_b, significand_b = _split(b)
    product = _register(m, go, significand_a * significand_b)
    exponent = _register(m, go, (exponent_a + exponent_b).as_unsigned())
    sign = _register(m, go, sign_a ^ sign_b)
    zero = _register(m, go, (exponent_a == 0) | (exponent_b == 0))
    carry = product[2 * _M + 1]
    fraction = Mux(carry, product[_M + 1 : 2 * _M + 1], product[_M : 2 * _M])
    wide = Cat(exponent, Const(0, 2)).as_signed() - FLOAT.bias + Cat(carry, Const(0, 1)).as_signed()
    result = Mux(zero, Const(0, FLOAT.width), _pack(sign, wide, fraction))
    return _register(m, go, result)


def _add(m: Module, go: Any, a: Value, b: Value) -> Value:
    swap = b[: _E + _M] > a[: _E + _M]
    large, small = Mux(swap, b, a), Mux(swap, a, b)
    sign, exponent, high = _split(large)
    sign_small, exponent_small, low = _split(small)
    # stage 1: order by magnitude
    sign1 = _register(m, go, sign)
    minus = _register(m, go, sign != sign_small)
    exponent1 = _register(m, go, exponent)
    high1 = _register(m, go, Mux(exponent == 0, Const(0, _M + 1), high))
    low1 = _register(m, go, Mux(exponent_small == 0, Const(0, _M + 1), low))
    apart = exponent - exponent_small
    far = _register(m, go, Mux(apart > 31, Const(31, 5), apart[:5]))
    # stage 2: align and add
    aligned = Cat(Const(0, 2), low1) >> far
    wide = Cat(Const(0, 2), high1)
    total = _register(m, go, (Mux(minus, wide - aligned, wide + aligned))[: _M + 4])
    sign2 = _register(m, go, sign1)
    exponent2 = _register(m, go, exponent1)
    # stage 3: normalise
    normal, left = _normalise(m, total)
    moved = Cat(exponent2, Const(0, 2)).as_signed() + 1 - Cat(left, Const(0, 1)).as_signed()
    result = Mux(total == 0, Const(0, FLOAT.width), _pack(sign2, moved, normal[3 : 3 + _M]))
    return _register(m, go, result)


def _normalise(m: Module, value: Value) -> tuple[Value, Value]:
    """Return the value shifted left until its top bit is one, and by how much."""
    width = len(value)
    steps = (width - 1).bit_length()
    current: Any = value
    amount: list[Signal] = []
    for step in reversed(range(steps)):
        distance = 1 << step
        if distance >= width:
            continue
        empty = Signal()
        m.d.comb += empty.eq(current[width - distance :] == 0)
        moved = Signal(width)
        m.d.comb += moved.eq(
            Mux(empty, Cat(Const(0, distance), current[: width - distance]), current)
        )
        current = moved
        amount.insert(0, empty)
    return current, Cat(*amount)


def _table(m: Module, go: Any, kind: str, a: Value) -> Value:
    """1/x or 1/sqrt(x): start and slope from a table, then one small product."""
    root = kind == "inverse_root"
    values, slopes = FLOAT.inverse_root_table if root else FLOAT.reciprocal_table
    bits = _M - 7 if root else _M - 8
    width = int(slopes.max()).bit_length()
    words = [int(v) | int(s) << (_M + 2) for v, s in zip(values, slopes)]
    memory = Memory(shape=unsigned(_M + 2 + width), depth=256, init=words)
    m.submodules += memory
    read = memory.read_port(domain="sync")
    sign, exponent, _ = _split(a)
    true = Cat(exponent, Const(0, 1)).as_signed() - FLOAT.bias
    index = Cat(a[bits:_M], true[0]) if root else a[bits:_M]
    m.d.comb += [read.addr.eq(index), read.en.eq(go)]
    rest = _register(m, go, a[:bits])
    sign1, exponent1 = _register(m, go, sign), _register(m, go, exponent)
    # stage 2: interpolate
    start, slope = read.data[: _M + 2], read.data[_M + 2 :]
    y = _register(m, go, (start - ((slope * rest) >> bits))[: _M + 2])
    sign2, exponent2 = _register(m, go, sign1), _register(m, go, exponent1)
    # stage 3: exponent
    whole = y[_M + 1]
    fraction = Mux(whole, y[1 : _M + 1], y[:_M])
    wide = Cat(exponent2, Const(0, 2)).as_signed()
    one = Cat(whole, Const(0, 1)).as_signed()
    if root:
        half = (wide - FLOAT.bias) >> 1
        exponent3 = FLOAT.bias - 1 - half + one
        none: Any = Const(FLOAT.largest, FLOAT.width)
        result_sign: Any = Const(0, 1)
    else:
        exponent3 = 2 * FLOAT.bias - 1 - wide + one
        none = Cat(Const(FLOAT.largest, FLOAT.width - 1), sign2)
        result_sign = sign2
    result = Mux(exponent2 == 0, none, _pack(result_sign, exponent3, fraction))
    return _register(m, go, result)


def _from_fixed(m: Module, go: Any, q: Q, raw: Value) -> Value:
    negative = raw[-1] if q.signed else Const(0, 1)
    size = Signal(max(q.width, _M + 1))
    m.d.comb += size.eq(Mux(negative, -raw, raw) if q.signed else raw)
    held, sign = _register(m, go, size), _register(m, go, negative)
    normal, left = _normalise(m, held)
    exponent = (
        Const(len(size) - 1 - q.f + FLOAT.bias, 10).as_signed() - Cat(left, Const(0, 1)).as_signed()
    )
    fraction = normal[len(size) - 1 - _M : len(size) - 1]
    result = Mux(held == 0, Const(0, FLOAT.width), _pack(sign, exponent, fraction))
    return _register(m, go, result)


def _to_fixed(m: Module, go: Any, q: Q, a: Value) -> Value:
    sign, exponent, significand = _split(a)
    most = q.i + q.f
    shift = Cat(exponent, Const(0, 2)).as_signed() - (FLOAT.bias + _M - q.f)
    right, left = -shift, shift
    limit_right, limit_left = _M + 1, most
    right_by = Signal(range(limit_right + 1))
    left_by = Signal(range(limit_left + 1))
    m.d.comb += [
        right_by.eq(Mux(right < 0, 0, Mux(right > limit_right, limit_right, right))),
        left_by.eq(Mux(left < 0, 0, Mux(left > limit_left, limit_left, left))),
    ]
    held_right, held_left = _register(m, go, right_by), _register(m, go, left_by)
    number = _register(m, go, Mux(exponent == 0, Const(0, _M + 1), significand))
    sign1 = _register(m, go, sign)
    value = (number >> held_right) << held_left
    limited = Mux(value > q.high, Const(q.high, most), value[:most])
    if q.signed:
        positive = Cat(limited, Const(0, 1)).as_signed()
        return _register(m, go, Mux(sign1, -positive, positive)[: q.width].as_signed())
    return _register(m, go, Mux(sign1, Const(0, most), limited))


def _less(a: Value, b: Value) -> Value:
    zero_a, zero_b = a[_M : _E + _M] == 0, b[_M : _E + _M] == 0
    size_a = Mux(zero_a, Const(0, _E + _M), a[: _E + _M])
    size_b = Mux(zero_b, Const(0, _E + _M), b[: _E + _M])
    low_a, low_b = a[_E + _M] & ~zero_a, b[_E + _M] & ~zero_b
    same = Mux(low_a, size_a > size_b, size_a < size_b)
    return Mux(low_a != low_b, low_a, same)
