"""The GPU model: fit its parameters anew, and its own speed.

    python -P benchmarks/gpu.py --fit rtx-4090    # prints values for arch/tables and the machine
    python -P benchmarks/gpu.py                   # CPU time of a decode step of Llama-3.1-8B

Needs ARCHSIM_DATA for --fit. Only fit rows are read.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Mapping
from pathlib import Path

from archsim.arch.load import load_machine
from archsim.sim.gpu.device import Device
from archsim.sim.gpu.kernels import gemm
from archsim.sim.gpu.run import run_kernels
from archsim.sim.gpu.timing import kernel_time
from archsim.sim.validation.gpu_fit import PARAMETERS, changed, descend, objective
from archsim.sim.validation.gpu_jetson import MODELS, decode_step
from archsim.sim.validation.gpu_measured import TABLES
from archsim.sim.validation.gpu_operators import eager_prefill
from archsim.sim.validation.gpu_published import published
from archsim.sim.validation.inputs import Inputs

Values = Mapping[tuple[str, str], float]
#: every so many rows of a table: the large ones are sampled
_STEP = {"rtx 4090 dense": 4, "rtx 4090 attention": 40}


def fit(machine: str, rounds: int) -> None:
    """Print the fitted values of a machine's parameters, starting from the shipped ones."""
    inputs = Inputs(Path(os.environ["ARCHSIM_DATA"]))
    base = Device.of(load_machine(machine))
    rows = [
        row
        for name, table in TABLES.items()
        if table.machine == machine
        for row in [r for r in table.rows(inputs, name) if r.role == "fit"][:: _STEP.get(name, 1)]
    ]
    prompts = [r for r in published().prefill.rows if r.role == "fit"]
    prompts = prompts[1:] if published().prefill.machine == machine else []  # 1000: host alone

    def cost(values: Values) -> float:
        gpu = changed(base, values)
        host = {name: value for (place, name), value in values.items() if place == "host"}
        tables = len({row.table for row in rows})
        total = tables * objective(rows, gpu, host)
        if prompts:
            tables += 1
            total += sum(
                abs(_prompt_s(r.tokens, gpu, host["prefill"]) / r.seconds - 1) for r in prompts
            ) / len(prompts)
        return total / tables

    found = descend(PARAMETERS[machine], _shipped(machine, base), cost, rounds=rounds, tell=print)
    for (place, name), value in found.items():
        print(f"{place}.{name}: {value:.4g}")


def _prompt_s(tokens: int, gpu: Device, host_us: float) -> float:
    kernels = sum(kernel_time(work, gpu).total_ns * n for work, n in eager_prefill(tokens, gpu))
    return kernels / 1e9 + tokens * host_us / 1e6


def _shipped(machine: str, base: Device) -> dict[tuple[str, str], float]:
    host = published().host
    values: dict[tuple[str, str], float] = {}
    for parameter in PARAMETERS[machine]:
        if parameter.place == "host":
            calls = {**host.call_us, "prefill": host.prefill_us_per_token}
            values[parameter.place, parameter.name] = calls[parameter.name]
        else:
            part = (
                base.generation
                if parameter.place == "generation"
                else base.machine.memory.controller
            )
            values[parameter.place, parameter.name] = getattr(part, parameter.name).value
    return values


def speed(repeats: int = 9) -> None:
    """Print the CPU time of simulating one decode step of Llama-3.1-8B on Orin NX."""
    gpu = Device.of(load_machine("orin-nx-16gb"), "MAXN")
    first, again = [], []
    for _ in range(repeats):
        gemm.tile_of.cache_clear()
        start = time.process_time()
        step = decode_step(MODELS["Llama-3.1-8B"], gpu, context=4096)
        run_kernels(step, gpu)
        first.append(time.process_time() - start)
        start = time.process_time()
        run_kernels(decode_step(MODELS["Llama-3.1-8B"], gpu, context=4097), gpu)
        again.append(time.process_time() - start)
    print(f"decode step of Llama-3.1-8B, {len(step)} kernels, CPU ms (median of {repeats}): "
          f"first {1e3 * statistics.median(first):.1f}, "
          f"later {1e3 * statistics.median(again):.1f}")  # fmt: skip


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--fit", choices=sorted(PARAMETERS), help="fit this machine's rows")
    arguments.add_argument("--rounds", type=int, default=5)
    chosen = arguments.parse_args()
    if chosen.fit:
        fit(chosen.fit, chosen.rounds)
    else:
        speed()
