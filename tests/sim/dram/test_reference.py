"""The row-level model against other projects' command-level simulators on the same traces.

The errors below are what the model has; a change that makes one grow fails. Copies alternate
reads and writes; the model, which serves whole streams, gets them in chunks of the write batch of
the simulator compared with.
"""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from archsim.arch.dram import load_device
from archsim.sim.dram.row import RowDram

RAMULATOR, DRAMSIM4, DRAMSIM3 = (
    "ramulator2_LPDDR5_6400", "dramsim3_LPDDR4_3200_x16_custom", "dramsim3_LPDDR3_1600_x64",
)  # fmt: skip
DEVICE = {RAMULATOR: "lpddr5-6400", DRAMSIM4: "lpddr4-3200", DRAMSIM3: "lpddr3-1600"}
WRITE_BATCH = {RAMULATOR: 20, DRAMSIM4: 32, DRAMSIM3: 32}
REFRESH_NS = {DRAMSIM3: 210}  # the file's tRFC, of a denser die than the table's
MAPPING = {
    (RAMULATOR, "bgco"): "row-bank-column",
    (RAMULATOR, "cobg"): "row-bank-column-group",
    (DRAMSIM4, "bgco"): "row-bank-column",
    (DRAMSIM4, "coba"): "row-column-bank",
    (DRAMSIM3, "cobg"): "row-bank-column",
}
TRACES = ("stream_r", "stream_w", "random_r", "random_w", "gather4_r", "copy_rw")
#: error of the total clocks with refresh, in percent, by trace in the order above
ERRORS = {
    (RAMULATOR, "bgco"): (-2.2, -3.1, -5.0, -1.9, -2.9, 13.8),
    (RAMULATOR, "cobg"): (-0.2, -1.8, -5.1, -1.7, -5.5, -0.6),
    (DRAMSIM4, "bgco"): (-0.4, -0.4, -1.7, -1.8, 1.1, 6.0),
    (DRAMSIM4, "coba"): (-0.4, -0.2, -2.0, -1.9, -3.3, 16.0),
    (DRAMSIM3, "cobg"): (-0.2, -0.4, -1.5, -0.9, 1.9, 2.9),
}
SLACK = 0.1  # the figures above are rounded
REQUESTS = 20_000


@pytest.fixture(scope="module")
def reference():
    folder = os.environ.get("ARCHSIM_DATA")
    if folder is None:
        pytest.skip("ARCHSIM_DATA is not set: no reference figures of DRAM simulators")
    path = Path(folder) / "hardware" / "dram_reference.json"
    return json.loads(path.read_text())["configurations"]


def draws(seed, indices, bits):
    """The traces' random numbers: SplitMix64's output, its upper bits."""
    z = np.uint64(seed) + (indices.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return (z >> np.uint64(64 - bits)).astype(np.int64)


def lines(trace, bits):
    i = np.arange(REQUESTS)
    if trace.startswith("stream"):
        return i
    if trace == "copy_rw":
        return i // 2 + (i % 2) * 2 ** (bits - 1)
    if trace == "gather4_r":
        return draws(3, i // 4, bits - 2) * 4 + i % 4
    return draws(1, i, bits)


def clocks(config, mapping, trace, bits):
    """Total command clocks of the model on a trace."""
    device = load_device(DEVICE[config])
    if config in REFRESH_NS:
        trfc = device.timing["trfc_ns"].model_copy(update={"value": REFRESH_NS[config]})
        timing = device.timing | {"trfc_ns": trfc}
        device = device.model_copy(update={"timing": timing})
    burst = device.burst_bytes
    dram = RowDram(device, channels=1, interleave_bytes=burst, mapping=MAPPING[config, mapping])
    address = lines(trace, bits) * burst
    size = np.full(REQUESTS, burst)
    if trace == "copy_rw":
        step = WRITE_BATCH[config]
        finish = 0
        for k in range(0, REQUESTS, 2 * step):
            for write in (False, True):
                chunk = address[k + write : k + 2 * step : 2]
                finish = max(finish, dram.serve(0, chunk, size[: chunk.size], write))
    else:
        finish = dram.serve(0, address, size, trace.endswith("_w"))
    return finish / (device.clock_ns * 1e3)


@pytest.mark.parametrize(("config", "mapping"), MAPPING)
def test_total_clocks_err_by_no_more_than_stated(reference, config, mapping, capsys):
    results = reference[config]["results"]
    errors = []
    for trace in TRACES:
        expected = results[f"{mapping}/refresh/{trace}"]["cycles_total"]
        errors.append(100 * (clocks(config, mapping, trace, reference[config]["L"]) / expected - 1))
    with capsys.disabled():
        row = "  ".join(f"{t} {e:+.1f} %" for t, e in zip(TRACES, errors))
        print(f"\n{config} {mapping}: {row}")
    stated = ERRORS[config, mapping]
    assert [abs(e) <= abs(s) + SLACK for e, s in zip(errors, stated)] == [True] * len(TRACES)


@pytest.mark.parametrize(
    ("device", "mapping", "bits", "stream", "random"),
    [
        ("lpddr5-6400", "row-bank-column-group", 26, (0.921, 0.928), (0.436, 0.464)),
        ("lpddr4-3200", "row-bank-column", 25, (0.917, 0.928), (0.454, 0.464)),
    ],
)
def test_fractions_of_the_peak_lie_between_simulation_and_the_analytic_bound(
    device, mapping, bits, stream, random
):
    """Of 20,000 reads: simulated, and 1 - tRFC / tREFI times 1 or 4 bursts per tFAW."""
    for (simulated, bound), trace in ((stream, "stream_r"), (random, "random_r")):
        dram = RowDram(device, channels=1, interleave_bytes=32, mapping=mapping)
        finish = dram.serve(0, lines(trace, bits) * 32, np.full(REQUESTS, 32), False)
        fraction = REQUESTS * 32 / (finish * 1e-12) / dram.peak_bytes_per_s
        assert simulated <= round(fraction, 3) <= bound
