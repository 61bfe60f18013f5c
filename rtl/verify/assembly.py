"""Several blocks side by side as one module, so that one build serves the benches of all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

__all__ = ["Assembly"]


class Assembly(wiring.Component):
    """Shows every block's ports under its name: ``fifo__i__valid``."""

    def __init__(self, blocks: Mapping[str, Any]):
        self.blocks = dict(blocks)
        super().__init__({name: Out(block.signature) for name, block in self.blocks.items()})

    def elaborate(self, platform: object) -> Module:
        """Connect the ports through."""
        m = Module()
        for name, block in self.blocks.items():
            m.submodules[name] = block
            wiring.connect(m, wiring.flipped(getattr(self, name)), block)
        return m
