"""The rooms keep their direction of imports, and files keep their shape."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
#: room -> rooms it may import (itself apart)
MAY_IMPORT = {
    "base": set(),
    "configs": set(),
    "arch": {"base"},
    "traces": {"base"},
    "sim": {"base", "arch", "traces"},
    "rtl": {"base", "arch", "traces", "sim"},
    "explore": {"base", "arch", "traces", "sim", "rtl"},
    "app": {"base", "arch", "traces", "sim", "rtl", "explore", "configs"},
}
ROOMS = [room for room in MAY_IMPORT if (ROOT / room).is_dir()]
SOURCES = sorted(file for room in ROOMS for file in (ROOT / room).rglob("*.py"))


def imported_modules(file: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import; write archsim.room.module"
            names.add(node.module or "")
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("file", SOURCES, ids=lambda f: str(f.relative_to(ROOT)))
def test_rooms_import_only_the_rooms_below_them(file: Path) -> None:
    room = file.relative_to(ROOT).parts[0]
    used = {name.split(".")[1] for name in imported_modules(file) if name.startswith("archsim.")}
    rooms_used = {name if name in MAY_IMPORT else "app" for name in used} - {room}
    if room == "app":
        return
    assert rooms_used <= MAY_IMPORT[room], f"{room} must not import {rooms_used - MAY_IMPORT[room]}"


@pytest.mark.parametrize("file", SOURCES, ids=lambda f: str(f.relative_to(ROOT)))
def test_numba_is_imported_only_through_base_jit(file: Path) -> None:
    if file == ROOT / "base/jit.py":
        return
    assert not any(name.split(".")[0] == "numba" for name in imported_modules(file))


@pytest.mark.parametrize("file", SOURCES, ids=lambda f: str(f.relative_to(ROOT)))
def test_files_stay_readable_in_one_sitting(file: Path) -> None:
    lines = len(file.read_text().splitlines())
    assert lines <= 500, f"{lines} lines: split it, one idea per file"


def test_no_folder_shadows_the_package() -> None:
    assert not (ROOT / "archsim").exists()


def test_every_package_folder_has_an_init() -> None:
    missing = {
        folder.relative_to(ROOT)
        for room in ROOMS
        for folder in [ROOT / room, *(ROOT / room).rglob("*")]
        if folder.is_dir()
        and folder.name != "__pycache__"
        and any(folder.glob("*.py")) | any(folder.glob("*.yaml"))
        and not (folder / "__init__.py").exists()
    }
    assert not missing
