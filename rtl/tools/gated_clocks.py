"""Clocks that stop: registers that often rest, and the logic between them, are not evaluated.

Verilator evaluates logic when a clock of the registers that it reads has an edge. A block that
rests most of the time costs as much as one that works, because its registers have enables but the
clock of all others. Here such registers get a clock of their own, which the harness raises together
with ``clk`` in those cycles only in which one of their enables is set: what a clock-gating cell
does. Beats and cycles stay the same.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

__all__ = ["AWAKE", "CLOCK", "GATE", "gate_clocks", "gated_clocks"]

#: Name of a signal that, wherever it is a register's whole enable, gates that register's clock.
AWAKE = "awake"
CLOCK, GATE = "gated_clk_", "gate_"  #: ports of gate k: its clock in, whether it is wanted out

_NAME = r"(?:\\\S+ |[\w$]+)"  # Yosys ends an escaped name by a space
_EDGE = "  always @(posedge clk)"
_STATEMENT = re.compile(r"( +)(?:else ?)?(?:if \(([^()]+)\) ?)?(?:begin)?(.*)")
_ALIAS = re.compile(rf"  assign ({_NAME}) ?= ({_NAME}) ?;")
_SET = re.compile(rf"({_NAME})[^<]*<= ({_NAME})?")


@dataclass
class _Gate:
    """Enables, of which any lets the clock through, and the lines whose registers it drives."""

    enables: dict[str, None] = field(default_factory=dict)
    lines: list[int] = field(default_factory=list)


def gate_clocks(verilog: str, top: str, blocks: Sequence[str] = ()) -> str:
    """Return a flat module of Yosys with gated clocks, and their ports behind its others.

    Registers whose enable is a signal called :data:`AWAKE` get a clock of that signal's, one for
    all signals of the name in a block; those of ``blocks`` (paths such as ``slice_0.sorter``) one a
    block, gated by all their enables together. Registers without an enable, and anything written in
    another form, keep ``clk``.
    """
    lines = verilog.splitlines()
    gates: dict[str, _Gate] = {}
    # of one net's names Yosys uses any; the others follow from it
    aliases = {m[2].strip(): m[1].strip() for line in lines if (m := _ALIAS.fullmatch(line))}
    for at, line in enumerate(lines):
        if not line.startswith(_EDGE):
            continue
        found = _enables_and_target(lines, at)
        if found is None:
            continue
        enables, target = found
        key = _gate_of([aliases.get(e.strip(), e.strip()) for e in enables], target, blocks)
        if key is not None:
            gate = gates.setdefault(key, _Gate())
            gate.enables.update(dict.fromkeys(enables))
            gate.lines.append(at)
    for number, gate in enumerate(gates.values()):
        for at in gate.lines:
            lines[at] = lines[at].replace("posedge clk", f"posedge {CLOCK}{number}")
    return _with_ports("\n".join(lines) + "\n", top, list(gates.values()))


def gated_clocks(verilog: str) -> int:
    """Return how many gated clocks a module has."""
    return len(set(re.findall(rf"\b{CLOCK}\d+\b", verilog)))


def _enables_and_target(lines: list[str], at: int) -> tuple[list[str], str] | None:
    """Return the conditions of a clocked process and what it writes, or None if it always does."""
    enables: list[str] = []
    target = ""
    for line in lines[at + 1 :]:
        if not line.startswith("    "):
            break
        indent, condition, action = _matched(_STATEMENT, line)
        if len(indent) == 4 and line.strip() != "end":
            if not condition:
                return None
            enables.append(condition)
        written = _SET.match(action)
        if written:
            # the word that a memory reads has a number for a name: it belongs to the memory
            target = written[2] or "" if written[1].startswith("_") else written[1]
    return (enables, target) if enables and target else None


def _matched(pattern: re.Pattern[str], line: str) -> tuple[str, ...]:
    found = pattern.match(line)
    assert found is not None, line
    return found.groups(default="")


def _gate_of(enables: list[str], target: str, blocks: Sequence[str]) -> str | None:
    first = re.sub(r"\$\d+$", "", enables[0])  # copies of a signal are numbered
    if len(enables) == 1 and re.split(r"[.\\]", first)[-1] == AWAKE:
        return first
    path = target.removeprefix("\\")
    return next((b for b in blocks if path.startswith((f"{b}.", f"inner.{b}."))), None)


def _with_ports(verilog: str, top: str, gates: list[_Gate]) -> str:
    names = "".join(f", {CLOCK}{k}, {GATE}{k}" for k in range(len(gates)))
    declared = ""
    for number, gate in enumerate(gates):
        wanted = " | ".join(f"({enable})" for enable in gate.enables)
        declared += f"  input {CLOCK}{number};\n  output {GATE}{number};\n"
        declared += f"  assign {GATE}{number} = {wanted};\n"
    head = verilog.index(f"module {top}(")
    close = verilog.index(");", head)
    return f"{verilog[:close]}{names});\n{declared}{verilog[close + 3 :]}"
