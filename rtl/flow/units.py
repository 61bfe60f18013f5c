"""The shared units in hardware: pipelined operations of :class:`archsim.rtl.format.Float`.

Each function adds one unit to a module and returns its result; every stage advances when ``go``.
The pipeline registers the operands in front, so that the choice among operations has a cycle of
its own.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, unsigned
from amaranth.lib.memory import Memory

from archsim.rtl.flow.graph import LATENCY
from archsim.rtl.format import FLOAT, Q

__all__ = ["build_unit", "compute"]

_E, _M = FLOAT.e, FLOAT.m


def build_unit(
    m: Module, go: Any, resource: tuple[Any, ...], held: list[Value], *, retimed: bool
) -> Value:
    """Add a unit for ``resource`` behind its operand registers, advancing with ``go``.

    ``retimed`` moves all registers of the unit behind its logic, where fewer are needed: the same
    results in the same cycles.
    """
    if retimed:
        result = _logic(m, None, resource, held)
        for _ in range(LATENCY[resource[0]] - 1):
            result = _register(m, go, result)
        return result
    return _logic(m, go, resource, held)


def _logic(m: Module, go: Any, resource: tuple[Any, ...], held: list[Value]) -> Value:
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
    if kind == "first_positive":
        return Mux(_positive(a), a, Mux(_positive(b), b, 0))
    if kind == "less":
        return _less(a, b)
    if kind == "maximum":
        return Mux(_less(b, a), a, b)
    if kind == "minimum":
        return Mux(_less(a, b), a, b)
    raise AssertionError(kind)


def _register(m: Module, go: Any, value: Any) -> Signal:
    """Return a register that follows a value when ``go``; the value at once where that is None."""
    register = (
        Signal.like(value, reset_less=True)
        if isinstance(value, Signal)
        else Signal(value.shape(), reset_less=True)
    )
    if go is None:
        m.d.comb += register.eq(value)
        return register
    with m.If(go):
        m.d.sync += register.eq(value)
    return register


def _split(a: Value) -> tuple[Value, Value, Value]:
    """Return sign, exponent code and significand."""
    return a[_E + _M], a[_M : _E + _M], Cat(a[:_M], Const(1, 1))


def _pack(sign: Value, exponent: Value, fraction: Value) -> Value:
    """Return bits for a signed exponent that may have left its range."""
    over = exponent >= (1 << _E)
    return _limited(sign, exponent[:_E], fraction, over, exponent <= 0)


def _limited(sign: Value, code: Value, fraction: Value, over: Value, under: Value) -> Value:
    """Return bits for an exponent code, or the largest number, or zero."""
    limited = Mux(over, Const((1 << _M) - 1, _M), fraction[:_M])
    exponent = Mux(over, Const((1 << _E) - 1, _E), code)
    return Mux(under, Const(0, FLOAT.width), Cat(limited, exponent, sign))


def _multiply(m: Module, go: Any, a: Value, b: Value) -> Value:
    sign_a, exponent_a, significand_a = _split(a)
    sign_b, exponent_b, significand_b = _split(b)
    # stage 1: the product; the exponent without and with its carry, and where they leave the range
    product = _register(m, go, significand_a * significand_b)
    sign = _register(m, go, sign_a ^ sign_b)
    zero = (exponent_a == 0) | (exponent_b == 0)
    sums = [(exponent_a + exponent_b + carry).as_unsigned() for carry in (0, 1)]
    codes = [_register(m, go, (total - FLOAT.bias)[:_E]) for total in sums]
    unders = [_register(m, go, zero | (total <= FLOAT.bias)) for total in sums]
    overs = [_register(m, go, total >= FLOAT.bias + (1 << _E)) for total in sums]
    # stage 2: normalise
    carry = product[2 * _M + 1]
    fraction = Mux(carry, product[_M + 1 : 2 * _M + 1], product[_M : 2 * _M])
    code, over, under = (Mux(carry, one[1], one[0]) for one in (codes, overs, unders))
    return _register(m, go, _limited(sign, code, fraction, over, under))


def _add(m: Module, go: Any, a: Value, b: Value) -> Value:
    # stage 1: which is larger
    swap = _register(m, go, b[: _E + _M] > a[: _E + _M])
    a1, b1 = _register(m, go, a), _register(m, go, b)
    # stage 2: order by magnitude
    sign, exponent, high = _split(Mux(swap, b1, a1))
    sign_small, exponent_small, low = _split(Mux(swap, a1, b1))
    sign2 = _register(m, go, sign)
    minus = _register(m, go, sign != sign_small)
    exponent2 = _register(m, go, exponent)
    high2 = _register(m, go, high)  # of zero too: both are, and the exponent makes the sum zero
    low2 = _register(m, go, Mux(exponent_small == 0, Const(0, _M + 1), low))
    apart = (exponent - exponent_small)[:_E]  # not negative
    far = _register(m, go, Mux(apart[5:].any(), Const(31, 5), apart[:5]))
    # stage 3: align and add
    aligned = Cat(Const(0, 2), low2) >> far
    wide = Cat(Const(0, 2), high2, Const(0, 1))
    # one carry chain for sum and difference, with nothing behind it: minus is the carry in
    operand = Cat(aligned, Const(0, 1)) ^ minus.replicate(_M + 4)
    total = _register(m, go, (Cat(minus, wide) + Cat(minus, operand))[1 : _M + 5])
    sign3 = _register(m, go, sign2)
    exponent3 = _register(m, go, exponent2)
    # stage 4: count the leading zeros
    some, zeros = _leading_zeros(total)
    left = _register(m, go, zeros[: (_M + 3).bit_length()])
    total4, none = _register(m, go, total), _register(m, go, ~some)
    sign4, exponent4 = _register(m, go, sign3), _register(m, go, exponent3)
    # stage 5: normalise
    fraction = (total4 << left)[3 : 3 + _M]
    code = (exponent4 + 1 - left)[:_E]
    over = (exponent4 == (1 << _E) - 1) & (left == 0)
    return _register(m, go, _limited(sign4, code, fraction, over, none | (exponent4 < left)))


def _leading_zeros(bits: Any) -> tuple[Any, Any]:
    """Return whether a bit is set, and the zeros above the highest, found in halves of halves."""
    if len(bits) == 1:
        return bits[0], Const(0, 0)
    half = 1 << (len(bits) - 1).bit_length() - 1
    high = bits[len(bits) - half :]
    low = Cat(Const(0, 2 * half - len(bits)), bits[: len(bits) - half])
    (some_high, above), (some_low, below) = _leading_zeros(high), _leading_zeros(low)
    return some_high | some_low, Cat(Mux(some_high, above, below), ~some_high)


def _table(m: Module, go: Any, kind: str, a: Value) -> Value:
    """1/x or 1/sqrt(x): start and slope from a table, then one small product."""
    root = kind == "inverse_root"
    values, slopes = FLOAT.inverse_root_table if root else FLOAT.reciprocal_table
    bits = _M - 7 if root else _M - 8
    width = int(slopes.max()).bit_length()
    words = [int(v) | int(s) << (_M + 2) for v, s in zip(values, slopes)]
    memory = Memory(shape=unsigned(_M + 2 + width), depth=256, init=words)
    m.submodules += memory
    read = memory.read_port(domain="comb" if go is None else "sync")
    sign, exponent, _ = _split(a)
    true = Cat(exponent, Const(0, 1)).as_signed() - FLOAT.bias
    index = Cat(a[bits:_M], true[0]) if root else a[bits:_M]
    m.d.comb += read.addr.eq(index)
    if go is not None:
        m.d.comb += read.en.eq(go)
    # stage 2: hold the memory's word
    word = _register(m, go, read.data)
    rest, sign2, exponent2 = (
        _register(m, go, _register(m, go, part)) for part in (a[:bits], sign, exponent)
    )
    # stage 3: slope's product; the exponent, should the mantissa be exactly one or below
    start = _register(m, go, word[: _M + 2])
    fall = _register(m, go, (word[_M + 2 :] * rest)[bits:])
    wide = Cat(exponent2, Const(0, 2)).as_signed()
    if root:
        below: Any = FLOAT.bias - 1 - ((wide - FLOAT.bias) >> 1)
        result_sign: Any = Const(0, 1)
    else:
        below = 2 * FLOAT.bias - 1 - wide
        result_sign = _register(m, go, sign2)
    moved, moved_one = _register(m, go, below), _register(m, go, below + 1)
    zero = _register(m, go, exponent2 == 0)
    # stage 4: interpolate
    y = (start - fall)[: _M + 2]
    whole = y[_M + 1]
    result = Mux(
        whole,
        _pack(result_sign, moved_one, y[1 : _M + 1]),
        _pack(result_sign, moved, y[:_M]),
    )
    none = Cat(Const(FLOAT.largest, FLOAT.width - 1), result_sign)
    return _register(m, go, Mux(zero, none, result))


def _from_fixed(m: Module, go: Any, q: Q, raw: Value) -> Value:
    negative = raw[-1] if q.signed else Const(0, 1)
    size = Signal(max(q.width, _M + 1))
    m.d.comb += size.eq(Mux(negative, -raw, raw) if q.signed else raw)
    held, sign = _register(m, go, size), _register(m, go, negative)
    some, left = _leading_zeros(held)
    exponent = (
        Const(len(size) - 1 - q.f + FLOAT.bias, 10).as_signed() - Cat(left, Const(0, 1)).as_signed()
    )
    fraction = (held << left)[len(size) - 1 - _M : len(size) - 1]
    result = Mux(some, _pack(sign, exponent, fraction), Const(0, FLOAT.width))
    return _register(m, go, result)


def _to_fixed(m: Module, go: Any, q: Q, a: Value) -> Value:
    sign, exponent, significand = _split(a)
    most = q.i + q.f
    padding = max(most - _M - 1, 0)
    # from 2**i on the result saturates, below 2**-f it is zero: in between, one shift right serves
    first, limit = FLOAT.bias - q.f, FLOAT.bias + q.i
    assert first > 0
    assert limit < 1 << _E
    # stage 1: how far to shift, and whether the result is out of range
    far = (first + _M + padding - exponent)[: (_M + padding).bit_length()]
    right = _register(m, go, far)
    number = _register(m, go, Mux(exponent < first, Const(0, _M + 1), significand))
    sign1, over1 = _register(m, go, sign), _register(m, go, exponent >= limit)
    # stage 2: shift
    value = _register(m, go, (Cat(Const(0, padding), number) >> right)[:most])
    sign2, over2 = _register(m, go, sign1), _register(m, go, over1)
    # stage 3: saturate and negate
    limited = Mux(over2, Const(q.high, most), value)
    if q.signed:
        positive = Cat(limited, Const(0, 1)).as_signed()
        return _register(m, go, Mux(sign2, -positive, positive)[: q.width].as_signed())
    return _register(m, go, Mux(sign2, Const(0, most), limited))


def _positive(a: Value) -> Value:
    return ~a[_E + _M] & a[_M : _E + _M].any()


def _less(a: Value, b: Value) -> Value:
    """Return a < b; both comparisons of magnitudes and the tests for zero go on side by side."""
    zero_a, zero_b = a[_M : _E + _M] == 0, b[_M : _E + _M] == 0
    minus_a, minus_b = a[_E + _M] & ~zero_a, b[_E + _M] & ~zero_b
    smaller = (a[: _E + _M] < b[: _E + _M]) & ~zero_b  # a zero may have any fraction
    larger = b[: _E + _M] < a[: _E + _M]
    return Mux(minus_a, ~minus_b | larger, ~minus_b & smaller)
