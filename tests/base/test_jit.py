"""Compiled code is cached in our folder, and never stale."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CALLER = """
from archsim.base.jit import njit
from helper import scale

@njit()
def scaled(x):
    return scale(x)

print(scaled(2.0))
"""
HELPER = """
from archsim.base.jit import njit
FACTOR = {factor}

@njit()
def scale(x):
    return FACTOR * x
"""


def run(code: str, folder: Path, cache: Path) -> str:
    environment = os.environ | {"ARCHSIM_CACHE": str(cache), "PYTHONPATH": str(folder)}
    # byte code is stale too when a source of the same size changes within a second
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    environment.pop("NUMBA_CACHE_DIR", None)
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    ).stdout.strip()


def test_cache_folder_is_ours_and_named_by_the_sources(tmp_path: Path) -> None:
    code = "import archsim.base.jit, os; print(os.environ['NUMBA_CACHE_DIR'])"
    folder = Path(run(code, tmp_path, tmp_path / "cache"))
    assert folder.parent == tmp_path / "cache/compiled"
    assert folder.is_dir()


def test_old_versions_are_pruned(tmp_path: Path) -> None:
    versions = tmp_path / "cache/compiled"
    for i in range(9):
        (versions / f"old-{i}").mkdir(parents=True)
    run("import archsim.base.jit", tmp_path, tmp_path / "cache")
    assert len(list(versions.iterdir())) == 4


def test_the_users_own_choice_of_cache_is_kept(tmp_path: Path) -> None:
    code = "import archsim.base.jit, os; print(os.environ['NUMBA_CACHE_DIR'])"
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    shown = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert shown.stdout.strip() == str(tmp_path)


def test_a_changed_source_changes_the_folder(tmp_path: Path) -> None:
    """A constant compiled in from another of our modules may not survive its change."""
    import shutil

    import archsim.base.jit as jit

    package = tmp_path / "archsim"
    shutil.copytree(Path(jit.__file__).parent, package / "base")
    (package / "__init__.py").write_text("")
    folder = package / "traces"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "helper.py").write_text(HELPER.format(factor=3))
    (folder / "caller.py").write_text(CALLER.replace("from helper", "from archsim.traces.helper"))
    cache = tmp_path / "cache"
    code = "import sys; sys.meta_path = [f for f in sys.meta_path if 'editable' not in repr(f)]; "
    code += "import archsim.traces.caller"
    assert run(code, tmp_path, cache) == "6.0"
    (folder / "helper.py").write_text(HELPER.format(factor=5))
    assert run(code, tmp_path, cache) == "10.0"


def run_kept(tmp_path: Path, before: str = "") -> subprocess.CompletedProcess[str]:
    """Run a compiled function, whose code is kept in ``tmp_path/cache``."""
    (tmp_path / "kept.py").write_text(
        "from archsim.base.jit import njit\n@njit()\ndef twice(x):\n    return 2 * x\n"
        "@njit()\ndef thrice(x):\n    return 3 * x\n"
    )
    code = f"{before}\nimport kept; print(kept.twice(2.0), kept.thrice(2.0), end='')\n"
    code += "print('', len(kept.twice.stats.cache_hits), len(kept.thrice.stats.cache_hits))"
    environment = os.environ | {
        "ARCHSIM_CACHE": str(tmp_path / "cache"), "PYTHONPATH": str(tmp_path)
    }  # fmt: skip
    environment.pop("NUMBA_CACHE_DIR", None)
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("ending", ["nbi", "nbc"])
@pytest.mark.parametrize("kept_bytes", [0, 9, 60])
def test_damaged_compiled_code_is_compiled_again(
    tmp_path: Path, ending: str, kept_bytes: int
) -> None:
    assert run_kept(tmp_path).stdout == "4.0 6.0 0 0\n"
    for file in (tmp_path / "cache").rglob(f"*.{ending}"):
        file.write_bytes(file.read_bytes()[:kept_bytes])
    damaged = run_kept(tmp_path)
    assert damaged.stdout == "4.0 6.0 0 0\n"
    assert damaged.stderr.count("warning: ") == 1
    assert "damaged, compiling again" in damaged.stderr
    assert len(damaged.stderr.splitlines()) == 1
    healed = run_kept(tmp_path)
    assert (healed.stdout, healed.stderr) == ("4.0 6.0 1 1\n", "")


def test_a_full_disk_is_a_warning(tmp_path: Path) -> None:
    full = "import numba.core.caching as c\ndef full(*a):\n    raise OSError(28, 'No space left')\n"
    run_there = run_kept(tmp_path, full + "c.IndexDataCacheFile._save_data = full")
    assert run_there.stdout == "4.0 6.0 0 0\n"
    assert "cannot be written, going on without (No space left)" in run_there.stderr
    assert len(run_there.stderr.splitlines()) == 1
