"""Benches of the blocks that join, fork and hold streams on their way through a slice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from archsim.rtl.blocks.coarse_feeder import CONTEXT, CoarseFeeder, side_layout
from archsim.rtl.blocks.coarse_filter import CoarseFilter
from archsim.rtl.blocks.codebook_decoder import CodebookDecoder
from archsim.rtl.blocks.filter_bank import FilterBank
from archsim.rtl.blocks.fine_fetch import CARRIED, FineFetch
from archsim.rtl.blocks.list_buffer import KEY_BITS, ListBuffer
from archsim.rtl.blocks.tile_controller import ADDRESS_BITS
from archsim.rtl.blocks.tokens import TILE_BITS
from archsim.rtl.format import FLOAT
from archsim.rtl.verify.arithmetic import some_gaussians, some_items
from archsim.rtl.verify.bench import Bench, Bin, Seen, Stimulus
from archsim.rtl.verify.streams import FLOW, flow

__all__ = ["JOIN_BENCHES"]

Rng = np.random.Generator
_MANY = 80_000  #: beats from which on a voxel may have so many records that every bit counts
_ENTRIES = 16  #: of the list buffer
_BOOKS = {"scale": 2, "rotation": 2, "base": 2, "harmonics": 2}


def _bits(rng: Rng, width: int, n: int) -> Any:
    return rng.integers(0, 1 << width, n)


def _floats(rng: Rng, names: tuple[str, ...] | list[str], n: int) -> dict[str, Any]:
    return {name: _bits(rng, FLOAT.width, n) for name in names}


def _stop(rng: Rng, tile: Any) -> dict[str, int]:
    """Return ports that say, every other time, that one of the tiles needs nothing more."""
    return {"stopped": int(rng.random() < 0.5), "stopped_tile": int(rng.choice(tile))}


def _stopped_tile(make: Callable[[Rng, int], Stimulus], tiles: Callable[[Any], Any]) -> Any:
    """Return directed stimuli in which the tile of most items is stopped."""

    def directed() -> list[Stimulus]:
        given = make(np.random.default_rng(0), 400)
        most = int(np.bincount(tiles(given.inputs)).argmax())
        return [replace(given, ports={"stopped": 1, "stopped_tile": most})]

    return directed


def _flags(rng: Rng, n: int) -> dict[str, Any]:
    """Return flags of n items: a list of about five, a tile of about four lists."""
    end_list = (rng.random(n) < 0.2).astype(np.int64)
    end_list[-1] = 1
    end_tile = end_list & (rng.random(n) < 0.25)
    end_tile[-1] = 1
    tile = (np.cumsum(end_tile) - end_tile) % (1 << TILE_BITS)
    real = (rng.random(n) < 0.8).astype(np.int64)
    return {"real": real, "end_list": end_list, "end_tile": end_tile, "tile": tile}


def _visits(rng: Rng, n: int) -> Stimulus:
    """Voxels of no records, a few or many, each with its context."""
    counts = [int(c) for c in (0, 0x5555, 0, 0xAAAA) if n >= _MANY]
    while sum(counts) < n:
        counts.append(int(rng.integers(0, rng.choice([2, 8, 60]))))
    count = np.array(counts)
    last = (rng.random(count.size) < 0.3).astype(np.int64)
    last[-1] = 1
    tile = (np.cumsum(last) - last) % (1 << TILE_BITS)
    context = {
        **_floats(rng, CONTEXT, count.size),
        "start": rng.integers(0, (1 << ADDRESS_BITS) - count),
        "count": count,
        "tile": tile,
        "last": last,
    }
    beats = rng.integers(0, 1 << 64, int(count.sum()), dtype=np.uint64)
    return Stimulus({"contexts": context, "beats": beats}, _stop(rng, tile))


def _found(rng: Rng, n: int) -> Stimulus:
    """Results of coarse filters, of which a part is kept."""
    flags = _flags(rng, n)
    keep = (rng.random(n) < 0.4).astype(np.int64)
    result = {"keep": keep, **_floats(rng, (*CARRIED, "depth"), n)}
    side = {"record": _bits(rng, ADDRESS_BITS, n), "flags": flags}
    records = int((keep & flags["real"]).sum())
    decoded = _floats(rng, _fetch().names, records)
    decoded["opacity"] = _bits(rng, 8, records)
    inputs = {"i": {"result": result, "side": side}, "decoded": decoded}
    return Stimulus(inputs, _stop(rng, flags["tile"]))


def _fetch() -> FineFetch:
    decoder = CodebookDecoder(entries=_BOOKS, degree=0)
    return FineFetch(decoded=decoder.o.payload.shape(), depth=4)


def _features(rng: Rng, n: int) -> Stimulus:
    """Features with many equal keys; sorted as the sorter would."""
    flags = _flags(rng, n)
    feature: Any = some_gaussians(rng, n).inputs["i"]
    # lists of a tile's own length, now and then longer than a half
    long = rng.random(n) < 0.5
    flags["end_list"] &= long | (flags["end_tile"] == 1)
    keys = rng.integers(0, int(rng.choice([4, 1 << KEY_BITS])), n)
    given = {"feature": feature["feature"], "key": keys, "flags": flags}
    listed, number = ListBuffer(entries=_ENTRIES).lists_of(given)
    order = np.lexsort((listed["value"], listed["key"], number))
    ordered = {name: listed[name][order] for name in ("key", "value")}
    return Stimulus({"i": given, "sorted": {**ordered, "last": listed["last"]}})


def _banked(rng: Rng, n: int) -> Stimulus:
    items, ports = some_items(rng, CoarseFilter(interval=4).graph, n)
    side = {"record": _bits(rng, ADDRESS_BITS, n), "flags": _flags(rng, n)}
    return Stimulus({"i": {"item": items, "side": side}}, ports)


def _counted(name: str) -> Bin:
    return lambda seen: seen.run.ports[name] > 0


def _an_end_without_record(seen: Seen) -> bool:
    flags: Any = seen.outputs["o"]
    shown = flags["side"]["flags"]
    return bool(np.any((shown["real"] == 0) & (shown["end_list"] == 1)))


def _rejected(seen: Seen) -> bool:
    columns: Any = seen.stimulus.inputs["i"]
    return bool(np.any(columns["result"]["keep"] == 0))


def _stopped(seen: Seen) -> bool:
    columns: Any = seen.stimulus.inputs["i"]
    stopped = columns["side"]["flags"]["tile"] == seen.stimulus.ports["stopped_tile"]
    return bool(seen.stimulus.ports["stopped"] and np.any(stopped))


def _tile_of_nothing(seen: Seen) -> bool:
    columns: Any = seen.outputs["o"]
    return bool(np.any(columns["end"][1:] & columns["end"][:-1]))


JOIN_BENCHES: tuple[Bench, ...] = (
    Bench(
        "coarse-feeder", CoarseFeeder, _visits,
        _stopped_tile(_visits, lambda given: given["contexts"]["tile"]),
        bins={
            **flow("contexts", "beats"),
            "a voxel without records": _an_end_without_record,
            "a record dropped for a stopped tile": _counted("dropped"),
        },
    ),
    Bench(
        "coarse-bank",
        lambda: FilterBank(make=lambda: CoarseFilter(interval=4), copies=2, side=side_layout()),
        _banked, bins=FLOW, heavy=True,
    ),
    Bench(
        "fine-fetch", _fetch, _found,
        _stopped_tile(_found, lambda given: given["i"]["side"]["flags"]["tile"]),
        bins={
            **flow("i", "decoded", outputs=("ranges", "o")),
            "rejected": _rejected,
            "an end without record": _an_end_without_record,
            "a tile that is stopped": _stopped,
        },
        cannot_toggle={"ranges.payload.count": "a record is one beat"},
    ),
    Bench(
        "list-buffer", lambda: ListBuffer(entries=_ENTRIES), _features,
        bins={
            **flow("i", "sorted", outputs=("keys", "o")),
            "a list that a full half ends": _counted("cut"),
            "a tile without a list": _tile_of_nothing,
        },
    ),
)  # fmt: skip
