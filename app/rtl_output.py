"""What ``archsim rtl`` writes: Verilog with its manifest, waves."""

from __future__ import annotations

import hashlib
import json
import tempfile
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import archsim
from archsim.base.errors import OutputError

__all__ = ["generate_rtl", "lint_rtl", "make_top"]


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
