"""The seeded bugs, by the block they are in."""

from __future__ import annotations

from archsim.rtl.verify.mutants import Mutant

__all__ = ["MUTANTS", "RESET_MUTANTS"]

_BUGS: dict[tuple[str, str], list[tuple[str, str]]] = {
    ("fifo-4", "blocks.fifo"): [
        ("self.i.ready.eq(inner.w_rdy)", "self.i.ready.eq(1)"),
        ("inner.r_en.eq(self.o.ready)", "inner.r_en.eq(1)"),
        ("inner.w_en.eq(self.i.valid)", "inner.w_en.eq(self.i.valid & ~self.o.ready)"),
        ("inner.w_data.eq(Value.cast(self.i.payload))",
         "inner.w_data.eq(Value.cast(self.i.payload)[1:])"),
    ],
    ("fifo-16", "blocks.fifo"): [
        ("self.o.valid.eq(inner.r_rdy)", "self.o.valid.eq(inner.r_rdy & (inner.level != 3))"),
    ],
    ("skid-buffer", "blocks.skid_buffer"): [
        ("with m.If(spare_full):", "with m.If(spare_full & ~self.i.valid):"),
        ("self.i.ready.eq(~spare_full)", "self.i.ready.eq(1)"),
        ("moves.eq(~full | self.o.ready)", "moves.eq(1)"),
        ("spare_full.eq(0),", "spare_full.eq(spare_full),"),
        ("with m.Elif(self.i.valid & self.i.ready):", "with m.Elif(self.i.ready):"),
    ],
    ("double-buffer", "blocks.double_buffer"): [
        ("(at == self.depth - 1)", "(at == self.depth)"),
        ("offering.eq(holds[half])", "offering.eq(holds[draining])"),
        ("last_out.eq(out == ends[draining])", "last_out.eq(out == ends[~draining])"),
        ("self.i.ready.eq(~holds[filling])", "self.i.ready.eq(1)"),
        ("holds[draining].eq(0)", "holds[0].eq(0)"),
    ],
    ("sorter", "blocks.sorting.network"): [
        ("with m.If(smaller > larger):", "with m.If(smaller[1:] > larger[1:]):"),
        ("(a, b) if not a & block else (b, a)", "(a, b)"),
    ],
    ("bitonic-network", "blocks.sorting.network"): [
        ("valid | self.bitonic.valid", "valid"),
        ("low ^ distance", "low ^ (distance | 1)"),
    ],
    ("sorter", "blocks.sorting.collector"): [
        ("empty[n].eq(empty[n - 1] | self.o.valid)", "empty[n].eq(empty[n - 1])"),
        ("taken.eq(Mux(ends, 0, taken + 1))", "taken.eq(taken + 1)"),
        ("(taken == self.width - 1)", "(taken == self.width - 2)"),
    ],
    ("sorter", "blocks.sorting.merger"): [
        ("fresh.eq(1)", "fresh.eq(0)"),
        ("smaller = heads[1][0] < heads[0][0]", "smaller = heads[1][1] < heads[0][0]"),
        ("left[0].eq(Mux(alone, pair_rest, self.run))", "left[0].eq(self.run)"),
        ("row[1].eq(pair_base + self.run)", "row[1].eq(pair_base + 1)"),
        ("other = self.width - 1 - n", "other = n"),
    ],
    ("sorter", "blocks.sorting.drainer"): [
        ("final.eq(remaining == 2)", "final.eq(remaining == 3)"),
        ("Mux(load, (1 << self.width) - 1, left >> 1)",
         "Mux(load, (1 << self.width - 1) - 1, left >> 1)"),
        ("[active.eq(0), left.eq(0)]", "[active.eq(0)]"),
    ],
    ("sorter", "blocks.sorter"): [
        ("half ^ merging", "half"),
        ("m.If(settled & drainer.idle)", "m.If(settled)"),
        ("run.eq(run << 1)", "run.eq(run + 1)"),
    ],
    # a full output stops a pipeline at one turn of its interval: placement's is the one that takes
    ("placement", "flow.pipeline"): [
        ("self.i.ready.eq(here[-1])", "self.i.ready.eq(controls[0].turn[-1])"),
    ],
    ("coarse-filter", "flow.pipeline"): [
        ("(time - made - 1) // self.plan.interval", "(time - made) // self.plan.interval"),
    ],
    ("fine-filter", "flow.pipeline"): [
        ("depth = turns - 1", "depth = turns"),
    ],
    ("coarse-filter", "flow.control"): [
        ("Mux(stall, 0, following)", "following"),
        ("self.awake.eq(busy_next & ~stall)", "self.awake.eq(busy_next)"),
        ("Mux(last, ahead, busy)", "ahead"),
    ],
    ("coarse-filter", "flow.units"): [
        ("apart[5:].any()", "apart[6:].any()"),
        ("Cat(aligned, Const(0, 1)) ^ minus.replicate(_M + 4)", "Cat(aligned, Const(0, 1))"),
        ("carry = product[2 * _M + 1]", "carry = product[2 * _M]"),
        ("total >= FLOAT.bias + (1 << _E)", "total > FLOAT.bias + (1 << _E)"),
        ("(exponent_a == 0) | (exponent_b == 0)", "(exponent_a == 0) & (exponent_b == 0)"),
        ("~a[_E + _M] & a[_M : _E + _M].any()", "a[_M : _E + _M].any()"),
    ],
    ("placement", "flow.units"): [
        ("Mux(exponent_small == 0, Const(0, _M + 1), low)", "low"),
        ("Cat(Mux(some_high, above, below), ~some_high)",
         "Cat(Mux(some_high, above, below), some_high)"),
    ],
    ("fine-filter", "flow.units"): [
        ("Mux(over2, Const(q.high, most), value)", "value"),
        ("exponent >= limit", "exponent > limit"),
        ("exponent < first", "exponent == 0"),
        ("FLOAT.bias - 1 - ((wide", "FLOAT.bias - ((wide"),
    ],
    ("render-unit-8", "blocks.render_unit"): [
        ("add_e = stage(passed_d & ~faint)", "add_e = stage(passed_d)"),
        ("weight_c = stage((before_b * alpha_b)[ALPHA.f :])",
         "weight_c = stage((before_b * alpha_b)[ALPHA.f - 1 :])"),
        ("live[k].eq(live[k] - ended_count)", "live[k].eq(live[k] - (ended_count != 0))"),
        ("[live[k].eq(64) for k in range(_SUBTILES)]", "[live[0].eq(64)]"),
        ("Mux(alpha > w.alpha_max, w.alpha_max, alpha)", "Mux(alpha > w.alpha_max, alpha, alpha)"),
        ("reading.eq(closing & drained & ~draining)",
         "reading.eq(closing & (waited == 2) & ~draining)"),
    ],
    ("render-unit-16", "blocks.render_unit"): [
        ("(alpha < w.alpha_min)", "(alpha < w.alpha_min - 1)"),
        ("(top + beat * self.rows + r)[:4]", "(top + beat * self.rows)[:4]"),
    ],
    ("voxel-sorter", "blocks.voxel_sorter"): [
        ("Mux(more, degree + 1, degree - 1)", "Mux(more, 1, degree - 1)"),
        ("with m.If(has_before & ~known):", "with m.If(has_before):"),
        ("m.d.sync += following.eq(following | resolved)",
         "m.d.sync += following.eq(Mux(resolved != 0, resolved, following))"),
        ("with m.If(sample.first):", "with m.If(sample.first & sample.last):"),
        ("with m.If(count == rows):", "with m.If(count == rows - 1):"),
    ],
    ("codebook-decoder", "blocks.codebook_decoder"): [
        ("read.addr.eq(self.i.payload[table])", "read.addr.eq(self.i.payload.scale)"),
        ("read.en.eq(go & self.i.valid)", "read.en.eq(1)"),
        ("(taken.lane == lane)", "(taken.lane >= lane)"),
    ],
    ("tile-controller", "blocks.tile_controller"): [
        ("self.tiles.ready.eq(sent & entry.last)", "self.tiles.ready.eq(sent)"),
        ("read.en.eq(self.i.valid & self.i.ready)", "read.en.eq(1)"),
        ("m.d.sync += tile.eq(tile + 1)", "m.d.sync += tile.eq(tile + 3)"),
        ("with m.If(entry.none | stop):", "with m.If(stop):"),
    ],
    ("memory-reader", "blocks.memory_reader"): [
        ("last.eq(left <= self.burst)", "last.eq(left < self.burst)"),
        ("address.eq(address + size)", "address.eq(address + 1)"),
        ("room.eq(room - Mux(fire, size, 0) + freed)", "room.eq(room - Mux(fire, size, 0))"),
        ("left.eq(left - size)", "left.eq(left - self.burst + 1)"),
    ],
    ("coarse-feeder", "blocks.coarse_feeder"): [
        ("last.eq(empty | (index + 1 == context.count))", "last.eq(index + 1 == context.count)"),
        ("send.eq(take & (~stop | last))", "send.eq(take)"),
        ("self.contexts.ready.eq(take & last)", "self.contexts.ready.eq(take)"),
        ("out.side.record.eq(context.start + index)", "out.side.record.eq(context.start)"),
        ("empty.eq(context.count == 0)", "empty.eq(0)"),
    ],
    ("coarse-bank", "blocks.filter_bank"): [
        ("side.i.valid.eq(self.i.valid & free)", "side.i.valid.eq(self.i.valid)"),
        ("side.o.ready.eq(self.o.ready & pipeline.o.valid)", "side.o.ready.eq(self.o.ready)"),
        ("side.i.payload.by.eq(chosen)", "side.i.payload.by.eq(0)"),
        ("pipeline.halted.eq(waits)", "pipeline.halted.eq(0)"),
    ],
    ("fine-fetch", "blocks.fine_fetch"): [
        ("real.eq(flags.real & result.keep)", "real.eq(flags.real)"),
        ("(self.ranges, real), (queue.i, wanted)", "(self.ranges, wanted), (queue.i, wanted)"),
        ("self.decoded.ready.eq(take & head.flags.real)", "self.decoded.ready.eq(take)"),
        ("(self.decoded.valid | ~head.flags.real)", "self.decoded.valid"),
        ("flags.real.eq(head.flags.real & ~stop)", "flags.real.eq(head.flags.real)"),
    ],
    ("fine-fetch", "blocks.fork"): [
        ("branch.valid.eq(source.valid & wanted & ~had)", "branch.valid.eq(source.valid & wanted)"),
        ("had.eq(source.valid & has & ~taken)", "had.eq(source.valid & has)"),
        ("done &= has", "done = has"),
    ],
    ("list-buffer", "blocks.list_buffer"): [
        ("full.eq(count == self.entries - 1)", "full.eq(count == self.entries)"),
        ("self.keys.payload.last.eq(closing)", "self.keys.payload.last.eq(0)"),
        ("room.eq((count != 0) | free.bit_select(half, 1))", "room.eq(1)"),
        ("end_tile.eq(payload.flags.end_tile)", "end_tile.eq(0)"),
        ("m.d.comb += given.eq(1 << half)", "m.d.comb += given.eq(1)"),
        ("self.o.valid.eq(commands.payload.end_tile)", "self.o.valid.eq(1)"),
    ],
    ("top", "blocks.slice"): [
        ("wanted.eq((flags.real & coarse.o.payload.result.keep) | flags.end_list)",
         "wanted.eq(flags.real & coarse.o.payload.result.keep)"),
        ("(placement.i, 1), (beside.i, 1), (reader, ~empty)",
         "(placement.i, 1), (beside.i, 1), (reader, 1)"),
        ("self.samples.ready.eq(self.voxels.i.ready & complete)",
         "self.samples.ready.eq(self.voxels.i.ready)"),
        ("m.d.sync += tile.eq(tile + 1)", "m.d.sync += tile.eq(tile + 2)"),
    ],
}  # fmt: skip

#: What a block must clear itself, as a memory keeps its words over a reset in mid-stream.
_NOT_CLEARED: dict[tuple[str, str], list[tuple[str, str]]] = {
    ("voxel-sorter", "blocks.voxel_sorter"): [
        ("local_write.addr.eq(cleared), local_write.en.eq(1)", "local_write.addr.eq(cleared)"),
        ("with m.If(cleared == self.voxels - 1):", "with m.If(cleared == self.voxels // 2):"),
    ],
    ("render-unit-8", "blocks.render_unit"): [
        ("issue, closing, clearing = Signal(), Signal(), Signal(init=1)",
         "issue, closing, clearing = Signal(), Signal(), Signal()"),
        ("self.i.ready.eq(free & ~closing & ~clearing)", "self.i.ready.eq(free & ~closing)"),
    ],
}  # fmt: skip


def _all(table: dict[tuple[str, str], list[tuple[str, str]]]) -> tuple[Mutant, ...]:
    return tuple(Mutant(bench, module, old, new)
                 for (bench, module), bugs in table.items() for old, new in bugs)  # fmt: skip


MUTANTS = _all(_BUGS)

#: Bugs that nothing but a reset in mid-stream need show: for benches that reset.
RESET_MUTANTS = _all(_NOT_CLEARED)
