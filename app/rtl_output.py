"""What ``archsim rtl`` writes: Verilog with its manifest, and waves."""

from __future__ import annotations

import hashlib
import json
import tempfile
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import archsim
from archsim.base.errors import ConfigError, OutputError
from archsim.base.problems import one_of
from archsim.progress import Reporter

__all__ = ["generate_rtl", "lint_rtl", "make_top", "wave_of_block", "wave_of_tiles"]

_BLOCK_BEATS = 500
_STALL_PERCENT = 30
_DEFAULT_CYCLES = 2_000


def make_top(config: str, size: str) -> tuple[Any, dict[str, Any]]:
    """Return the top component of a machine at a size, and its parameters."""
    from archsim.rtl.tools.environment import need_package

    need_package("amaranth", "rtl")
    from archsim.rtl.blocks.machine import make_machine
    from archsim.rtl.parameters import load_parameters

    parameters = load_parameters(config, size)
    return make_machine(parameters), asdict(parameters)


def generate_rtl(config: str, size: str, out: Path | None) -> tuple[Path, dict[str, Any]]:
    """Write Verilog and manifest into a folder; return the folder and the manifest."""
    from archsim.rtl.tools.interface import describe
    from archsim.rtl.tools.verilog import generate_verilog

    top, parameters = make_top(config, size)
    name = f"{parameters['machine']}-{size}"
    folder = out if out is not None else Path("archsim-out") / "rtl" / name
    module = name.replace("-", "_")
    interface = describe(top)
    text = generate_verilog(top, name=module)
    manifest = {
        "archsim": archsim.__version__,
        "amaranth": version("amaranth"),
        "machine": config,
        "size": size,
        "parameters": parameters,
        "module": module,
        "verilog": f"{name}.v",
        "lines": text.count("\n"),
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
        "streams": {
            s.name: {"direction": s.direction, "bits": s.width, "layout": str(s.shape)}
            for s in interface.streams
        },
        "ports": {p.name: {"direction": p.direction, "bits": p.width} for p in interface.plains},
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.v").write_text(text)
        (folder / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
    except OSError as error:
        raise OutputError(f"cannot be written: {error.strerror}", place=str(folder)) from None
    return folder, manifest


def lint_rtl(config: str, size: str) -> str:
    """Return what Verilator's lint says about a machine's Verilog."""
    from archsim.rtl.tools.compile import lint
    from archsim.rtl.tools.verilog import TOP, generate_verilog

    top, _ = make_top(config, size)
    with tempfile.TemporaryDirectory(prefix="archsim-lint-") as folder:
        file = Path(folder) / f"{TOP}.v"
        file.write_text(generate_verilog(top))
        return lint(file, TOP).strip().replace(folder + "/", "")


def wave_of_block(
    name: str, out: Path, start: int | None, cycles: int | None, reporter: Reporter
) -> tuple[int, int]:
    """Write the waves of a block under its bench's random stimulus; return the window."""
    from archsim.rtl.tools.environment import need_package

    need_package("amaranth", "rtl")
    import numpy as np

    from archsim.rtl.tools.library import build_library
    from archsim.rtl.verify.bench import check
    from archsim.rtl.verify.table import BENCHES

    by_name = {bench.name: bench for bench in BENCHES}
    if name not in by_name:
        raise ConfigError(f"unknown block {name!r}; {one_of(name, list(by_name))}")
    bench = by_name[name]
    window = (start or 0, (start or 0) + (cycles or _DEFAULT_CYCLES))
    with reporter.step(f"build {name} with Verilator"):
        library = build_library(bench.make(), trace=_format(out))
    stimulus = bench.random(np.random.default_rng(0), _BLOCK_BEATS)
    _make_folder(out)
    with reporter.step("hardware"):
        check(bench, bench.make(), library, stimulus, stall_percent=_STALL_PERCENT,
              wave=(out, *window))  # fmt: skip
    return _written(out, window)


def wave_of_tiles(
    config: str, size: str, tiles: str, assignments: list[str], out: Path, start: int | None,
    cycles: int | None, reporter: Reporter,
) -> tuple[int, int]:  # fmt: skip
    """Write the waves of a machine that renders tiles; return the window.

    It begins, unless told otherwise, when the tables have been loaded.
    """
    from archsim.rtl.tools.environment import need_package

    need_package("amaranth", "rtl")
    from archsim.rtl.blocks.machine import make_machine
    from archsim.rtl.scene_image import frame_constants
    from archsim.rtl.simulate import load_cycles, run_tiles
    from archsim.rtl.tools.library import build_library
    from archsim.rtl_runs import prepare

    prepared = prepare(config, assignments, size, tiles, reporter)
    begin = load_cycles(prepared.image) if start is None else start
    window = (begin, begin + (cycles or _DEFAULT_CYCLES))
    with reporter.step(f"build {size} with Verilator (minutes the first time)"):
        library = build_library(make_machine(prepared.parameters), trace=_format(out), checks=False,
                                made_from=repr(prepared.parameters))  # fmt: skip
    constants = frame_constants(prepared.camera, prepared.image.grid)
    _make_folder(out)
    with reporter.step("hardware"):
        run_tiles(library, prepared.image, prepared.golden, constants, prepared.parameters,
                  wave=(out, *window))  # fmt: skip
    return _written(out, window)


def _format(out: Path) -> Any:
    from archsim.rtl.tools.compile import WAVE_FORMATS

    suffix = out.suffix.removeprefix(".")
    if suffix not in WAVE_FORMATS:
        raise ConfigError(f"waves are written as {' or '.join(WAVE_FORMATS)}, not {suffix!r}",
                          place=str(out), remedy="end the file's name in .fst or .vcd")  # fmt: skip
    return suffix


def _make_folder(out: Path) -> None:
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot be written: {error.strerror}", place=str(out)) from None


def _written(out: Path, window: tuple[int, int]) -> tuple[int, int]:
    if not out.is_file():
        raise ConfigError(f"the run was over before cycle {window[0]}",
                          remedy="start the window earlier")  # fmt: skip
    return window
