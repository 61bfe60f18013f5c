"""GPU kernels against measured times: mean absolute errors on fitted and on checked rows.

A class of kernels gives two rows: one over the rows that the parameters were fitted to, without a
verdict, and one over the rows that they were not. Notes name the worst cases.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from archsim.arch.load import load_machine
from archsim.arch.machine import Gpu
from archsim.sim.gpu.device import Device
from archsim.sim.gpu.timing import kernel_time
from archsim.sim.validation.checks import Check
from archsim.sim.validation.gpu_fit import PARAMETERS, predicted_us
from archsim.sim.validation.gpu_measured import TABLES, Measurement
from archsim.sim.validation.gpu_operators import eager_prefill, kind_of
from archsim.sim.validation.gpu_published import published
from archsim.sim.validation.inputs import Inputs
from archsim.sim.validation.row import Row, Tolerance, compare

__all__ = ["CHECKS", "device", "prefill_s"]

_PART = "gpu"
_MAPE = "mean absolute error"
_DENSE = ("rtx 4090 dense", "rtx 4090 lm_head")
#: tables of one claim -> what the issue of the model's error asks of their checked rows, per cent
_TOLERANCE = {"a100": 10.0, "rtx 4090 dense": 7.0, "rtx 4090 attention": 12.0, "predicted": 20.0}
_WORST = 3
#: Of the predicted tables, the token counts that are looked at: there are 2048 of each layer.
_EVERY = 64


@cache
def device(machine: str, mode: str | None = None) -> Device:
    """Return a shipped machine as a device, the same object each time."""
    loaded = load_machine(machine)
    assert isinstance(loaded, Gpu)  # the tables name GPUs only
    return Device.of(loaded, mode)


def a100(inputs: Inputs) -> Iterator[Row]:
    """Yield LLMCompass's operators on an A100, all together and by class."""
    names = [name for name in TABLES if name.startswith("a100")]
    rows = [row for name in names for row in TABLES[name].rows(inputs, name)]
    yield from _classes("a100-80gb, LLMCompass operators", rows, _TOLERANCE["a100"])


def rtx_4090(inputs: Inputs) -> Iterator[Row]:
    """Yield the layers of Llama-3.1-8B under vLLM on an RTX 4090."""
    dense = [row for name in _DENSE for row in TABLES[name].rows(inputs, name)]
    yield from _classes("rtx-4090, dense layers", dense, _TOLERANCE["rtx 4090 dense"])
    yield _one_token(dense)
    attention = TABLES["rtx 4090 attention"].rows(inputs, "rtx 4090 attention")
    tolerance = _TOLERANCE["rtx 4090 attention"]
    yield from _classes("rtx-4090, attention", attention, tolerance)
    yield _from_l2(attention)


def predicted(inputs: Inputs) -> Iterator[Row]:
    """Yield the layer tables of machines that no parameter was fitted to."""
    for name, table in TABLES.items():
        if not table.predicted:
            continue
        inputs.progress(f"gpu: {name}")
        rows = [
            row
            for row in table.rows(inputs, name)
            if (tokens := row.shape[0]) % _EVERY == 0 or tokens & (tokens - 1) == 0
        ]
        case = f"{table.machine}, Llama-3.1-8B layers"
        yield from _classes(case, rows, _TOLERANCE["predicted"])


def prefill(inputs: Inputs) -> Iterator[Row]:
    """Yield prompts of Llama-3-8B with FlashAttention-2 on an A100."""
    known = published()
    for row in known.prefill.rows:
        ours = prefill_s(row.tokens, device(known.prefill.machine))
        yield compare(
            _PART, f"{known.prefill.machine}, prefill with FlashAttention-2, {row.tokens} tokens",
            "time", reference=row.seconds, ours=ours, unit="s",
            source=known.sources[known.prefill.source], tolerance=Tolerance.within(0.07),
            fitted=row.role == "fit",
        )  # fmt: skip


def prefill_s(tokens: int, gpu: Device) -> float:
    """Return the modelled time of a prompt, the framework's own per token included."""
    kernels = sum(
        kernel_time(work, gpu).total_ns * times for work, times in eager_prefill(tokens, gpu)
    )
    return kernels / 1e9 + tokens * published().host.prefill_us_per_token / 1e6


# --- rows ---------------------------------------------------------------------------------------


def _classes(case: str, rows: list[Measurement], tolerance: float) -> Iterator[Row]:
    """Yield the error over all rows, and class by class, fitted and not apart."""
    gpu = device(TABLES[rows[0].table].machine)
    host = published().host.call_us
    errors = [(row, predicted_us(row, gpu, host) / row.time_us - 1) for row in rows]
    source = TABLES[rows[0].table].source
    fit = [pair for pair in errors if pair[0].role == "fit"]
    check = [pair for pair in errors if pair[0].role != "fit"]
    if fit:
        note = f"{len(fit)} rows, {len(PARAMETERS[gpu.machine.name])} parameters; {_worst(fit)}"
        yield _mape(f"{case}: fit rows", fit, source, tolerance, note, fitted=True)
    what = "check rows" if fit else "rows, none fitted"
    note = f"{len(check)} rows; {_worst(check)}"
    yield _mape(f"{case}: {what}", check, source, tolerance, note)
    kinds = sorted({kind_of(row.operator) for row in rows})
    for kind in kinds if len(kinds) > 1 else ():
        own = [pair for pair in check if kind_of(pair[0].operator) == kind]
        note = f"{len(own)} rows; {_worst(own)}"
        yield _mape(f"{case}: {what}, {kind}", own, source, tolerance, note)


def _mape(case: str, errors: list[tuple[Measurement, float]], source: str, tolerance: float,
          note: str, *, fitted: bool = False) -> Row:  # fmt: skip
    ours = 100 * sum(abs(error) for _, error in errors) / len(errors)
    return compare(
        _PART, case, _MAPE, reference=0.0, ours=ours, unit="%", source=source, note=note,
        tolerance=Tolerance(0.0, tolerance, relative=False), fitted=fitted,
    )  # fmt: skip


def _worst(errors: list[tuple[Measurement, float]]) -> str:
    worst = sorted(errors, key=lambda pair: -abs(pair[1]))[:_WORST]
    return "worst: " + ", ".join(f"{row.name} {100 * error:+.0f} %" for row, error in worst)


#: How often a layer of vLLM's Llama runs each of its kernels for one token.
_PER_LAYER = {"qkv_proj": 1, "o_proj": 1, "gate_up_proj": 1, "down_proj": 1, "layernorm": 2,
              "rotary_emb": 1, "act_fn": 1}  # fmt: skip
_LAYERS = 32


def _one_token(rows: list[Measurement]) -> Row:
    """Return the row of one decoded token's dense kernels: 32 layers and the last product."""
    gpu = device("rtx-4090")
    one = {row.operator.removeprefix("vllm "): row for row in rows if row.shape == (1,)}
    times = {name: _LAYERS * number for name, number in _PER_LAYER.items()} | {"lm_head": 1}
    measured = sum(one[name].time_us * number for name, number in times.items())
    ours = sum(predicted_us(one[name], gpu, {}) * number for name, number in times.items())
    return compare(
        _PART, "rtx-4090, one token decoded, dense kernels by sum", "time",
        reference=measured / 1e3, ours=ours / 1e3, unit="ms", tolerance=Tolerance.within(0.05),
        source=TABLES["rtx 4090 dense"].source,
        note="rows of one token, which are even and odd ones of their tables",
    )  # fmt: skip


def _from_l2(rows: list[Measurement]) -> Row:
    """Return the row of one sequence's 16,384 cached keys, read above the DRAM's pin rate."""
    row = next(row for row in rows if row.shape == (0, 0, 1, 16384))
    return compare(
        _PART, "rtx-4090, attention of one token over 16384 keys, from the L2", "time",
        reference=row.time_us, ours=predicted_us(row, device("rtx-4090"), {}), unit="us",
        tolerance=Tolerance.within(0.12), source=TABLES[row.table].source,
        note=f"a {row.role} row; the DRAM's pins alone would take 66.6 us",
        fitted=row.role == "fit",
    )  # fmt: skip


CHECKS = (
    Check(_PART, "operators on an A100", a100),
    Check(_PART, "prompts with FlashAttention-2 on an A100", prefill),
    Check(_PART, "layers of Llama-3.1-8B on an RTX 4090", rtx_4090),
    Check(_PART, "layers of Llama-3.1-8B on machines not fitted", predicted),
)
