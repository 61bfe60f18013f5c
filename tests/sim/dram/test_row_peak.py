"""No stream is served faster than the data pins of its busiest channel move its bursts."""

import numpy as np
import pytest

from archsim.arch.dram import list_devices, load_device
from archsim.sim.dram.row import RowDram
from archsim.sim.dram.streams import Streams, by_channel

CHANNELS, INTERLEAVE = 4, 256


@pytest.mark.parametrize("name", list_devices())
@pytest.mark.parametrize("mapping", ["row-bank-column", "row-bank-column-group"])
def test_no_stream_is_faster_than_its_pins(name, mapping):
    device = load_device(name)
    dram = RowDram(device, channels=CHANNELS, interleave_bytes=INTERLEAVE, mapping=mapping)
    generator = np.random.default_rng(5)
    burst_ps = device.burst_bytes / device.bandwidth_gb_s() * 1e3
    now = 0
    for _ in range(600):
        runs = int(generator.integers(1, 40))
        origin, stride = generator.integers(0, 1 << 20), generator.integers(1, 80) * 64
        address = origin * 64 + np.arange(runs) * stride
        size = np.full(runs, generator.integers(1, 5) * 16)
        finish = dram.serve(now, address, size, bool(generator.random() < 0.5))
        streams = Streams(
            np.zeros(1, np.int64), np.zeros(1, bool), np.array([0, runs]), address, size
        )
        busiest = max(
            requests.line.size
            for requests in by_channel(
                streams, channels=CHANNELS, interleave_bytes=INTERLEAVE,
                burst_bytes=device.burst_bytes,
            )
        )  # fmt: skip
        assert finish - now >= busiest * burst_ps - 1
        now += int(generator.integers(0, 2) * generator.integers(0, 400_000))
