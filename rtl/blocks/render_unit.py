"""Alpha-blend render unit: a tile's pixels on chip, Gaussians in order, early termination.

A Gaussian visits the subtiles of its mask that have a live pixel, 64 / lanes cycles each. Only
reading T, its product with alpha, the difference and the decision behind it close a loop, over four
cycles; the same pixel comes back after four at the earliest. No product shares a cycle with other
arithmetic. Colour follows a stage behind. After a tile's end marker the pixels leave in order and
start anew. After a reset, which may come in mid-tile, the pixels are cleared before the first
Gaussian is taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from archsim.rtl.arithmetic.falloff import (
    ALPHA,
    DISTANCE,
    EXPONENT,
    FALLOFF,
    FEATURE,
    OPACITY,
    PEAK,
    START,
    TRANSMITTANCE,
    blend_gaussians,
    exp_table,
    widths,
)
from archsim.rtl.arithmetic.fine import COLOUR, MEAN
from archsim.rtl.tools.columns import Columns

__all__ = ["RenderUnit", "feature_array", "feature_layout"]

_SUBTILES = 4
_ALPHA_STAGE = 16  # stages from the issued row's registers to alpha
_DEPTH = _ALPHA_STAGE + 6  # cycles from an issued row to the last write and count it causes


def feature_layout() -> data.StructLayout:
    """Return the layout of a Gaussian's features with its mask of subtiles."""
    fields: dict[str, Any] = {name: q.shape() for name, q in FEATURE.items()}
    return data.StructLayout({**fields, "mask": unsigned(_SUBTILES)})


def feature_array(columns: Mapping[str, Any]) -> npt.NDArray[np.int64]:
    """Return columns of :func:`feature_layout` side by side, as the golden model takes them."""
    return np.stack([np.asarray(columns[n], np.int64) for n in (*FEATURE, "mask")], axis=1)


class RenderUnit(wiring.Component):
    """Blends a sorted stream of Gaussians into tiles.

    Parameters
    ----------
    lanes
        Pixels per cycle, 8 or 16.

    Members
    -------
    i : stream
        ``feature`` and ``end``; an item with ``end`` closes the tile and carries no Gaussian.
    o : stream
        ``lanes`` pixels: ``red, green, blue, transmittance``; subtile by subtile, row by row.
    stopped : Out
        All pixels of the present tile are done.
    closing_last : Out
        The tile's last pixels are being offered.
    blended, skipped, gaussians, busy_cycles, drain_cycles : Out
        Counters: subtiles blended, subtiles found done, Gaussians taken, cycles of issuing rows and
        of sending pixels.
    """

    def __init__(self, *, lanes: int):
        if lanes not in (8, 16):
            raise ValueError(f"lanes must be 8 or 16, not {lanes!r}")
        self.lanes = lanes
        self.rows = lanes // 8
        self.beats = 64 // lanes
        item = data.StructLayout({"feature": feature_layout(), "end": 1})
        width = TRANSMITTANCE.width
        pixel = data.StructLayout(
            {"red": width, "green": width, "blue": width, "transmittance": width}
        )
        counter = Out(32)
        super().__init__(
            {
                "i": In(stream.Signature(item)),
                "o": Out(stream.Signature(data.ArrayLayout(pixel, lanes))),
                "stopped": Out(1),
                "closing_last": Out(1),
                "blended": counter,
                "skipped": counter,
                "gaussians": counter,
                "busy_cycles": counter,
                "drain_cycles": counter,
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from a row's issue until its pixels are final."""
        return _DEPTH

    def model(self, columns: Mapping[str, Any]) -> Columns:
        """Return the pixels of whole tiles, as ``o`` sends them."""
        features = feature_array(columns["feature"])
        bounds = np.flatnonzero(columns["end"])
        pixels = [np.zeros((bounds.size, 256), np.int64) for _ in range(4)]
        table, w, first = exp_table(), widths(), 0
        for number, last in enumerate(bounds):
            light = np.full(256, w.opaque, np.int64)
            colour, done = np.zeros((256, 3), np.int64), np.zeros(256, np.int64)
            counts, issued = np.zeros(3, np.int64), np.zeros(int(last) - first, np.int64)
            blend_gaussians(
                features, first, int(last), table, w, light, colour, done, counts, issued
            )
            for k in range(3):
                pixels[k][number] = colour[:, k]
            pixels[3][number] = light
            first = int(last) + 1
        names = ("red", "green", "blue", "transmittance")
        return {n: p.reshape(-1, self.lanes) for n, p in zip(names, pixels, strict=True)}

    def elaborate(self, platform: Any) -> Module:
        """Build issue, row units, lanes and the pixels' memories."""
        m = Module()
        held = Signal(feature_layout(), reset_less=True)
        left = Signal(_SUBTILES)  # subtiles the held Gaussian has still to visit
        beat = Signal(range(self.beats))
        live = [Signal(range(65), init=64, name=f"live{k}") for k in range(_SUBTILES)]
        done = Signal(_SUBTILES)
        m.d.sync += [done[k].eq(live[k] == 0) for k in range(_SUBTILES)]
        m.d.comb += self.stopped.eq(done.all())

        # --- issue: the lowest subtile left, row group by row group
        subtile = Signal(2)
        for k in reversed(range(_SUBTILES)):
            with m.If(left[k]):
                m.d.comb += subtile.eq(k)
        issue, closing, clearing = Signal(), Signal(), Signal(init=1)
        waited, drained = Signal(range(_DEPTH)), Signal()
        draining = Signal()
        last_beat = beat == self.beats - 1
        rest = left & ~(1 << subtile)[:_SUBTILES]
        free = (left == 0) | (last_beat & (rest == 0))
        m.d.comb += [
            issue.eq(left != 0),
            self.i.ready.eq(free & ~closing & ~clearing),
        ]
        with m.If(issue):
            m.d.sync += [beat.eq(beat + 1), self.busy_cycles.eq(self.busy_cycles + 1)]
            with m.If(last_beat):
                m.d.sync += [beat.eq(0), left.eq(rest), self.blended.eq(self.blended + 1)]
        taken = self.i.payload.feature
        with m.If(self.i.valid & self.i.ready):
            with m.If(self.i.payload.end):
                m.d.sync += [closing.eq(1), waited.eq(0), drained.eq(0)]
            with m.Else():
                wanted = Value.cast(taken.mask)
                m.d.sync += [
                    held.eq(taken),
                    left.eq(wanted & ~done),
                    self.gaussians.eq(self.gaussians + 1),
                    self.skipped.eq(self.skipped + _ones(wanted & done)),
                ]

        # --- the pipeline: nothing stalls behind the issue; with nothing in it, it rests
        tail, moving = Signal(range(_DEPTH + 2), init=_DEPTH + 1), Signal(init=1)
        with m.If(issue):
            m.d.sync += [tail.eq(_DEPTH + 1), moving.eq(1)]
        with m.Elif(moving):
            m.d.sync += [tail.eq(tail - 1), moving.eq(tail != 1)]
        awake = Signal()
        m.d.comb += awake.eq(issue | moving)
        stage = _Stages(m, awake)
        group = stage(Cat(beat[: (self.beats - 1).bit_length()], subtile))  # address of the pixels
        active = stage(issue)
        feature = _hold(stage, held)
        top = Cat(Const(0, 3), subtile[1])
        left_edge = Cat(Const(0, 3), subtile[0])
        x0 = stage(left_edge)
        first_row = [stage((top + beat * self.rows + r)[:4]) for r in range(self.rows)]
        lanes = []
        for r in range(self.rows):
            lanes += self._row(m, stage, feature, x0, first_row[r])
        group_at = stage.delay(group, _ALPHA_STAGE)
        active_at = stage.delay(active, _ALPHA_STAGE)
        colours = [stage.delay(feature[c], _ALPHA_STAGE + 3) for c in ("red", "green", "blue")]
        reading, restore = Signal(), Signal()
        address = Signal(range(_SUBTILES * self.beats))
        outputs = []
        finished = []
        for alpha in lanes:
            pixel, ended = self._pixel(
                m, stage, alpha, active_at, group_at, colours, reading | draining, address, restore
            )
            outputs.append(pixel)
            finished.append(ended)
        ended_count = stage(_ones(Cat(*finished)))
        ended_subtile = stage.delay(group_at, 4)[-2:]
        for k in range(_SUBTILES):
            with m.If(ended_subtile == k):
                m.d.sync += live[k].eq(live[k] - ended_count)

        # --- end of tile: wait for the pipeline, then read, send, restore
        m.d.comb += reading.eq(closing & drained & ~draining)
        with m.If((closing | clearing) & (left == 0) & ~drained):
            m.d.sync += [waited.eq(waited + 1), drained.eq(waited == _DEPTH - 1)]
        with m.If(closing):
            m.d.sync += self.drain_cycles.eq(self.drain_cycles + 1)
        with m.If(reading):
            m.d.sync += draining.eq(1)
        final = address == _SUBTILES * self.beats - 1
        m.d.comb += [self.o.valid.eq(draining), self.closing_last.eq(draining & final)]
        for lane, pixel in enumerate(outputs):
            for name, value in pixel.items():
                m.d.comb += self.o.payload[lane][name].eq(value)
        m.d.comb += restore.eq((draining & self.o.ready) | (clearing & drained))
        with m.If(restore):
            m.d.sync += [draining.eq(0), address.eq(address + 1)]
            with m.If(final):
                m.d.sync += [address.eq(0), closing.eq(0), clearing.eq(0)]
                m.d.sync += [live[k].eq(64) for k in range(_SUBTILES)] + [done.eq(0)]
        return m

    def _row(self, m: Module, stage: _Stages, feature: dict[str, Value], x0: Value,
             y: Value) -> list[Value]:  # fmt: skip
        """Add a row unit and its eight lanes; return the lanes' alpha."""
        w = widths()
        delay = stage.delay
        # 1: distance from the centre's row
        dy = stage(_limit(m, Cat(Const(0, MEAN.f), y, Const(0, 1)).as_signed()
                          - feature["mean_y"], MEAN.width, True))  # fmt: skip
        # 2: where the row's maximum lies
        moved = stage((delay(feature["slope"], 1) * dy) >> w.slope_f)
        size = stage(Mux(dy < 0, -dy, dy).as_unsigned())
        # 3: the row's own distance
        peak = stage(_limit(m, delay(feature["mean_x"], 2) + moved, PEAK.width, True))
        far = Cat(Const(0, w.distance_f - w.mean_f), size) >> delay(feature["shift_y"], 2)
        far2 = stage(_limit(m, far, DISTANCE.width, False))
        # 4
        edge = Cat(Const(0, MEAN.f), delay(x0, 3), Const(0, 1)).as_signed()
        offset = stage(edge - peak)
        square = stage((far2 * far2)[w.distance_f :])
        # 5
        grown = Cat(Const(0, w.start_f - w.mean_f), offset).as_signed()
        shift_x = delay(feature["shift_x"], 4)
        start = stage(_limit(m, grown >> shift_x, START.width, True))
        step = stage((Const(1 << w.start_f, w.start_f + 1) >> shift_x)[: w.start_f + 1])
        common = stage(
            (delay(feature["sharp_y"], 4) * square)[w.sharp_f + w.distance_f - w.falloff_f :]
        )
        # 6
        base = stage(_limit(m, common, FALLOFF.width, False))
        sharp_x, opacity = feature["sharp_x"], feature["opacity"]
        alphas = []
        for column in range(8):
            # the lane's place; a step is a power of two, so that multiples are wires
            ramp: Value = Const(0, 1)
            for bit in range(3):
                if column >> bit & 1:
                    ramp = ramp | Cat(Const(0, bit), step)
            away = stage(start + ramp)
            # 7: its distance
            size = Mux(away < 0, -away, away).as_unsigned()
            off = stage(_limit(m, size[w.start_f - w.distance_f :], DISTANCE.width, False))
            # 8, 9: the lane's part of the exponent
            square = stage((off * off)[w.distance_f :])
            own = stage((delay(sharp_x, 8) * square)[w.sharp_f + w.distance_f - w.falloff_f :])
            # 10: the exponent
            both = _limit(m, own, FALLOFF.width, False) + delay(base, 3)
            exponent = stage(both[: EXPONENT.width])
            dead = stage(both[EXPONENT.width :].any())
            # 11 to 14: a power of two, by table
            power = self._power(m, stage, exponent)
            # 15, 16: alpha
            alpha = stage((delay(opacity, 14) * power)[OPACITY.f :])
            clamped = Mux(alpha > w.alpha_max, w.alpha_max, alpha)[: ALPHA.width]
            none = delay(dead, 5) | (alpha < w.alpha_min)
            alphas.append(stage(Mux(none, 0, clamped)[: ALPHA.width]))
        return alphas

    def _power(self, m: Module, stage: _Stages, exponent: Value) -> Value:
        """Return 2**-exponent (UQ1.12), four stages later."""
        value, fall = exp_table()
        low_bits = FALLOFF.f - 5
        segment, low = exponent[low_bits : FALLOFF.f], exponent[:low_bits]
        start, slope = Signal(ALPHA.f + 1), Signal(range(int(fall.max()) + 1))
        with m.Switch(segment):
            for k in range(32):
                with m.Case(k):
                    m.d.comb += [start.eq(int(value[k])), slope.eq(int(fall[k]))]
        fallen = stage((stage(slope) * stage(low))[low_bits:])
        line = stage((stage(stage(start)) - fallen)[: ALPHA.f + 1])
        return stage((line >> stage.delay(exponent[FALLOFF.f :], 3))[: ALPHA.f + 1])

    def _pixel(
        self, m: Module, stage: _Stages, alpha: Value, active: Value, group: Value,
        colours: list[Value], reading: Value, address: Value, restore: Value,
    ) -> tuple[dict[str, Value], Value]:  # fmt: skip
        """Add a lane's pixels; ``alpha`` is valid together with ``active`` and ``group``."""
        w = widths()
        depth = _SUBTILES * self.beats
        width = TRANSMITTANCE.width
        light = Memory(shape=unsigned(width + 1), depth=depth, init=[w.opaque] * depth)
        sums = Memory(shape=unsigned(3 * width), depth=depth, init=[])
        m.submodules += [light, sums]
        light_read, light_write = light.read_port(domain="sync"), light.write_port(domain="sync")
        sums_read, sums_write = sums.read_port(domain="sync"), sums.write_port(domain="sync")
        # a: read T; b: weight; c: the rest; d: decide and write
        m.d.comb += light_read.addr.eq(Mux(reading, address, group))
        alpha_b = stage(alpha)
        active_b = stage(active)
        before_b = light_read.data[:width]
        weight_c = stage((before_b * alpha_b)[ALPHA.f :])
        before_c = stage(before_b)
        passed_c = stage(active_b & (alpha_b != 0) & ~light_read.data[width])
        before_d, rest_d = stage(before_c), stage((before_c - weight_c)[:width])
        passed_d, group_d = stage(passed_c), stage.delay(group, 3)
        small = w.t_min.bit_length()
        faint = ~rest_d[small:].any() & (rest_d[:small] < w.t_min)
        stop = passed_d & faint
        m.d.comb += [
            light_write.addr.eq(Mux(restore, address, group_d)),
            light_write.data.eq(
                Mux(restore, w.opaque, Mux(faint, Cat(before_d, 1), Cat(rest_d, 0)))
            ),
            light_write.en.eq(restore | passed_d),
        ]
        # colour: d: its products; e: its sums
        weight_d = stage(weight_c)
        products = [stage((weight_d * c)[COLOUR.f :]) for c in colours]
        add_e = stage(passed_d & ~faint)
        group_e = stage.delay(group, 4)
        m.d.comb += sums_read.addr.eq(Mux(reading, address, group_d))
        old = [sums_read.data[k * width : (k + 1) * width] for k in range(3)]
        new = [_limit(m, a + b, width, False) for a, b in zip(old, products, strict=True)]
        m.d.comb += [
            sums_write.addr.eq(Mux(restore, address, group_e)),
            sums_write.data.eq(Mux(restore, 0, Cat(*new))),
            sums_write.en.eq(restore | add_e),
        ]
        pixel = dict(zip(("red", "green", "blue"), old, strict=True))
        return {**pixel, "transmittance": before_b}, stop


class _Stages:
    """Pipeline registers without reset that advance together."""

    def __init__(self, m: Module, go: Signal):
        self.m, self.go = m, go
        self._delayed: dict[tuple[int, int], Value] = {}
        self._alive: list[Value] = []

    def __call__(self, value: Any) -> Signal:
        """Return the value one cycle later."""
        value = Value.cast(value)
        register = Signal(value.shape(), reset_less=True)
        with self.m.If(self.go):
            self.m.d.sync += register.eq(value)
        return register

    def delay(self, value: Value, cycles: int) -> Value:
        """Return the value some cycles later; registers are shared."""
        if cycles == 0:
            return value
        key = (id(value), cycles)
        if key not in self._delayed:
            self._alive.append(value)
            self._delayed[key] = self(self.delay(value, cycles - 1))
        return self._delayed[key]


def _hold(stage: _Stages, held: Any) -> dict[str, Value]:
    """Return the features one stage later, as signals that delays can share."""
    return {name: stage(held[name]) for name in FEATURE}


def _limit(m: Module, value: Any, width: int, is_signed: bool) -> Value:
    """Return a value cut to ``width`` bits, saturating."""
    value = Value.cast(value)
    if len(value) <= width:
        return value
    if is_signed:
        sign, above = value[-1], value[width - 1 :]
        fits = above.all() | ~above.any()
        result = Signal(signed(width))
        m.d.comb += result.eq(Mux(fits, value[:width], Cat((~sign).replicate(width - 1), sign)))
        return result
    return Mux(value[width:].any(), (1 << width) - 1, value[:width])


def _ones(bits: Value) -> Value:
    """Return how many bits are set."""
    return sum((bits[k] for k in range(1, len(bits))), bits[0])
