"""The seeded bugs, by the block they are in."""

from __future__ import annotations

from archsim.rtl.verify.mutants import Mutant

__all__ = ["MUTANTS"]

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
        ("self.o.payload.last.eq(remaining == 1)", "self.o.payload.last.eq(remaining == 2)"),
        ("left.eq(self.width)", "left.eq(self.width - 1)"),
        ("read.eq((remaining != 0) & ~load & ", "read.eq((remaining != 0) & "),
    ],
    ("sorter", "blocks.sorter"): [
        ("half ^ merging", "half"),
        ("m.If(settled & drainer.idle)", "m.If(settled)"),
        ("run.eq(run << 1)", "run.eq(run + 1)"),
    ],
}  # fmt: skip

MUTANTS: tuple[Mutant, ...] = tuple(
    Mutant(bench, module, old, new) for (bench, module), bugs in _BUGS.items() for old, new in bugs
)
