"""The wheel holds what the tree holds, under one package."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = [r for r in ("app", "base", "arch", "traces", "sim", "rtl", "explore", "configs")
         if (ROOT / r).is_dir()]  # fmt: skip
PACKED_SUFFIXES = {".py", ".yaml", ".j2", ".css", ".js", ".typed"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    tree = folder / "tree"
    ignore = shutil.ignore_patterns("__pycache__", "*.egg-info")
    tree.mkdir()
    for room in ROOMS:
        shutil.copytree(ROOT / room, tree / room, ignore=ignore)
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree)
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, tree],
        check=True, capture_output=True,
    )  # fmt: skip
    (built,) = folder.glob("*.whl")
    return built


def expected_files() -> set[str]:
    expected = set()
    for room in ROOMS:
        for file in (ROOT / room).rglob("*"):
            if file.suffix in PACKED_SUFFIXES and "__pycache__" not in file.parts:
                inside = file.relative_to(ROOT)
                parts = inside.parts[1:] if room == "app" else inside.parts
                expected.add("/".join(("archsim", *parts)))
    return expected


def test_wheel_equals_tree(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert packed == expected_files()


def test_wheel_alone_runs_from_any_folder(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    # sys.path alone would not do: an editable installation's finder comes before it
    code = (
        "import sys; sys.meta_path = [f for f in sys.meta_path if 'editable' not in repr(f)]\n"
        f"sys.path.insert(0, {str(site)!r}); sys.argv = ['archsim', 'machines']\n"
        "import archsim; print(archsim.__file__)\n"
        "from archsim.cli import main; main()"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path, env=os.environ | {"COLUMNS": "100"}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert shown.returncode == 0, shown.stderr
    assert str(site) in shown.stdout
    assert "streaminggs" in shown.stdout


def test_heavy_libraries_stay_out_of_the_import() -> None:
    code = (
        "import archsim, archsim.cli, sys;"
        "print([m for m in ('numba', 'pandas', 'plotly', 'pyarrow') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
