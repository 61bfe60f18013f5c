"""The blocks and their benches: adding a block adds a row."""

from __future__ import annotations

from archsim.rtl.verify.arithmetic import ARITHMETIC_BENCHES
from archsim.rtl.verify.bench import Bench
from archsim.rtl.verify.control import CONTROL_BENCHES
from archsim.rtl.verify.joins import JOIN_BENCHES
from archsim.rtl.verify.streams import STREAM_BENCHES
from archsim.rtl.verify.top import TOP_BENCHES

__all__ = ["BENCHES"]

BENCHES: tuple[Bench, ...] = (
    *STREAM_BENCHES,
    *ARITHMETIC_BENCHES,
    *CONTROL_BENCHES,
    *JOIN_BENCHES,
    *TOP_BENCHES,
)
