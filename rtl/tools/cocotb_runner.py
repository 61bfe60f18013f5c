"""Runs cocotb tests of a component under Verilator; only the ports are visible to them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from archsim.rtl.tools.compile import cached_folder
from archsim.rtl.tools.environment import (
    ToolError,
    compiler_version,
    need_package,
    need_program,
    verilator_environment,
)
from archsim.rtl.tools.interface import describe
from archsim.rtl.tools.verilog import TOP, generate_verilog

__all__ = ["build_bench", "run_bench"]

#: Quick to build; the simulation's time is Python's anyway.
_OPTIMISE = ("OPT_FAST=-O1", "OPT_SLOW=-O0", "OPT_GLOBAL=-O1", "-j2")


def build_bench(component: Any) -> Path:
    """Return the folder of a component's simulator, built or found in the cache.

    cocotb's runner makes every signal public, which costs a factor of four in speed and three in
    build time; here a control file names the ports. That hooks into the runner's command line,
    so that cocotb is pinned exactly.
    """
    for tool in ("make", "perl", "g++"):
        need_program(tool)
    need_package("cocotb", "rtl")
    names = [*describe(component).port_names(), "clk", "rst"]
    verilog = generate_verilog(component)
    control = "`verilator_config\n" + "".join(
        f'public_flat_rw -module "{TOP}" -var "{name}"\n' for name in names
    )
    key = [verilog, control, version("cocotb"), version("verilator"), compiler_version()]

    def build(work: Path) -> None:
        (work / "ports.vlt").write_text(control)
        (work / f"{TOP}.v").write_text(verilog)
        with _environment():
            _runner().build(
                sources=[work / "ports.vlt", work / f"{TOP}.v"], hdl_toplevel=TOP, build_dir=work,
                build_args=["-Wno-fatal", "-Wno-lint", "-Wno-style", "-O3", "--assert"],
                log_file=work / "build.log", always=True,
            )  # fmt: skip

    return cached_folder("cocotb", key, build)


def run_bench(build: Path, module: str, folder: Path, environment: dict[str, str]) -> bool:
    """Run the cocotb tests of a Python module; return whether all passed.

    ``folder`` gets ``results.xml`` (JUnit) and ``simulation.log``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _environment():
        runner = _runner()
        try:
            runner.test(
                test_module=module, hdl_toplevel=TOP, hdl_toplevel_lang="verilog", build_dir=build,
                test_dir=folder, results_xml=str(folder / "results.xml"), extra_env=environment,
                log_file=folder / "simulation.log",
            )  # fmt: skip
        except SystemExit as end:
            if not (folder / "results.xml").exists():
                tail = (folder / "simulation.log").read_text().splitlines()[-30:]
                raise ToolError("the simulation ended early:\n" + "\n".join(tail)) from end
            return False
    return True


def _runner() -> Any:
    from cocotb_tools import runner

    class PortsOnly(runner.Verilator):
        def _build_command(self) -> list[Any]:
            commands: list[Any] = super()._build_command()
            commands[0] = [word for word in commands[0] if word != "--public-flat-rw"]
            return commands

    return PortsOnly()


@contextlib.contextmanager
def _environment() -> Iterator[None]:
    """Set Verilator's environment: the runner reads the process's own."""
    before = dict(os.environ)
    os.environ.update(verilator_environment(*_OPTIMISE))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
