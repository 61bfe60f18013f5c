"""The library harness: what it feeds, stalls, answers, counts and refuses."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from amaranth.hdl import Assert, Module, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from archsim.rtl.tools.library import Library, Memory, RtlError, build_library

pytestmark = pytest.mark.rtl
REQUEST = data.StructLayout({"address": 12, "count": 8})
BEAT = data.ArrayLayout(8, 8)


class Bench(wiring.Component):
    """A scaled sum with a counter; a memory reader of wires; and mistakes on demand."""

    i: In(stream.Signature(data.StructLayout({"a": 4, "b": data.ArrayLayout(signed(30), 3)})))
    o: Out(stream.Signature(signed(40)))
    offset: In(4)
    seen: Out(32)
    twice: In(1)
    fickle: In(1)
    limit: In(32)

    ask: In(stream.Signature(REQUEST))
    mem_request: Out(stream.Signature(REQUEST))
    mem_response: In(stream.Signature(BEAT))
    beat: Out(stream.Signature(BEAT))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        full = Signal()
        again = Signal()
        value = Signal(signed(40), reset_less=True)
        m.d.comb += [
            self.o.valid.eq(full),
            self.o.payload.eq(value ^ (self.fickle & self.seen[0])),
            self.i.ready.eq(~full | (self.o.ready & ~again)),
        ]
        with m.If(self.o.ready):
            m.d.sync += [full.eq(again), again.eq(0)]
        with m.If(self.fickle):
            m.d.sync += self.seen.eq(self.seen + 1)
        with m.If(self.i.valid & self.i.ready):
            total = self.i.payload.b[0] + self.i.payload.b[1] - self.i.payload.b[2]
            m.d.sync += [
                full.eq(1),
                again.eq(self.twice),
                value.eq(total * self.i.payload.a + self.offset),
                self.seen.eq(self.seen + 1),
            ]
        m.d.sync += Assert((self.limit == 0) | (self.seen < self.limit), "too many seen")
        wiring.connect(m, wiring.flipped(self.ask), wiring.flipped(self.mem_request))
        wiring.connect(m, wiring.flipped(self.mem_response), wiring.flipped(self.beat))
        return m


@pytest.fixture(scope="module")
def library() -> Library:
    return build_library(Bench())


def stimulus(n: int) -> dict:
    rng = np.random.default_rng(n)
    return {"a": rng.integers(0, 16, n), "b": rng.integers(-(2**29), 2**29, (n, 3))}


def expected(columns: dict, offset: int = 0) -> np.ndarray:
    b = columns["b"]
    return (b[:, 0] + b[:, 1] - b[:, 2]) * columns["a"] + offset


@pytest.mark.parametrize("stall", [0, 30, 70])
def test_payloads_do_not_depend_on_stalls(library: Library, stall: int) -> None:
    columns = stimulus(5000)
    run = library.run(
        {"i": columns}, expect={"o": 5000}, stall_percent=stall, seed=3, ports={"offset": 5}
    )
    np.testing.assert_array_equal(run.outputs["o"], expected(columns, 5))
    assert run.ports["seen"] == 5000
    assert (run.cycles == 5001) == (stall == 0)
    fed = run.streams["i"]
    assert fed.beats == 5000
    assert (fed.stalled > 0) == (stall > 0)


def test_stalls_repeat_with_their_seed_and_follow_their_stream(library: Library) -> None:
    def times(seed: int, **stall: float) -> list[int]:
        run = library.run({"i": stimulus(50)}, expect={"o": 50}, seed=seed, times=("o",),
                          stall_percent=stall)  # fmt: skip
        return run.times["o"].tolist()

    assert times(1, o=50) == times(1, o=50)
    assert times(1, o=50) != times(2, o=50)
    assert times(1) == list(range(1, 51))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ports": {"twice": 1}}, "o: 20 beats instead of 10"),
        ({"ports": {"fickle": 1}, "stall_percent": 50}, "not stable in cycle .*: o changed its"),
        ({"ports": {"limit": 4}}, "an assertion failed in cycle .*too many seen"),
        ({"expect": {"o": 11}, "limit_cycles": 100}, "not done after 100 .*o moved 10 of 11"),
    ],
)
def test_broken_hardware_is_told(library: Library, options: dict, message: str) -> None:
    with pytest.raises(RtlError, match=message):
        library.run({"i": stimulus(10)}, **{"expect": {"o": 10}, **options})


def test_a_wrong_name_is_told(library: Library) -> None:
    with pytest.raises(ValueError, match="unknown stream 'x'; there are ask, beat, i,"):
        library.run({"x": np.zeros(1)})
    with pytest.raises(ValueError, match="unknown input port 'gain'; there are fickle, limit"):
        library.run({}, ports={"gain": 1})
    with pytest.raises(ValueError, match="offset: 16 does not fit 4 bits"):
        library.run({}, ports={"offset": 16})


MEMORY = np.random.default_rng(0).integers(0, 256, 8 * 4096).astype(np.uint8)


def ask(library: Library, address: list[int], count: list[int], **memory: object):
    requests = {"address": np.array(address), "count": np.array(count)}
    beats = sum(count)
    run = library.run({"ask": requests}, expect={"beat": beats}, times=("beat",),
                      memories=(Memory(MEMORY, **memory),))  # fmt: skip
    wanted = [MEMORY.reshape(-1, 8)[a : a + c] for a, c in zip(address, count)]
    np.testing.assert_array_equal(run.outputs["beat"], np.concatenate(wanted))
    return run.times["beat"].tolist()


@pytest.mark.parametrize(
    ("memory", "times"),
    [
        ({}, [1, 2, 3, 4]),
        ({"latency_cycles": 10}, [10, 11, 12, 13]),
        ({"latency_cycles": 10, "outstanding": 1}, [10, 11, 12, 23]),  # taken in 13
        ({"latency_cycles": np.array([3, 20])}, [3, 4, 5, 21]),
        ({"bytes_per_cycle": 4}, [1, 3, 5, 7]),
        ({"bytes_per_cycle": 8 / 2.5}, [1, 4, 6, 9]),
    ],
)
def test_memory_latency_and_bandwidth_are_exact(
    library: Library, memory: dict, times: list[int]
) -> None:
    assert ask(library, [100, 7], [3, 1], **memory) == times


def test_a_request_outside_the_memory_is_told(library: Library) -> None:
    with pytest.raises(RtlError, match="leaves the memory in cycle 0: beats 4095 to 4097 of"):
        ask(library, [4095], [2])


def test_waves_of_a_window_are_written(tmp_path: Path) -> None:
    wave = tmp_path / "wave.vcd"
    build_library(Bench(), trace="vcd").run({"i": stimulus(50)}, wave=(wave, 10, 20))
    marks = [int(line[1:]) for line in wave.read_text().splitlines() if line.startswith("#")]
    assert min(marks) == 100
    assert max(marks) == 195


def test_an_interrupted_build_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from archsim.rtl.tools import compile

    monkeypatch.setenv("ARCHSIM_CACHE", str(tmp_path))

    def interrupted(work: Path) -> None:
        (work / "half").write_text("")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compile.cached_folder("libraries", ["key"], interrupted)
    assert not list((tmp_path / "rtl/libraries").iterdir())


def test_missing_tools_are_one_error_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    from archsim.rtl.tools.environment import ToolError, need_header, need_package, need_program

    with pytest.raises(ToolError, match=r"'absent_package' is not installed(?s:.*)archsim\[rtl\]"):
        need_package("absent_package", "rtl")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ToolError, match=r"'g\+\+' is not on the PATH(?s:.*)apt install g\+\+"):
        need_program("g++")
    monkeypatch.undo()
    with pytest.raises(ToolError, match=r"'absent.h' is missing(?s:.*)apt install absent-dev"):
        need_header("absent.h", "absent-dev")


def test_tools_are_not_imported_with_the_package() -> None:
    import sys

    code = "import archsim.rtl, archsim.cli, sys; print('amaranth' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "False"


def test_the_fast_build_gives_the_same_beats_in_the_same_cycles(library: Library) -> None:
    columns = stimulus(2000)
    runs = [
        one.run({"i": columns}, expect={"o": 2000}, stall_percent=40, times=("i", "o"))
        for one in (library, build_library(Bench(), fast=True))
    ]
    for name in ("i", "o"):
        np.testing.assert_array_equal(runs[0].times[name], runs[1].times[name])
    np.testing.assert_array_equal(runs[0].outputs["o"], runs[1].outputs["o"])


def test_verilog_is_kept_by_what_it_is_made_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []

    def generate(component: Bench, *, checks: bool) -> str:
        written.append(component)
        return "module top(clk);\nendmodule\n"

    monkeypatch.setenv("ARCHSIM_CACHE", str(tmp_path))
    monkeypatch.setattr("archsim.rtl.tools.library.generate_fast_verilog", generate)
    monkeypatch.setattr("archsim.rtl.tools.library.compile_library", lambda *_, **__: tmp_path)
    for made_from, times in (("lanes=8", 1), ("lanes=8", 1), ("lanes=16", 2), (None, 3), (None, 4)):
        build_library(Bench(), fast=True, made_from=made_from)
        assert len(written) == times


def test_the_fast_build_checks_assertions_too() -> None:
    with pytest.raises(RtlError, match="an assertion failed in cycle"):
        build_library(Bench(), fast=True).run({"i": stimulus(10)}, ports={"limit": 4})
