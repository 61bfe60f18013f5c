"""Machine descriptions: the schema of ``configs/machines/*.yaml``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from archsim.arch.dram import list_devices
from archsim.arch.operations import list_operation_libraries
from archsim.arch.sourced import Count, Fraction, Part, Positive, Sourced
from archsim.base.problems import one_of

__all__ = [
    "Accelerator",
    "Buffer",
    "Fifo",
    "FunctionalUnit",
    "Gpu",
    "Machine",
    "MemorySystem",
    "PowerMode",
]


def _device(name: str) -> str:
    return _known(name, "DRAM device", list_devices())


def _library(name: str) -> str:
    return _known(name, "operation library", list_operation_libraries())


def _known(name: str, what: str, known: list[str]) -> str:
    if name not in known:
        raise ValueError(f"unknown {what} {name!r}; {one_of(name, known)}")
    return name


class MemorySystem(Part):
    """DRAM behind the machine: device, channels and the address mapping."""

    device: Annotated[str, AfterValidator(_device)] = Field(
        description="a DRAM device table of arch/dram, e.g. lpddr5-6400"
    )
    channels: Count = Field(description="independent channels of the device's width")
    interleave_bytes: Count = Field(description="consecutive bytes kept on one channel")
    mapping: str = Field(description="named bank mapping inside a channel, e.g. row-bank-column")
    outstanding_streams: Count = Field(description="memory streams in flight at once")
    controller_byte_pj: Sourced = Field(
        description="memory controller, PHY and the way to them, per DRAM byte; DRAM I/O apart"
    )


class FunctionalUnit(Part):
    """Identical pipelined units of an accelerator: throughput, latency, area, power."""

    count: Count = Field(description="identical units")
    initiation_interval_cycles: Positive = Field(description="cycles between items of one unit")
    latency_cycles: Sourced = Field(description="cycles from an item's entry to its result")
    area_mm2: Sourced = Field(description="area of one unit at the machine's node")
    dynamic_pj_per_item: Sourced | None = Field(
        default=None, description="energy of one item; None: counted by operations instead"
    )
    clusters: Count | None = Field(
        default=None,
        description="groups that the units stand in, each with a queue of its own: items are dealt "
        "to them and may be uneven; None: all units serve one queue",
    )


class Fifo(Part):
    """A queue of registers between two units."""

    depth_items: Count = Field(description="items that it holds, all copies together")
    area_mm2: Sourced = Field(description="area of all copies at the machine's node")
    dynamic_pj_per_item: Sourced = Field(description="energy of an item in and out again")


class Buffer(Part):
    """An on-chip SRAM: ``banks`` single-ported arrays, twice as many when it is double."""

    capacity_bytes: Count = Field(description="bytes, all banks and copies together")
    word_bits: Count = Field(description="bits of one access to one bank")
    banks: Count = Field(
        description="independent arrays of one read-write port each, of each copy of a double "
        "buffer: words that the copy moves per cycle; bank conflicts are not modelled"
    )
    double: bool = Field(default=False, description="two halves, filled and drained in turn")


class Accelerator(Part):
    """A streaming accelerator: units, buffers, memory."""

    kind: Literal["accelerator"]
    name: str
    title: str
    node_nm: Positive
    clock_mhz: Positive
    sram_cell: Literal["itrs-hp", "itrs-lop", "itrs-lstp"]
    operations: Annotated[str, AfterValidator(_library)] = Field(
        description="operation-energy library of arch, e.g. horowitz-45nm"
    )
    units: dict[str, FunctionalUnit]
    buffers: dict[str, Buffer]
    fifos: dict[str, Fifo] = Field(default={}, description="queues of registers between units")
    memory: MemorySystem
    notes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _names_are_told_apart(self) -> Accelerator:
        # actions and areas are named by unit, buffer or queue
        kinds: dict[str, list[str]] = {
            "a unit": list(self.units), "a buffer": list(self.buffers), "a fifo": list(self.fifos)
        }  # fmt: skip
        named: dict[str, str] = {}
        for kind, names in kinds.items():
            for name in names:
                if name in named:
                    raise ValueError(
                        f"{name!r} is both {named[name]} and {kind}; rename one of them"
                    )
                named[name] = kind
        return self


class PowerMode(Part):
    """A GPU power mode: what nvpmodel leaves switched on, and how fast."""

    sms: Count = Field(description="streaming multiprocessors switched on")
    gpu_clock_mhz: Positive
    memory_mt_s: Count = Field(description="DRAM data rate, million transfers per second")
    idle_power_mw: Sourced = Field(description="module power with the GPU idle, DRAM standby apart")


class SmFacts(Part):
    """One streaming multiprocessor."""

    warps: Count
    threads: Count
    blocks: Count
    registers: Count
    shared_bytes: Count
    issue_per_cycle: Count = Field(description="warp instructions per cycle")
    fp32_lanes: Count
    sfu_lanes: Count


class Cache(Part):
    """The GPU's last-level cache."""

    capacity_bytes: Count
    line_bytes: Count
    sector_bytes: Count
    ways: Count


class GpuEnergy(Part):
    """Energy of the GPU's actions, DRAM apart."""

    instruction_pj: Sourced = Field(description="one thread-level instruction, fetch to write-back")
    fp32_pj: Sourced = Field(description="one FP32 multiply-add, added to the instruction")
    sfu_pj: Sourced
    l2_byte_pj: Sourced


class Gpu(Part):
    """A GPU with its power modes."""

    kind: Literal["gpu"]
    name: str
    title: str
    default_mode: str = Field(description="the mode the module ships in")
    modes: dict[str, PowerMode]
    sm: SmFacts
    l2: Cache
    launch_ns: Sourced = Field(description="launch overhead between dependent kernels")
    issue_efficiency: Fraction = Field(description="issue slots used by a compute-bound kernel")
    read_fraction: Fraction = Field(
        description="DRAM reads the GPU sustains on large streams, as a fraction of the pin rate"
    )
    energy: GpuEnergy
    memory: MemorySystem
    notes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _default_is_a_mode(self) -> Gpu:
        if self.default_mode not in self.modes:
            hint = one_of(self.default_mode, list(self.modes))
            raise ValueError(f"default_mode {self.default_mode!r} is none of the modes; {hint}")
        return self


Machine = Annotated[Accelerator | Gpu, Field(discriminator="kind")]
