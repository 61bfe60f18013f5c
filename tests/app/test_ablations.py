"""Every shipped ablation runs whole on a small object: no system is refused, no bound undercut."""

import pytest

import archsim

SMALL = {
    "workload.scene": "builtin:object", "workload.gaussians": 2500, "workload.resolution": [96, 80],
}  # fmt: skip
SLOW = ("ablation", "ablation-units", "ablation-voxels", "ablation-dram")


@pytest.mark.parametrize(
    "name",
    ["ablation-rays", "ablation-gscore", *(pytest.param(n, marks=pytest.mark.slow) for n in SLOW)],
)
def test_every_ablation_runs(name):
    systems = archsim.run(name, set=SMALL).systems
    assert len(systems) >= 5
    for system, found in systems.items():
        assert found["time_s"] > 0, system
        bound = found["lower_bound"]
        assert bound is None or bound["time_s"] <= found["time_s"], system
    times = {system: found["time_s"] for system, found in systems.items()}
    if name == "ablation":
        assert times["no-vq"] > times["streaminggs"]
    if name == "ablation-units":
        assert times["cfu-ii-1"] <= times["base"] <= times["cfu-ii-20"]
        assert times["vru-128"] <= times["base"] <= times["vru-32"]
    if name == "ablation-rays":
        assert times["filter-64"] <= times["steps-16-stride-1"] <= times["steps-1-stride-1"]
        assert times["ports-4"] <= times["steps-16-stride-1"]
