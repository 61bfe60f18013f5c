"""The hardware's counters, which the comparison reads, against the same run's waves."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archsim.rtl.blocks.coarse_feeder import CoarseFeeder
from archsim.rtl.blocks.machine import make_machine
from archsim.rtl.blocks.render_unit import RenderUnit
from archsim.rtl.blocks.sorter import sorter_payload
from archsim.rtl.blocks.tile_controller import visit_layout
from archsim.rtl.golden import golden_tiles
from archsim.rtl.memory_timing import MemoryTiming
from archsim.rtl.parameters import TILE
from archsim.rtl.scene_image import frame_constants
from archsim.rtl.simulate import run_tiles
from archsim.rtl.tools.library import build_library
from archsim.rtl.verify.top import TOP_PARAMETERS, top_scene

pytestmark = [pytest.mark.rtl, pytest.mark.rtl_full]

#: More voxels a tile than the bench of the top has: some are left when a tile stops.
P = replace(TOP_PARAMETERS, tile_voxels=16)

#: Tiles of which some stop early, one of nothing first.
TILES = (0, 617, 659, 663, 697, 722, 720, 756, 621, 652, 711, 630, 700, 690, 5)

#: Monitored streams, by where they are in the hardware.
PLACES = {
    "queue": "voxels.o", "visit": "controller.o", "coarse": "coarse.i", "survivor": "coarse.o",
    "fine": "fine.i", "feature": "fine.o", "key": "sorter.i", "render": "render.i",
}  # fmt: skip
OTHERS = ("feeder.o", "feeder.beats", "fetch.ranges", "render.o")


def codes_of(lines: Iterator[str], names: set[str]) -> dict[str, list[str]]:
    """Read a wave's declarations; return the signals of each code, ports of blocks below the top.

    Inside a block, what it connects may have a port's name, and the port then a number behind it:
    the port is what has another name outside.
    """
    scope: list[str] = []
    declared: dict[str, dict[str, set[str]]] = {}
    for line in lines:
        if "$enddefinitions" in line:
            break
        if found := re.match(r"\s*\$scope \w+ (\S+)", line):
            scope.append(found[1])
        elif "$upscope" in line:
            scope.pop()
        elif found := re.match(r"\s*\$var \w+ \d+ (\S+) ([^\s$]+)(\$\d+)? ", line):
            here = declared.setdefault(".".join(scope[2:]), {})
            here.setdefault(found[2], set()).add(found[1])
    outside = set().union(*declared[""].values())
    signals: dict[str, list[str]] = {}
    for name in names:
        block, _, port = name.rpartition(".")
        (code,) = declared[block][port] & outside
        signals.setdefault(code, []).append(name)
    return signals


def samples(file: Path, names: set[str]) -> Iterator[dict[str, int]]:
    """Yield the values of signals (``block.port`` below the top) at every rising edge."""
    value = dict.fromkeys(names, 0)
    low = False
    with file.open() as lines:
        signals = codes_of(lines, names)
        for line in lines:
            if line.startswith("#"):
                if low:
                    yield value
                low = int(line[1:]) % 10 == 0  # the clock rises in the middle of a cycle
            elif line[0] in "01b":
                bits, code = line[1:].split() if line[0] == "b" else (line[0], line[1:].strip())
                for name in signals.get(code, ()):
                    value[name] = int(bits, 2)


def field(layout: Any, payload: int, *path: str) -> int:
    """Return a field of a payload, by its path in the layout."""
    at = 0
    for name in path:
        at, layout = at + layout[name].offset, layout[name].shape
    width = layout if isinstance(layout, int) else layout.size if hasattr(layout, "size") else (
        layout.width)  # fmt: skip
    return payload >> at & (1 << width) - 1


def test_counters_are_what_the_waves_show(tmp_path: Path) -> None:
    image, camera = top_scene()
    golden = golden_tiles(image, camera, TILES, P)
    library = build_library(make_machine(P), made_from=repr(P), trace="vcd")
    memory = MemoryTiming(coarse_latency=30, fine_latency=np.array([2, 30, 5] * 5000))
    file = tmp_path / "slice.vcd"
    done = run_tiles(library, image, golden, frame_constants(camera, image.grid), P, memory=memory,
                     stall_percent=5, wave=(file, 12_000, 10_000_000))  # fmt: skip
    assert (done.pixels == golden.pixels).all()
    counters, streams = done.counters, done.run.streams

    at = {**PLACES, **{place: place for place in OTHERS}}
    names = {f"{place}__{part}" for place in at.values() for part in ("valid", "ready", "payload")}
    found: Counter[str] = Counter()
    render, feeder = RenderUnit(lanes=P.lanes).i.payload.shape(), CoarseFeeder().o.payload.shape()
    keys = sorter_payload(23, (P.list_entries - 1).bit_length())
    lengths, ends, pixels = [0], [], []
    complete = False
    for cycle, now in enumerate(samples(file, names | {"complete"})):
        assert now["complete"] >= complete  # nothing is counted before the window began
        complete = bool(now["complete"])
        moved = {}
        for name, place in at.items():
            valid, ready = now[f"{place}__valid"], now[f"{place}__ready"]
            moved[name] = bool(valid and ready)
            state = "moved" if moved[name] else "stalled" if valid else "starved" if ready else ""
            found[f"{name}_{state}"] += complete

        def of(name: str, layout: Any, *path: str, now: Any = now) -> int:
            return field(layout, now[f"{at[name]}__payload"], *path)

        found["visits"] += moved["visit"] and of("visit", visit_layout(), "voxel", "count") > 0
        found["fed"] += moved["feeder.o"] and of("feeder.o", feeder, "side", "flags", "real")
        if moved["key"]:
            lengths[-1] += 1
            if of("key", keys, "last"):
                lengths.append(0)
        if moved["render"] and of("render", render, "end"):
            ends.append(cycle)
        elif moved["render"]:
            found["gaussians"] += 1
            found["subtiles"] += of("render", render, "feature", "mask").bit_count()
        if moved["render.o"]:
            pixels.append(cycle)

    for name in PLACES:
        for state in ("moved", "stalled", "starved"):
            assert counters[f"{name}_{state}"] == found[f"{name}_{state}"] > 0, (name, state)
    assert counters["sorter_dropped"] == golden.dropped
    assert counters["visits"] == found["visits"]
    assert counters["visits"] + counters["skipped_voxels"] == golden.visits.tile.size
    assert counters["loaded"] == found["feeder.beats_moved"] == streams["coarse_response"].beats
    assert counters["loaded"] - counters["dropped"] == found["fed"]
    assert counters["kept"] == found["fetch.ranges_moved"] == streams["fine_request"].beats
    assert lengths.pop() == 0
    assert (counters["stored"], counters["lists"]) == (sum(lengths), len(lengths))
    blocks = -(-np.array(lengths) // P.sorter_keys)
    levels = np.ceil(np.log2(blocks)).astype(int)
    assert counters["passes"] == (blocks * (1 + levels)).sum()
    assert counters["gaussians"] == found["gaussians"]
    assert counters["blended"] + counters["skipped_subtiles"] == found["subtiles"]
    assert counters["busy_cycles"] == counters["blended"] * 64 // P.lanes
    last = pixels[TILE * TILE // P.lanes - 1 :: TILE * TILE // P.lanes]
    assert counters["drain_cycles"] == sum(last) - sum(ends)
    # an early stop did all that it does
    saved = {name: counters[name] for name in ("skipped_voxels", "dropped", "skipped_subtiles")}
    assert min(saved.values()) > 0, saved
