"""The measured operators as kernels: what PyTorch and vLLM launch for each, and its host time.

PyTorch runs a norm or a rotary embedding of a Hugging Face model as many element-wise kernels,
each with its intermediate in memory; vLLM and torch.compile fuse them.
"""

from __future__ import annotations

from typing import Any

from archsim.sim.gpu.device import Device
from archsim.sim.gpu.kernels.attention import Heads, decode, mixed, prefill
from archsim.sim.gpu.kernels.elementwise import elementwise
from archsim.sim.gpu.kernels.gather import gather, index_select
from archsim.sim.gpu.kernels.gemm import gemm
from archsim.sim.gpu.kernels.rows import layer_norm, softmax
from archsim.sim.gpu.timing import left_in_l2
from archsim.sim.gpu.work import Work

__all__ = [
    "LLAMA_8B",
    "LLAMA_8B_WEIGHTS",
    "calls_of",
    "eager_layer",
    "eager_prefill",
    "host_of",
    "kind_of",
    "works",
]

#: Llama-3.1-8B: heads, and weights as (inputs, outputs).
LLAMA_8B = Heads(queries=32, keys=8, size=128)
LLAMA_8B_WEIGHTS = {
    "qkv_proj": (4096, 6144), "q_proj": (4096, 4096), "k_proj": (4096, 1024),
    "v_proj": (4096, 1024), "o_proj": (4096, 4096), "gate_up_proj": (4096, 28672),
    "gate_proj": (4096, 14336), "up_proj": (4096, 14336), "down_proj": (14336, 4096),
    "lm_head": (4096, 128256),
}  # fmt: skip
_HIDDEN, _INNER = 4096, 14336


def works(operator: str, shape: tuple[int, ...], device: Device) -> list[Work]:
    """Return the kernels of an operator, in launch order."""
    family, _, name = operator.partition(" ")
    if family == "vllm":
        return _vllm(name, shape, device)
    if family == "eager":
        return eager_layer(name, shape[0], device)
    return [_torch(operator.removeprefix("torch "), shape, device)]


def host_of(operator: str) -> str | None:
    """Return whose host time the measurement holds, ``None`` where kernels were timed."""
    if not operator.startswith("torch "):
        return None
    name = operator.removeprefix("torch ")
    return "matmul" if name == "bmm" else name


def kind_of(operator: str) -> str:
    """Return the class of kernel that reports group by."""
    name = operator.partition(" ")[2] if " " in operator else operator
    if name in LLAMA_8B_WEIGHTS or name in ("matmul", "bmm"):
        return "gemm"
    if name in ("attention", "attn"):
        return "attention"
    if "norm" in name:
        return "norm"
    return "softmax" if name == "softmax" else "element-wise"


def _torch(name: str, shape: tuple[int, ...], device: Device) -> Work:
    if name == "bmm":
        batch, m, n, k = shape
        return gemm(m, n, k, device, batch=batch, warm=True)
    if name == "matmul":
        m, n, k = shape
        return gemm(m, n, k, device, warm=True)
    if name == "gelu":
        return elementwise(shape[0], read_bytes=2, write_bytes=2, instructions=36, special=2)
    rows, columns = shape
    reduce = {"softmax": softmax, "layer norm": layer_norm}[name]
    return reduce(rows, columns, device)


def _vllm(name: str, shape: tuple[int, ...], device: Device) -> list[Work]:
    tokens = shape[0]
    if name == "attention":
        chunk, past, sequences, context = shape
        if chunk:
            attend = [mixed(chunk, past, sequences, context, LLAMA_8B, device)]
        else:  # one row: the products before it stream weights past the L2, and keys stay there
            held = float(sequences == 1)
            attend = decode(sequences, context, LLAMA_8B, device, held=held)
        cached = chunk + sequences  # their keys and values are copied to the cache first
        return [gather(cached, int(LLAMA_8B.kv_bytes), held=1.0), *attend]
    if name in LLAMA_8B_WEIGHTS:
        inputs, outputs = LLAMA_8B_WEIGHTS[name]
        return [gemm(tokens, outputs, inputs, device)]
    if name == "embedding":
        # the same few tokens over and over
        return [index_select(tokens, _HIDDEN, device, distinct=1)]
    return _fused(name, tokens, device)


#: What a fused kernel of vLLM reads, and the product that wrote it.
_AFTER = {"layernorm": "o_proj", "final_layernorm": "down_proj", "rotary_emb": "qkv_proj",
          "act_fn": "gate_up_proj"}  # fmt: skip


def _fused(name: str, tokens: int, device: Device) -> list[Work]:
    inputs, outputs = LLAMA_8B_WEIGHTS[_AFTER[name]]
    left = left_in_l2(gemm(tokens, outputs, inputs, device), device)
    if name == "rotary_emb":
        return [elementwise(tokens * 5120, read_bytes=2, write_bytes=2, instructions=10,
                            held=0, left=left, in_place=True)]  # fmt: skip
    if name == "act_fn":
        return [elementwise(tokens * _INNER, read_bytes=4, write_bytes=2, instructions=30,
                            special=2, held=0, left=left)]  # fmt: skip
    # beside the product's output, the residual of several products ago, which the fit rows show to
    # be in the L2 before the last norm only
    kept = 1.0 if name == "final_layernorm" else 0.0
    added = _norm(tokens, device, left=(left + kept) / 2, residual=True)
    if name == "final_layernorm":
        return [added]
    # one layer was measured: the norm before attention reads the embedding, without a residual
    embedded = left_in_l2(index_select(tokens, _HIDDEN, device, distinct=1), device)
    return [_norm(tokens, device, left=embedded, residual=False), added]


def calls_of(operator: str) -> int:
    """Return of how many calls a measured row is the mean: their kernels are all in ``works``."""
    return 2 if operator == "vllm layernorm" else 1


def _norm(tokens: int, device: Device, *, left: float, residual: bool) -> Work:
    """Return vLLM's RMS norm: a block per token, which reads the row again to scale it.

    Threads as its launcher has them: one for 8 elements, at most 256 from 256 tokens on
    (csrc/layernorm_kernels.cu).
    """
    streams = 2 if residual else 1  # in and out
    return layer_norm(tokens, _HIDDEN, device, inputs=streams, outputs=streams, in_place=residual,
                      held=0, left=left, again_bytes=2,
                      threads=512 if tokens < 256 else 256)  # fmt: skip


def eager_layer(name: str, tokens: int, device: Device) -> list[Work]:
    """Return the kernels of a layer of Llama-3.1-8B as Hugging Face's eager code launches them."""
    if name in LLAMA_8B_WEIGHTS:
        inputs, outputs = LLAMA_8B_WEIGHTS[name]
        return [gemm(tokens, outputs, inputs, device)]
    if name == "attn":
        return [prefill(tokens, LLAMA_8B, device)]
    if name == "embedding":
        return [index_select(tokens, _HIDDEN, device)]
    if name.endswith("norm"):
        small = [_step(tokens, 4, 4), _step(tokens, 4, 4)]  # plus epsilon, reciprocal root
        x = tokens * _HIDDEN
        mean = layer_norm(tokens, _HIDDEN, device, element_bytes=4, outputs=0)
        # a row's factor and the weights are broadcast: two dimensions
        scaled = _step(x, 4, 4, dimensions=2, element_bytes=4, instructions=1)
        weighted = _step(x, 2, 2, dimensions=2, instructions=1)
        return [_step(x, 2, 4), _step(x, 4, 4), mean, *small, scaled, _step(x, 4, 2), weighted]
    if name == "rope":
        halves = [_rotated(tokens * 4096), _rotated(tokens * 1024)]
        return [work for half in halves for work in half]
    if name == "act_fn":
        x = tokens * _INNER
        return [_step(x, 2, 2, special=2), _step(x, 4, 2)]
    raise ValueError(f"no layer {name!r}")


def eager_prefill(tokens: int, device: Device, layers: int = 32) -> list[tuple[Work, int]]:
    """Return the kernels of a prompt through Llama-3-8B's layers, each with how often it runs."""
    x = tokens * _HIDDEN
    cached = gather(2 * tokens, int(LLAMA_8B.kv_bytes) // 2, held=1.0)
    residual = _step(x, 4, 2)
    names = ("input_layernorm", "q_proj", "k_proj", "v_proj", "rope", "attn", "o_proj",
             "post_layernorm", "gate_proj", "up_proj", "act_fn", "down_proj")  # fmt: skip
    layer = [work for name in names for work in eager_layer(name, tokens, device)]
    last = [*eager_layer("final_layernorm", tokens, device), *eager_layer("lm_head", 1, device)]
    once = [*eager_layer("embedding", tokens, device), *last]
    return [*((work, layers) for work in [*layer, cached, residual, residual]),
            *((work, 1) for work in once)]  # fmt: skip


def _rotated(elements: int) -> list[Work]:
    """Return x cos + rotate_half(x) sin: negate, concatenate, two products, a sum.

    Heads are transposed views, and cos and sin broadcast over them: three dimensions.
    """
    sizes = [(elements // 2, 2), (elements, 2), (elements, 2), (elements, 2), (elements, 4)]
    return [_step(n, read, 2, dimensions=3, instructions=1) for n, read in sizes]


def _step(elements: int, read: float, write: float, **options: Any) -> Work:
    return elementwise(elements, read_bytes=read, write_bytes=write, **options)
