"""One frame through everything: what adds up, and what is refused."""

import numpy as np
import pytest

from archsim.arch.load import list_machines, load_machine
from archsim.base.errors import CheckError, ConfigError
from archsim.sim.program import Edge, MemoryRuns, ProgramBuilder
from archsim.sim.simulate import fidelity, row_dram, simulate


def program(*, tiles=20, machine="gscore", action=None, count=0):
    """Tiles that are read, worked on for 100 ns and written."""
    build = ProgramBuilder()
    work = build.unit("work", servers=2)
    dram = build.unit("dram", servers=4, in_order=False, dram=True)
    tile = np.arange(tiles)
    each = np.arange(tiles + 1)
    read = build.memory(
        dram, "fetch", "features", MemoryRuns(each, tile * 4096, np.full(tiles, 4096)), write=False
    )
    compute = build.compute(work, "blend", np.full(tiles, 100_000))
    write = build.memory(
        dram, "store", "pixels", MemoryRuns(each, 2**24 + tile * 1024, np.full(tiles, 1000)),
        write=True,
    )  # fmt: skip
    build.edge(read, compute, Edge.MEMORY)
    build.edge(compute, write)
    if action:
        build.count(action, count)
    return build.build()


def test_a_frame_adds_up():
    machine = load_machine("gscore")
    frame = simulate(program(), machine, None, "front")
    assert frame.camera == "front"
    # whole bursts of 32 bytes: 1000 bytes of pixels are 32 bursts
    assert frame.dram_bytes_by_stream == {"features/read": 20 * 4096, "pixels/write": 20 * 1024}
    assert frame.dram_counts["read_bursts"] == 20 * 4096 // 32
    assert frame.dram_counts["bytes"] == sum(frame.dram_bytes_by_stream.values())
    for name, servers in (("work", 2), ("dram", 1)):
        assert sum(frame.time_by_cause_ps[name].values()) == frame.time_ps * servers
    assert frame.time_by_cause_ps["work"]["busy"] == 20 * 100_000


def test_stages_are_rows_with_their_work():
    frame = simulate(program(), load_machine("gscore"), None, "front")
    assert [row["stage"] for row in frame.stages] == ["fetch", "blend", "store"]
    fetch, blend, store = frame.stages
    assert (fetch["unit"], fetch["tasks"], fetch["bytes"]) == ("dram", 20, 20 * 4096)
    assert (blend["unit"], blend["busy_ps"]) == ("work", 20 * 100_000)
    assert "bytes" not in blend
    assert fetch["start_ps"] == 0
    assert max(row["finish_ps"] for row in frame.stages) == frame.time_ps == store["finish_ps"]


def test_a_stage_on_two_units_is_two_rows():
    build = ProgramBuilder()
    units = [build.unit(name) for name in ("left", "right")]
    for unit, duration in zip(units, (10, 20)):
        build.compute(unit, "halves", duration)
    frame = simulate(build.build(), load_machine("gscore"), None, "front")
    assert [(r["stage"], r["unit"], r["busy_ps"]) for r in frame.stages] == [
        ("halves", "left", 10),
        ("halves", "right", 20),
    ]


def test_a_gpu_runs_in_its_default_mode_unless_told():
    machine = load_machine("orin-nx-16gb")
    work = program(action="sm/instructions", count=10**6)
    default = simulate(work, machine, None, "front")
    assert simulate(work, machine, machine.default_mode, "front") == default
    assert row_dram(machine, "10W").data_rate_mt_s == 4266
    assert row_dram(machine, "MAXN").data_rate_mt_s == 6400
    slow = simulate(work, machine, "10W", "front")
    assert slow.time_ps > default.time_ps
    assert default.energy_by_component_pj["gpu/instructions"].value > 0
    rails, parts = default.energy_by_rail_pj, default.energy_by_component_pj
    assert set(rails) == set(machine.rails)
    assert sum(e.value for e in rails.values()) == pytest.approx(
        sum(e.value for e in parts.values())
    )
    assert simulate(program(), load_machine("gscore"), None, "front").energy_by_rail_pj == {}


def test_a_gpu_gathers_writes_as_its_own_controller_does():
    """Copies in pieces turn the bus less often behind a deep buffer than behind a shallow one."""
    place = "memory.controller.write_entries.value"
    gpu, shallow = (load_machine("orin-nx-16gb", changes={place: (n, "test")}) for n in (4096, 16))

    def copied(dram):
        now = 0
        for piece in range(64):
            run = np.array([piece * 65536]), np.array([65536])
            now = dram.serve(now, *run, False)
            now = dram.serve(now, run[0] + 2**26, run[1], True)
        return now

    assert copied(row_dram(gpu, "MAXN")) < copied(row_dram(shallow, "MAXN"))
    plain = [copied(row_dram(m, "MAXN", own_controller=False)) for m in (gpu, shallow)]
    assert plain[0] == plain[1]  # the controller that the row model's error is stated against


def test_a_buffer_that_moves_more_than_its_ports_is_refused():
    machine = load_machine("gscore")  # feature: four banks of 32-byte words
    frame = simulate(program(), machine, None, "front")
    cycles = frame.time_ps // 1000  # at 1 GHz
    simulate(program(action="feature/read_bytes", count=cycles * 4 * 32), machine, None, "front")
    too_many = program(action="feature/read_bytes", count=(cycles + 2) * 4 * 32)
    with pytest.raises(
        CheckError, match=r"feature read \d+ and wrote 0 bytes in .* 4 banks"
    ) as bad:
        simulate(too_many, machine, None, "front")
    assert "more banks or wider words" in bad.value.remedy


def test_an_empty_frame_takes_no_time_and_no_energy():
    frame = simulate(ProgramBuilder().build(), load_machine("gscore"), None, "front")
    assert frame.time_ps == 0
    assert frame.stages == []
    assert all(e.value == 0 for e in frame.energy_by_component_pj.values())


def test_progress_ends_at_all_tasks():
    seen = []
    simulate(program(), load_machine("gscore"), None, "front",
             progress=lambda done, of: seen.append((done, of)))  # fmt: skip
    assert seen[-1] == (60, 60)


def test_a_mode_that_the_machine_lacks_is_refused():
    with pytest.raises(ConfigError, match="gscore has no power modes"):
        simulate(program(), load_machine("gscore"), "MAXN", "front")


@pytest.mark.parametrize("name", list_machines())
def test_fidelity_names_every_model(name):
    texts = fidelity(load_machine(name))
    assert {"time", "dram", "dram energy", "energy"} <= set(texts)
    assert all(len(text) > 20 for text in texts.values())
