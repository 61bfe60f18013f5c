"""Energy by hand on round numbers, sums, and what more work costs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.arch.dram import load_device
from archsim.arch.dram.energy import command_energies
from archsim.arch.load import list_machines, load_machine
from archsim.arch.machine import Accelerator
from archsim.arch.operations import load_operations
from archsim.arch.sram import sram
from archsim.base.errors import ConfigError
from archsim.sim.energy import energy_by_component_pj

GPU = load_machine("orin-nx-16gb")
MS = 10**9
NO_DRAM = {"bytes": 0, "activates": 0, "read_bursts": 0, "write_bursts": 0, "refreshes": 0}


def constant(value, low=None, high=None):
    low, high = value if low is None else low, value if high is None else high
    return {"value": value, "low": low, "high": high, "source": "test"}


def accelerator(*, item_pj=None, node_nm=45, cell="itrs-hp"):
    unit = {
        "count": constant(2),
        "initiation_interval_cycles": constant(1),
        "latency_cycles": constant(4),
        "area_mm2": constant(0.25, 0.2, 0.5),
    }
    return Accelerator.model_validate({
        "kind": "accelerator",
        "name": "tiny",
        "title": "a machine for tests",
        "node_nm": constant(node_nm),
        "clock_mhz": constant(1000),
        "sram_cell": cell,
        "operations": "horowitz-45nm",
        "units": {
            "blend": unit,
            "sort": {**unit, "dynamic_pj_per_item": item_pj and constant(item_pj, 1, 10)},
        },
        "buffers": {
            "line": {
                "capacity_bytes": constant(32768), "word_bits": constant(256), "banks": constant(1),
            },
        },
        "memory": {
            "device": "lpddr4-3200",
            "channels": constant(2),
            "interleave_bytes": constant(256),
            "mapping": "row-bank-column",
            "outstanding_streams": constant(4),
            "controller_byte_pj": constant(25, 2, 50),
        },
    })  # fmt: skip


def energies(machine, actions=None, *, mode=None, time_ps=0, **dram):
    return energy_by_component_pj(
        machine, mode, actions=actions or {}, time_ps=time_ps, dram_counts={**NO_DRAM, **dram}
    )


def total(parts):
    return sum(part.value for part in parts.values())


def test_operations_cost_what_the_library_says():
    parts = energies(
        accelerator(), {"blend/fp32_mul": 1000, "blend/fp32_add": 500, "blend/exp": 10}
    )
    exp = 4 * 3.7 + 4 * 0.9
    assert parts["blend"].value == pytest.approx(1000 * 3.7 + 500 * 0.9 + 10 * exp)
    assert parts["blend"].low == pytest.approx(1000 * 2.6 + 500 * 0.63 + 10 * (2.6 + 0.63))


def test_operations_are_priced_at_the_machine_s_node():
    at_28 = energies(accelerator(node_nm=28), {"blend/fp32_mul": 1000})["blend"]
    assert at_28 == load_operations("horowitz-45nm").energy_pj("fp32_mul", 28) * 1000


def test_an_item_energy_replaces_the_counted_operations():
    machine = accelerator(item_pj=5)
    parts = energies(machine, {"sort/items": 100, "sort/fp32_cmp": 10**6})
    assert parts["sort"].value == 500
    assert (parts["sort"].low, parts["sort"].high) == (100, 1000)


def test_buffer_accesses_cost_words():
    cost = sram(32768, 256, 28, "itrs-hp")
    parts = energies(accelerator(node_nm=28), {"line/read_bytes": 3200, "line/write_bytes": 320})
    by_hand = 100 * cost.read_pj.value + 10 * cost.write_pj.value
    assert parts["line"].value == pytest.approx(by_hand)


def test_leakage_is_power_times_time():
    """4 units of 0.25 mm2 at 12 mW/mm2, SRAM by its table; 1 mW for 1 ms is 1e6 pJ."""
    parts = energies(accelerator(node_nm=28, cell="itrs-lstp"), time_ps=MS)
    assert parts["leakage/logic"].value == pytest.approx(12e6)
    assert parts["leakage/logic"].low == pytest.approx(4 * 0.2 * 1e6)
    assert parts["leakage/logic"].high == pytest.approx(4 * 0.5 * 28e6)
    assert parts["leakage/sram"].value == pytest.approx(0.02e6)


def test_dram_commands_and_states():
    command = command_energies(load_device("lpddr4-3200"))
    counts = {
        "activates": 3, "read_bursts": 100, "write_bursts": 10, "refreshes": 4,
        "active_ps/0": MS // 4, "active_ps/1": MS // 2,
    }  # fmt: skip
    parts = energies(accelerator(), time_ps=MS, **counts)
    assert parts["dram/activate"].value == pytest.approx(3 * 1204.6875)
    assert parts["dram/read"].value == pytest.approx(100 * 1347.5)
    assert parts["dram/write"].value == pytest.approx(10 * 990)
    assert parts["dram/io"].value == pytest.approx(100 * 820.875 + 10 * 298.375)
    assert parts["dram/refresh"].value == pytest.approx(4 * 23436)
    # 3/4 ms with a row open, 5/4 ms closed, of two channels for 1 ms
    assert parts["dram/standby"].value == pytest.approx(37.875e6 * 0.75 + 34.125e6 * 1.25)
    assert parts["dram/standby"].low == pytest.approx(
        command.active_standby_mw.low * 0.75e6 + command.power_down_mw.low * 1.25e6
    )


def test_every_machine_pays_its_memory_controller_per_dram_byte():
    part = energies(accelerator(), bytes=1000)["memory controller"]
    assert (part.value, part.low, part.high) == (25_000, 2_000, 50_000)
    for name in list_machines():
        machine = load_machine(name)
        price = machine.memory.controller_byte_pj
        mode = getattr(machine, "default_mode", None)
        assert energies(machine, mode=mode, bytes=8)["memory controller"] == price.interval * 8
        assert price.value > 0
        assert price.high >= GPU.memory.controller_byte_pj.value


def test_gpu_actions_and_idle_power():
    actions = {"sm/instructions": 1000, "sm/fp32": 100, "sm/sfu": 10, "l2/bytes": 64}
    parts = energies(GPU, actions, mode="MAXN", time_ps=MS, bytes=32)
    cost = GPU.energy
    assert parts["gpu/instructions"].value == pytest.approx(1000 * cost.instruction_pj.value)
    assert parts["gpu/fp32"].value == pytest.approx(100 * cost.fp32_pj.value)
    assert parts["gpu/sfu"].value == pytest.approx(10 * cost.sfu_pj.value)
    assert parts["gpu/l2"].value == pytest.approx(64 * cost.l2_byte_pj.value)
    assert parts["memory controller"] == GPU.memory.controller_byte_pj.interval * 32
    idle = GPU.modes["MAXN"].idle_power_mw
    assert parts["gpu/idle"].value == pytest.approx(idle.value * 1e6)
    assert parts["gpu/idle"].high == pytest.approx(idle.high * 1e6)
    other = energies(GPU, actions, mode="15W", time_ps=MS)["gpu/idle"]
    assert other.value == pytest.approx(GPU.modes["15W"].idle_power_mw.value * 1e6)


def test_no_work_in_no_time_costs_nothing():
    for parts in (energies(accelerator()), energies(GPU, mode="MAXN")):
        assert all((p.value, p.low, p.high) == (0, 0, 0) for p in parts.values())


@pytest.mark.parametrize(
    ("actions", "message", "remedy"),
    [
        (
            {"blemd/items": 1},
            "tiny has no unit, buffer or fifo for the action 'blemd/items'",
            "'blend'",
        ),
        ({"blend/fp32_mull": 1}, "no operation 'fp32_mull'", "'fp32_mul'"),
        ({"line/erase_bytes": 1}, "no price for the action 'line/erase_bytes'", "line/read_bytes"),
        (
            {"blend/items": 7},
            "unit blend did 7 items, and nothing says what they cost",
            "units.blend.dynamic_pj_per_item",
        ),
    ],
)
def test_an_action_without_a_price_is_refused(actions, message, remedy):
    with pytest.raises(ConfigError) as caught:
        energies(accelerator(), actions)
    assert message in caught.value.message
    assert remedy in caught.value.remedy


def test_an_unknown_gpu_action_is_refused():
    with pytest.raises(ConfigError, match="no price for the action 'sm/fp64'") as caught:
        energies(GPU, {"sm/fp64": 1}, mode="MAXN")
    assert caught.value.remedy == "did you mean 'sm/fp32'?"


counts = st.integers(0, 10**9)


@given(
    st.dictionaries(
        st.sampled_from([
            "blend/fp32_add", "blend/fp32_mul", "blend/fp32_cmp", "blend/int32_add", "blend/exp",
            "blend/div", "blend/sqrt", "sort/items", "line/read_bytes", "line/write_bytes",
        ]), counts,
    ),
    st.sampled_from(["blend/exp", "sort/items", "line/write_bytes"]), counts, counts, counts,
)  # fmt: skip
def test_more_work_never_costs_less(actions, grown, more, time_ps, bursts):
    machine = accelerator(item_pj=5, node_nm=28)
    before = energies(machine, actions, time_ps=time_ps, read_bursts=bursts)
    after = energies(
        machine, {**actions, grown: actions.get(grown, 0) + more},
        time_ps=time_ps + more, read_bursts=bursts + more,
    )  # fmt: skip
    for name, part in before.items():
        assert part.low <= part.value <= part.high
        assert part.value <= after[name].value * (1 + 1e-12)
    assert total(before) <= total(after) * (1 + 1e-12)


@given(st.lists(counts, min_size=4, max_size=4), counts)
def test_energy_is_linear_in_actions(numbers, time_ps):
    names = ("sm/instructions", "sm/fp32", "sm/sfu", "l2/bytes")
    whole = energies(GPU, dict(zip(names, numbers)), mode="MAXN", time_ps=time_ps)
    parts = [energies(GPU, {n: c}, mode="MAXN") for n, c in zip(names, numbers)]
    parts.append(energies(GPU, mode="MAXN", time_ps=time_ps))
    assert total(whole) == pytest.approx(sum(total(p) for p in parts))
