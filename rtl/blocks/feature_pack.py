"""Feature pack: the fine filter's results as the render unit takes them."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

from archsim.rtl.arithmetic.falloff import SHARP, SHARP_SHIFT
from archsim.rtl.arithmetic.features import KEPT, RENAMED
from archsim.rtl.format import FLOAT

__all__ = ["pack_feature"]


def pack_feature(m: Module, result: Any, opacity: Value, feature: Any) -> None:
    """Drive ``feature`` from a result, in combinational logic."""
    for axis in "xy":
        mantissa, shift = _split(m, result[f"sharp_{axis}"])
        m.d.comb += [feature[f"sharp_{axis}"].eq(mantissa), feature[f"shift_{axis}"].eq(shift)]
    m.d.comb += [feature[name].eq(result[name]) for name in KEPT]
    m.d.comb += [feature[name].eq(result[old]) for name, old in RENAMED.items()]
    m.d.comb += [
        feature.opacity.eq(opacity),
        feature.mask.eq(Cat(*(result[f"mask_{k}"] for k in range(4)))),
    ]


def _split(m: Module, raw: Value) -> tuple[Signal, Signal]:
    """Return mantissa and shift of a positive float (see ``split_sharp``)."""
    exponent = raw[FLOAT.m : FLOAT.m + FLOAT.e]
    significand = Cat(raw[: FLOAT.m], Const(1, 1))
    below = Signal(FLOAT.e)
    mantissa, shift = Signal(SHARP.width), Signal(SHARP_SHIFT.width)
    cut = FLOAT.m - SHARP.f - 1
    m.d.comb += [
        below.eq(Mux(exponent > FLOAT.bias + 1, 0, FLOAT.bias + 1 - exponent)),
        shift.eq(Mux(below > 31, SHARP_SHIFT.high, below[1:5])),
        mantissa.eq(Mux(below[0], significand >> (cut + 1), significand >> cut)),
    ]
    with m.If((exponent == 0) | (below > 31)):
        m.d.comb += mantissa.eq(0)
    return mantissa, shift
