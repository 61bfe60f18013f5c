"""The shipped GPUs against the peak figures published for the modules."""

import pytest

from archsim.arch.load import list_machines, load_machine
from archsim.base.errors import ConfigError
from archsim.sim.gpu.device import Device

#: module, mode -> FP32 TFLOPS (2 per lane and cycle), GB/s, of the modules' specifications
PEAKS = {
    ("orin-nx-16gb", "MAXN"): (1.88, 102.4),
    ("orin-nx-16gb", "15W"): (0.63, 102.4),
    ("orin-nx-8gb", "MAXN"): (1.57, 102.4),
    ("agx-orin-64gb", "MAXN"): (5.33, 204.8),
    ("agx-orin-32gb", "MAXN"): (3.33, 204.8),
    ("orin-nano-8gb", "15W"): (1.28, 68.3),
    ("orin-nano-8gb", "MAXN_SUPER"): (2.09, 102.4),
    ("orin-nano-4gb", "10W"): (0.64, 34.1),
    ("xavier-nx", "20W"): (0.85, 59.7),
    ("xavier-nx", "15W"): (0.85, 51.2),
    ("a100-80gb", "boost"): (19.49, 2039.0),
    ("rtx-a6000", "boost"): (38.71, 768.0),
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
    found = [gpu.launch_ns, gpu.energy.instruction_pj, gpu.memory.interleave_bytes]
    assert all(constant.assumed for constant in found)
    assert all(constant.low < constant.high for constant in found)


@pytest.mark.parametrize("module", [n for n in list_machines() if load_machine(n).kind == "gpu"])
def test_tensor_peaks_equal_the_published_ones(module):
    # dense FP16 with FP32 accumulation, TFLOPS at the rated clock
    published = {"a100-80gb": 312, "h100-sxm": 989, "rtx-3090": 71, "rtx-a6000": 154.8,
                 "rtx-4090": 165.2, "agx-orin-64gb": 42.6, "orin-nx-16gb": 15.0}  # fmt: skip
    rated = {"rtx-3090": 1695, "rtx-4090": 2520}
    if module in published:
        device = Device.of(load_machine(module), "MAXN" if "orin" in module else None)
        clock = rated.get(module, device.clock_mhz)
        tflops = 2 * device.machine.sm.tensor_macs.value * device.sms * clock * 1e-6
        assert tflops == pytest.approx(published[module], rel=0.01)


def test_a_cold_gpu_warms_up():
    device = Device.of(load_machine("agx-orin-64gb"), "MAXN")
    clocks = [device.after(ms).clock_mhz for ms in (0, 500, 1000, 2000)]
    assert clocks == pytest.approx([0.23 * 1301, 0.615 * 1301, 1301, 1301])


def test_a_write_costs_its_share_of_the_turns_of_the_bus():
    """The controller of AGX Orin: 0.8 - 0.2 of 448 writes for every 30 ns of turning."""
    device = Device.of(load_machine("agx-orin-64gb"), "MAXN")
    assert device.machine.memory.controller.drained_bursts == 269
    # LPDDR5-6400, clocks of 1.25 ns: RL 17 + 1 - WL 11 + 2 from read to write, WL 11 + 2 + tWTR
    assert device.turn_ns == pytest.approx(30.0)
    size = 1 << 30
    pins = 204.8 * 0.921
    turns = size / 32 / 269 / 16
    assert device.dram_ns(size, size) == pytest.approx(2 * size / pins + turns * 30.0)
    assert device.dram_ns(0, size) == pytest.approx(size / pins)  # nothing to turn back to


@pytest.mark.parametrize(("entries", "slower"), [(128, True), (4096, False)])
def test_a_smaller_write_buffer_turns_the_bus_more_often(entries, slower):
    place = "memory.controller.write_entries.value"
    other = load_machine("agx-orin-64gb", changes={place: (entries, "test")})
    own = Device.of(load_machine("agx-orin-64gb"), "MAXN").dram_ns(1e9, 1e9)
    assert (Device.of(other, "MAXN").dram_ns(1e9, 1e9) > own) is slower


def test_a_buffer_that_would_never_drain_is_an_error():
    with pytest.raises(ConfigError, match=r"write_low 0\.9 is not below write_high 0\.8"):
        load_machine("agx-orin-64gb", changes={"memory.controller.write_low.value": (0.9, "test")})
