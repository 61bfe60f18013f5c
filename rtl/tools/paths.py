"""Combinational paths of a component: the inputs that an output depends on in the same cycle.

What a stream offers must not hang on its own ``ready``: a consumer may wait for ``valid`` before it
is ready, and the two would make a loop.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from archsim.rtl.tools.interface import describe
from archsim.rtl.tools.verilog import TOP, ports_of, run_yosys

__all__ = ["combinational_inputs", "offers_that_wait"]

_PASSES = "proc\nflatten\nopt_clean\nmemory_collect\nwrite_json\n"


def offers_that_wait(component: Any) -> list[str]:
    """Return the output streams whose ``valid`` or payload depends on their own ``ready``."""
    seen = combinational_inputs(component)

    def waits(name: str) -> bool:
        parts = (seen.get(f"{name}__{part}", set()) for part in ("valid", "payload"))
        return any(f"{name}__ready" in part for part in parts)

    return [one.name for one in describe(component).side("out") if waits(one.name)]


def combinational_inputs(component: Any) -> dict[str, set[str]]:
    """Return the input ports that each output port depends on without a register in between.

    Raises :class:`~archsim.rtl.tools.environment.ToolError` where Yosys fails.
    """
    from amaranth.back import rtlil

    text = rtlil.convert(component, name=TOP, ports=ports_of(component), emit_src=False)
    module = json.loads(run_yosys(text, _PASSES))["modules"][TOP]
    sources: dict[int, list[int]] = {}
    for cell in module["cells"].values():
        for outputs, inputs in _paths(cell):
            sources.update(dict.fromkeys(outputs, inputs))
    ports = module["ports"]
    owner = {bit: name for name, port in ports.items() if port["direction"] == "input"
             for bit in port["bits"]}  # fmt: skip
    return {
        name: {owner[bit] for bit in _cone(port["bits"], sources) if bit in owner}
        for name, port in ports.items() if port["direction"] == "output"
    }  # fmt: skip


def _paths(cell: Mapping[str, Any]) -> Iterator[tuple[list[int], list[int]]]:
    """Return what a cell computes within a cycle: bits of outputs, and those they depend on."""
    at, kind = cell["connections"], cell["type"]
    if kind == "$mem_v2":
        number = cell["parameters"]
        width, address = int(number["WIDTH"], 2), int(number["ABITS"], 2)
        clocked = number["RD_CLK_ENABLE"][::-1]
        for k in range(int(number["RD_PORTS"], 2)):
            if clocked[k] == "0":
                yield (at["RD_DATA"][k * width : (k + 1) * width],
                       at["RD_ADDR"][k * address : (k + 1) * address])  # fmt: skip
    elif "dff" not in kind:
        sides: dict[str, list[int]] = {"input": [], "output": []}
        for port, bits in at.items():
            sides[cell["port_directions"][port]] += [bit for bit in bits if isinstance(bit, int)]
        yield sides["output"], sides["input"]


def _cone(bits: list[int], sources: Mapping[int, list[int]]) -> set[int]:
    """Return all bits that these depend on, themselves included."""
    seen: set[int] = set()
    ahead = list(bits)
    while ahead:
        bit = ahead.pop()
        if bit not in seen:
            seen.add(bit)
            ahead += sources.get(bit, [])
    return seen
