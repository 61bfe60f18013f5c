"""The shipped GPUs against the peak figures published for the modules."""

import pytest

from archsim.arch.load import load_machine
from archsim.sim.gpu.device import Device

#: module, mode -> FP32 TFLOPS (2 per lane and cycle), GB/s, of the modules' specifications
PEAKS = {
    ("orin-nx-16gb", "MAXN"): (1.88, 102.4),
    ("orin-nx-16gb", "15W"): (0.63, 102.4),
    ("agx-orin-64gb", "MAXN"): (5.33, 204.8),
    ("orin-nano-8gb", "15W"): (1.28, 68.3),
    ("orin-nano-8gb", "MAXN_SUPER"): (2.09, 102.4),
}


@pytest.mark.parametrize(("module", "mode"), PEAKS)
def test_peaks_equal_the_published_ones(module, mode):
    device = Device.of(load_machine(module), mode)
    lanes = device.machine.sm.fp32_lanes.value * device.sms
    tflops = lanes * 2 * device.mode.gpu_clock_mhz.value * 1e-6
    assert (tflops, device.pin_gb_s) == (
        pytest.approx(PEAKS[module, mode][0], abs=0.005),
        pytest.approx(PEAKS[module, mode][1], abs=0.05),
    )


@pytest.mark.parametrize(
    ("module", "default"),
    [("orin-nx-16gb", "15W"), ("agx-orin-64gb", "30W"), ("orin-nano-8gb", "15W")],
)
def test_the_default_is_the_mode_the_module_ships_in(module, default):
    assert Device.of(load_machine(module), None).mode_name == default


@pytest.mark.parametrize("module", ["orin-nx-16gb", "agx-orin-64gb", "orin-nano-8gb"])
def test_guesses_are_marked(module):
    gpu = load_machine(module)
    found = [gpu.issue_efficiency, gpu.energy.instruction_pj, gpu.memory.interleave_bytes]
    assert all(constant.assumed for constant in found)
    assert all(constant.low < constant.high for constant in found)
