"""The GPU part of the validation: roles, verdicts, and the fit's descent."""

import re

import pytest

from archsim.sim.gpu.timing import kernel_time
from archsim.sim.validation.checks import run_checks
from archsim.sim.validation.gpu import device, prefill_s
from archsim.sim.validation.gpu_fit import (
    PARAMETERS,
    changed,
    descend,
    objective,
    predicted_us,
)
from archsim.sim.validation.gpu_jetson import MODELS, decode_step
from archsim.sim.validation.gpu_measured import TABLES, Measurement
from archsim.sim.validation.gpu_operators import calls_of, kind_of, works
from archsim.sim.validation.inputs import Inputs
from archsim.sim.validation.parts import checks_of
from archsim.sim.validation.row import Tolerance, compare


@pytest.fixture(scope="module")
def rows():
    return list(run_checks(checks_of(["gpu"]), Inputs(), []))


def test_published_rows_need_no_data_and_fitted_ones_get_no_verdict(rows):
    verdicts = {row.claim: row.verdict for row in rows}
    prompt = "a100-80gb, prefill with FlashAttention-2, {} tokens: time"
    assert verdicts[prompt.format(50000)] == "fit"
    assert verdicts[prompt.format(300000)] == "pass"
    assert verdicts["agx-orin-64gb MAXN: read"] == "fit"
    assert verdicts["orin-nano-8gb 15W: decode Llama-3.1-8B INT4"] == "pass"


def test_a_fitted_row_gets_no_verdict_however_far_off():
    row = compare("gpu", "x", "y", reference=1.0, ours=9.0, source="s",
                  tolerance=Tolerance.within(0.1), fitted=True)  # fmt: skip
    assert row.verdict == "fit"


@pytest.mark.parametrize("name", [n for n in TABLES if n.startswith("a100")])
def test_a100_operators_stay_within_the_error_asked_on_every_check_table(name, data):
    host = {"matmul": 28.37, "softmax": 9.918, "layer norm": 48.0, "gelu": 45.0}
    own = [row for row in TABLES[name].rows(Inputs(data), name) if row.role == "check"]
    assert objective(own, device("a100-80gb"), host) < 0.2


def test_every_operator_is_of_a_class_and_has_kernels():
    gpu = device("rtx-4090")
    for operator, shape in [
        ("torch bmm", (2, 64, 64, 64)), ("vllm attention", (16, 0, 2, 64)),
        ("vllm rotary_emb", (16,)), ("eager input_layernorm", (16,)), ("eager rope", (16,)),
    ]:  # fmt: skip
        assert all(kernel_time(work, gpu).total_ns > 0 for work in works(operator, shape, gpu))
    assert kind_of("vllm lm_head") == "gemm"
    assert kind_of("eager post_layernorm") == "norm"
    assert kind_of("eager attn") == "attention"


def test_descent_finds_the_least_cost_within_the_bounds():
    parameters = PARAMETERS["rtx-4090"][:2]
    (first, second) = [(p.place, p.name) for p in parameters]

    def cost(values):
        return abs(values[first] - 2000) / 2000 + abs(values[second] - 10) / 10

    found = descend(parameters, {first: 3000.0, second: 80.0}, cost, rounds=12)
    assert found[first] == pytest.approx(2000, rel=0.05)
    assert found[second] == parameters[1].low  # 10 lies below what is allowed


def test_changed_parameters_change_the_times_of_that_device_alone():
    gpu = device("rtx-4090")
    slower = changed(gpu, {("generation", "kernel_ns"): 9000, ("controller", "pin_fraction"): 0.5})
    work = works("vllm down_proj", (1,), gpu)[0]
    assert kernel_time(work, slower).total_ns > 1.5 * kernel_time(work, gpu).total_ns
    assert gpu.generation.kernel_ns.value < 9000


def test_longer_prompts_and_contexts_take_longer():
    gpu = device("a100-80gb")
    assert prefill_s(2000, gpu) < prefill_s(4000, gpu)
    nano = device("orin-nano-8gb", "15W")
    model = MODELS["Llama-3.2-3B"]
    short, long = (decode_step(model, nano, context=n) for n in (128, 8192))
    times = [sum(kernel_time(work, nano).total_ns for work in step) for step in (short, long)]
    assert times[0] < times[1]


def test_a_row_over_two_calls_has_the_mean_of_their_kernels():
    """One layer was profiled: a norm without a residual and one with, in one row."""
    gpu = device("rtx-4090")
    plain, added = works("vllm layernorm", (512,), gpu)
    assert (calls_of("vllm layernorm"), calls_of("vllm final_layernorm")) == (2, 1)
    assert added.total("l2") / plain.total("l2") == pytest.approx((2 + 2 + 1) / (1 + 1 + 1))
    row = Measurement("rtx 4090 dense", 0, "fit", "vllm layernorm", (512,), 6.0)
    times = [kernel_time(work, gpu).total_ns for work in (plain, added)]
    assert predicted_us(row, gpu, {}) == pytest.approx(sum(times) / 2e3)


def test_norms_have_the_threads_of_their_launcher():
    gpu = device("rtx-4090")
    assert works("vllm final_layernorm", (255,), gpu)[0].shape.threads == 512
    assert works("vllm final_layernorm", (256,), gpu)[0].shape.threads == 256


def test_the_rail_log_lies_within_the_ranges_of_the_constants(rows):
    rails = [row for row in rows if row.quantity.startswith("power ")]
    assert len(rails) == 3
    for row in rails:
        low, high = (float(text) for text in re.findall(r"[0-9.]+", row.note.partition(" W")[0]))
        assert low <= row.reference <= high
        assert low < row.ours < high
        assert row.verdict == "fit"
