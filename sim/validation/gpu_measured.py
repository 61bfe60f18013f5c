"""Measured GPU times, table by table, each row with the role that a fixed rule gives it.

The rule was committed before any fitting: in the order of a table's rows, even indices are
``fit`` and odd ones ``check``. Tables of machines whose generation parameters come from elsewhere
are ``predicted`` throughout: no row of theirs is fitted. ``gpu_split.yaml`` lists how many rows of
each role a table has; rows with a single point are in ``gpu_published.yaml``, with their role.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from archsim.base.shipped import read_shipped
from archsim.base.yaml_places import validate
from archsim.sim.validation.inputs import Inputs

__all__ = ["TABLES", "Measurement", "Role", "Table", "role_of", "split"]

Role = Literal["fit", "check", "predicted"]


@dataclass(frozen=True)
class Measurement:
    """One measured time.

    Attributes
    ----------
    table, index
        The table and the row's place in it, 0 for the first.
    role
        What the row is used for.
    operator
        What was measured, a name of :mod:`archsim.sim.validation.gpu_operators`.
    shape
        The operator's sizes, in the order of its arguments.
    time_us
        The measured time.
    """

    table: str
    index: int
    role: Role
    operator: str
    shape: tuple[int, ...]
    time_us: float

    @property
    def name(self) -> str:
        """How reports call the row."""
        return f"{self.operator} {' x '.join(str(size) for size in self.shape)}"


@dataclass(frozen=True)
class Table:
    """A measured table.

    Attributes
    ----------
    machine
        The machine it was measured on.
    file
        Where the data folder holds it.
    source
        Where it comes from.
    read
        Yields operator, shape and time in microseconds of each row, in the file's order.
    predicted
        Whether no row of it is fitted.
    """

    machine: str
    file: str
    source: str
    read: Callable[[Path], Iterator[tuple[str, tuple[int, ...], float]]]
    predicted: bool = False

    def rows(self, inputs: Inputs, name: str) -> list[Measurement]:
        """Return the rows; raises :class:`MissingInputError` when the file is not there."""
        return [
            Measurement(name, index, role_of(index, predicted=self.predicted), *row)
            for index, row in enumerate(self.read(inputs.path(self.file)))
        ]


def role_of(index: int, *, predicted: bool = False) -> Role:
    """Return the role of a table's row: even indices are fitted, odd ones checked."""
    if predicted:
        return "predicted"
    return "check" if index % 2 else "fit"


class _Split(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    tables: dict[str, dict[Role, int]]


@cache
def split() -> dict[str, dict[Role, int]]:
    """Return the committed listing: table -> role -> number of rows."""
    found: _Split = validate(_Split, *read_shipped("archsim.sim.validation", "gpu_split"))
    return found.tables


# --- readers ------------------------------------------------------------------------------------

_Row = tuple[str, tuple[int, ...], float]
_Reader = Callable[[Path], Iterator[_Row]]


def _lines(path: Path) -> Iterator[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        for line in csv.reader(file):
            if line:
                yield [cell.strip() for cell in line]


def _matmul(path: Path) -> Iterator[_Row]:
    for m, k, n, time, _ in _lines(path):
        yield "torch matmul", (int(m), int(n), int(k)), float(time.removesuffix("ms")) * 1e3


def _elements_per_ns(operator: str) -> _Reader:
    """Return a reader of throughputs in 10^9 elements per second, by shape."""

    def read(path: Path) -> Iterator[_Row]:
        for *sizes, rate in _lines(path):
            shape = tuple(int(size) for size in sizes)
            elements = 1
            for size in shape:
                elements *= size
            yield operator, shape, elements / float(rate) * 1e-3

    return read


#: The operators of a GPT-3 layer on one of four devices (batch 8), in the order of the files;
#: the two all-reduces that follow are no kernels of one GPU.
_PREFILL: tuple[tuple[str, tuple[int, ...], int], ...] = (
    ("torch matmul", (16384, 3072, 12288), 3),
    ("torch bmm", (192, 2048, 2048, 128), 1),
    ("torch bmm", (192, 2048, 128, 2048), 1),
    ("torch matmul", (16384, 12288, 3072), 1),
    ("torch matmul", (16384, 12288, 12288), 1),
    ("torch matmul", (16384, 12288, 12288), 1),
    ("torch softmax", (393216, 2048), 1),
    ("layer norm", (16384, 12288), 1),
    ("layer norm", (16384, 12288), 1),
    ("torch gelu", (201326592,), 1),
)
_DECODE: tuple[tuple[str, tuple[int, ...], int], ...] = (
    ("torch matmul", (8, 3072, 12288), 3),
    ("torch bmm", (192, 1, 3072, 128), 1),
    ("torch bmm", (192, 1, 128, 3072), 1),
    ("torch matmul", (8, 12288, 3072), 1),
    ("torch matmul", (8, 12288, 12288), 1),
    ("torch matmul", (8, 12288, 12288), 1),
    ("torch softmax", (192, 3072), 1),
    ("torch layer norm", (8, 12288), 1),
    ("torch layer norm", (8, 12288), 1),
    ("torch gelu", (98304,), 1),
)


def _layer(operators: tuple[tuple[str, tuple[int, ...], int], ...]) -> _Reader:
    def read(path: Path) -> Iterator[_Row]:
        for (operator, shape, calls), (seconds,) in zip(operators, _lines(path), strict=False):
            yield operator, shape, float(seconds) * 1e6 / calls

    return read


def _dense(path: Path) -> Iterator[_Row]:
    for layer, tokens, time in _records(path, "layer", "tokens", "time_us"):
        yield f"vllm {layer}", (int(tokens),), float(time)


def _per_sequence(path: Path) -> Iterator[_Row]:
    for layer, sequences, time in _records(path, "layer", "sequences", "time_us"):
        if layer == "lm_head":  # the sampler is the serving engine's, several kernels of its own
            yield f"vllm {layer}", (int(sequences),), float(time)


def _attention(path: Path) -> Iterator[_Row]:
    names = ("prefill_chunk", "kv_prefill", "n_decode", "kv_decode", "time_us")
    for chunk, kv_prefill, n_decode, kv_decode, time in _records(path, *names):
        shape = (int(chunk), int(kv_prefill), int(n_decode), int(kv_decode))
        yield "vllm attention", shape, float(time)


def _layers(path: Path) -> Iterator[_Row]:
    for layer, tokens, time in _records(path, "layer_name", "input", "latency(ns)"):
        yield f"eager {layer}", (int(tokens),), int(time) * 1e-3


def _records(path: Path, *names: str) -> Iterator[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        for record in csv.DictReader(file):
            yield [record[name] for name in names]


_LLMCOMPASS = (
    "LLMCompass (ISCA 2024) artifact, PrincetonUniversity/LLMCompass (2e015fd), ae/figure5: "
    "fp16 operators of PyTorch on one A100 80GB, wall clock around each call"
)
_SERVING = "casys-kaist/LLMServingSim (5daddb2): Llama-3.1-8B, bf16, "

TABLES: dict[str, Table] = {
    "a100 matmul": Table("a100-80gb", "diffusion/llmcompass/matmul_A100.csv", _LLMCOMPASS, _matmul),
    "a100 softmax": Table("a100-80gb", "diffusion/llmcompass/softmax_A100.csv", _LLMCOMPASS,
                          _elements_per_ns("torch softmax")),
    "a100 layer norm": Table("a100-80gb", "diffusion/llmcompass/layernorm_A100.csv", _LLMCOMPASS,
                             _elements_per_ns("torch layer norm")),
    "a100 gelu": Table("a100-80gb", "diffusion/llmcompass/gelu_A100.csv", _LLMCOMPASS,
                       _elements_per_ns("torch gelu")),
    "a100 gpt-3 prefill": Table("a100-80gb", "diffusion/llmcompass/transformer_A100.csv",
                                _LLMCOMPASS, _layer(_PREFILL)),
    "a100 gpt-3 decode": Table("a100-80gb", "diffusion/llmcompass/transformerAR_A100.csv",
                               _LLMCOMPASS, _layer(_DECODE)),
    "rtx 4090 dense": Table(
        "rtx-4090", "llm/llmservingsim/RTX4090_Llama-3.1-8B_bf16_tp1/dense.csv",
        _SERVING + "kernels of vLLM 0.19 on an RTX 4090", _dense),
    "rtx 4090 lm_head": Table(
        "rtx-4090", "llm/llmservingsim/RTX4090_Llama-3.1-8B_bf16_tp1/per_sequence.csv",
        _SERVING + "kernels of vLLM 0.19 on an RTX 4090", _per_sequence),
    "rtx 4090 attention": Table(
        "rtx-4090", "llm/llmservingsim/RTX4090_Llama-3.1-8B_bf16_tp1/attention.csv",
        _SERVING + "kernels of vLLM 0.19 on an RTX 4090", _attention),
    "rtx 3090 layers": Table(
        "rtx-3090", "llm/llmservingsim/RTX3090_Llama-3.1-8B_tp1/layers.csv",
        _SERVING + "layers of PyTorch on an RTX 3090", _layers, predicted=True),
    "rtx a6000 layers": Table(
        "rtx-a6000", "llm/llmservingsim/A6000_Llama-3.1-8B_tp1/layers.csv",
        _SERVING + "layers of PyTorch on an RTX A6000", _layers, predicted=True),
    "h100 layers": Table(
        "h100-sxm", "llm/llmservingsim/H100_Llama-3.1-8B_tp1/layers.csv",
        _SERVING + "layers of PyTorch on an H100", _layers, predicted=True),
}  # fmt: skip
