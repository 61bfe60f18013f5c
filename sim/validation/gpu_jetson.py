"""Jetson modules: bandwidth and arithmetic of AGX Orin, decode rates of Orin Nano."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from archsim.sim.gpu.device import BlockShape, Device
from archsim.sim.gpu.kernels.attention import Heads, decode
from archsim.sim.gpu.kernels.elementwise import elementwise
from archsim.sim.gpu.kernels.gather import gather
from archsim.sim.gpu.kernels.gemm import gemm
from archsim.sim.gpu.kernels.rows import layer_norm
from archsim.sim.gpu.run import run_kernels
from archsim.sim.gpu.timing import kernel_time
from archsim.sim.gpu.work import Work, blocks
from archsim.sim.validation.checks import Check
from archsim.sim.validation.gpu import device
from archsim.sim.validation.gpu_published import published
from archsim.sim.validation.inputs import Inputs
from archsim.sim.validation.row import Row, Tolerance, compare

__all__ = ["CHECKS", "MODELS", "Model", "decode_step"]

_PART = "gpu"
_INT4 = 0.5 + 2 / 32  # bytes of a weight: 4 bits, and a scale of 16 for every 32 (MLC q4f16_1)
#: Cached tokens while decoding: the benchmark's prompt and answer are short and not stated.
_CONTEXT = 256


@dataclass(frozen=True)
class Model:
    """Shapes of a decoder-only model: what one token passes through."""

    layers: int
    hidden: int
    inner: int
    heads: Heads
    vocabulary: int


MODELS = {
    "Llama-3.1-8B": Model(32, 4096, 14336, Heads(32, 8, 128), 128256),
    "Qwen2.5-7B": Model(28, 3584, 18944, Heads(28, 4, 128), 152064),
    "Llama-3.2-3B": Model(28, 3072, 8192, Heads(24, 8, 128), 128256),
}
#: The language model of the rail log: a Qwen3-VL-2B, 28 layers (shapes from memory).
_LOGGED = Model(28, 2048, 6144, Heads(16, 8, 128), 151936)


def decode_step(model: Model, gpu: Device, *, context: int = _CONTEXT, batch: int = 1,
                weight_bytes: float = 2) -> list[Work]:  # fmt: skip
    """Return the kernels of one decoded token per sequence, fused as serving engines fuse them."""
    heads = model.heads
    attention = heads.queries * heads.size
    kv = heads.keys * heads.size

    def product(outputs: int, inputs: int) -> Work:
        return gemm(batch, outputs, inputs, gpu, b_bytes=weight_bytes)

    norm = layer_norm(batch, model.hidden, gpu, inputs=2, outputs=2, in_place=True)
    layer = [
        norm,
        product(attention + 2 * kv, model.hidden),
        elementwise(batch * (attention + kv), read_bytes=2, write_bytes=2, instructions=15),
        gather(batch, int(heads.kv_bytes), held=1.0),
        *decode(batch, context, heads, gpu),
        product(model.hidden, attention),
        norm,
        product(2 * model.inner, model.hidden),
        elementwise(batch * model.inner, read_bytes=4, write_bytes=2, instructions=30, special=2),
        product(model.hidden, model.inner),
    ]
    return [
        gather(batch, 2 * model.hidden), *layer * model.layers, norm,
        product(model.vocabulary, model.hidden),
    ]  # fmt: skip


def _read(gpu: Device) -> float:
    work = elementwise(1 << 30, read_bytes=2, write_bytes=0, instructions=4, held=0)
    return 2 * (1 << 30) / kernel_time(work, gpu).total_ns


def _copy(gpu: Device) -> float:
    work = elementwise(1 << 29, read_bytes=2, write_bytes=2, instructions=4, held=0)
    return 4 * (1 << 29) / kernel_time(work, gpu).total_ns


def _bf16_gemm(gpu: Device) -> float:
    return 2 * 8192**3 / kernel_time(gemm(8192, 8192, 8192, gpu), gpu).total_ns / 1e3


def _fp32_fma(gpu: Device) -> float:
    fma = 1 << 20  # of a block
    grid = blocks(16384, trips=0, fp32=fma, issue=fma / 32)
    work = Work("fma", "element-wise", BlockShape(256, 32, 0), *grid)
    return 2 * fma * 16384 / kernel_time(work, gpu).total_ns / 1e3


_MEASURED: dict[str, Callable[[Device], float]] = {
    "read": _read, "copy": _copy, "bf16 gemm": _bf16_gemm, "fp32 fma": _fp32_fma,
}  # fmt: skip


def jetson(inputs: Inputs) -> Iterator[Row]:
    """Yield the rows of the modules: AGX Orin's are fitted, Orin Nano's checked."""
    known = published()
    for figure in known.jetson:
        gpu = device(figure.machine, figure.mode)
        note = ""
        if figure.quantity in _MEASURED:
            ours = _MEASURED[figure.quantity](gpu)
        elif figure.quantity.startswith("power "):
            run = run_kernels(decode_step(_LOGGED, gpu, weight_bytes=_INT4), gpu)
            power = run.rails_pj[figure.quantity.removeprefix("power ")] * (1e-3 / run.total_ns)
            ours = power.value
            note = f"from {power.low:.1f} to {power.high:.1f} W by the ranges of the constants"
        else:
            model = MODELS[figure.quantity.removeprefix("decode ").removesuffix(" INT4")]
            ours = 1e9 / run_kernels(decode_step(model, gpu, weight_bytes=_INT4), gpu).total_ns
        yield compare(
            _PART, f"{figure.machine} {figure.mode}", figure.quantity, reference=figure.value,
            ours=ours, unit=figure.unit, source=known.sources[figure.source],
            tolerance=Tolerance.within(0.12), fitted=figure.role == "fit", note=note,
        )  # fmt: skip


CHECKS = (Check(_PART, "Jetson modules", jetson),)
