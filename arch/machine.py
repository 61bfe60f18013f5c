"""Machine descriptions: the schema of ``configs/machines/*.yaml``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from archsim.arch.dram import list_devices
from archsim.arch.generation import list_generations
from archsim.arch.operations import list_operation_libraries
from archsim.arch.sourced import Count, Fraction, Part, Positive, Sourced
from archsim.base.problems import one_of

__all__ = [
    "Accelerator",
    "Buffer",
    "Cache",
    "Fifo",
    "FunctionalUnit",
    "Gpu",
    "GpuMemory",
    "Machine",
    "MemoryController",
    "MemorySystem",
    "PowerMode",
    "SmFacts",
]


def _device(name: str) -> str:
    return _known(name, "DRAM device", list_devices())


def _library(name: str) -> str:
    return _known(name, "operation library", list_operation_libraries())


def _generation(name: str) -> str:
    return _known(name, "GPU generation", list_generations())


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
    """One streaming multiprocessor; rates are results per cycle."""

    warps: Count
    threads: Count
    blocks: Count
    registers: Count
    shared_bytes: Count
    issue_per_cycle: Count = Field(description="warp instructions per cycle")
    fp32_lanes: Count
    fp16_lanes: Count = Field(description="FP16 results of the vector units, two to a word")
    int32_lanes: Count
    sfu_lanes: Count
    tensor_macs: Count = Field(
        description="FP16 multiply-adds of the tensor cores with FP32 accumulation, dense"
    )
    shared_bytes_per_cycle: Count
    l2_bytes_per_cycle: Count = Field(description="between this multiprocessor and the L2")


class Cache(Part):
    """The GPU's last-level cache."""

    capacity_bytes: Count
    line_bytes: Count
    sector_bytes: Count
    ways: Count
    copies: Count = Field(
        description="of a line that all multiprocessors read: partitions that each keep their own"
    )
    bytes_per_cycle: Count = Field(description="all slices together, at the GPU's clock")


class MemoryController(Part):
    """The GPU's way to its DRAM: what it keeps in flight, and the writes that it gathers.

    Writes wait in a buffer of each channel while reads go on; from the high mark on they are
    drained to the low mark, and the data bus turns round twice. What a turn costs, the DRAM's
    timings say.
    """

    outstanding_reads: Count = Field(description="sectors in flight to one channel")
    read_latency_ns: Positive = Field(description="from such a read's request to its data, loaded")
    pin_fraction: Fraction = Field(
        description="of the pin rate that large streams of reads sustain, in closed forms; the "
        "task graph asks the DRAM model"
    )
    write_entries: Count = Field(description="bursts that the write buffer of a channel holds")
    write_high: Fraction = Field(description="of the buffer: so full, it starts to drain")
    write_low: Fraction = Field(description="of the buffer: so empty, draining stops")

    @model_validator(mode="after")
    def _drains_something(self) -> MemoryController:
        if self.write_low.value >= self.write_high.value:
            raise ValueError(
                f"write_low {self.write_low.value:g} is not below write_high "
                f"{self.write_high.value:g}: the buffer would never drain"
            )
        return self

    @property
    def drained_bursts(self) -> int:
        """Bursts that a channel writes between two turns of its bus."""
        share = self.write_high.value - self.write_low.value
        return max(round(self.write_entries.value * share), 1)


class GpuMemory(MemorySystem):
    """DRAM behind a GPU's own memory controller."""

    controller: MemoryController


class GpuEnergy(Part):
    """Energy of the GPU's actions, DRAM apart."""

    instruction_pj: Sourced = Field(description="one thread-level instruction, fetch to write-back")
    fp32_pj: Sourced = Field(description="one FP32 multiply-add, added to the instruction")
    sfu_pj: Sourced
    tensor_mac_pj: Sourced = Field(description="one FP16 multiply-add of a tensor core, operands")
    l2_byte_pj: Sourced


class Rail(Part):
    """A supply rail of the module: what hangs on it, and its share of the idle power."""

    idle_fraction: Sourced = Field(description="share of the idle power, relative to the others'")
    components: tuple[str, ...] = Field(description="energy components, with * as in file names")


class Warmup(Part):
    """Clocks after idle: the governor raises them while the GPU is busy."""

    cold_fraction: Fraction = Field(description="of the mode's clock at the first kernel")
    ramp_ms: Positive = Field(description="busy time until the mode's clock is reached")


class Gpu(Part):
    """A GPU with its power modes."""

    kind: Literal["gpu"]
    name: str
    title: str
    generation: Annotated[str, AfterValidator(_generation)] = Field(
        description="whose fitted parameters apply: a gpu table of arch, e.g. ampere"
    )
    default_mode: str = Field(description="the mode the module ships in")
    modes: dict[str, PowerMode]
    warmup: Warmup
    sm: SmFacts
    l2: Cache
    launch_ns: Sourced = Field(description="launch overhead between dependent kernels")
    energy: GpuEnergy
    rails: dict[str, Rail] = Field(
        default={}, description="a component hangs on the first that names it; none: one input"
    )
    memory: GpuMemory
    notes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _default_is_a_mode(self) -> Gpu:
        if self.default_mode not in self.modes:
            hint = one_of(self.default_mode, list(self.modes))
            raise ValueError(f"default_mode {self.default_mode!r} is none of the modes; {hint}")
        return self


Machine = Annotated[Accelerator | Gpu, Field(discriminator="kind")]
