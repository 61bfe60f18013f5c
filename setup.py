"""Maps the top-level rooms to one installed package.

``app/`` is ``archsim`` itself and every other room ``room/`` is ``archsim.room``, so that
names as common as ``sim`` and ``arch`` never collide in a user's environment. Packages are
found, never listed by hand: a folder is a package when it has ``__init__.py``.
"""

from pathlib import Path

from setuptools import setup

ROOMS = ("app", "base", "arch", "traces", "sim", "rtl", "explore", "configs")
HERE = Path(__file__).parent


def package_name(folder: Path) -> str:
    """Return the installed name of a folder, e.g. ``traces/gs3d`` -> ``archsim.traces.gs3d``."""
    parts = folder.parts if folder.parts[0] != "app" else folder.parts[1:]
    return ".".join(("archsim", *parts))


folders = sorted(
    init.parent.relative_to(HERE) for room in ROOMS for init in (HERE / room).rglob("__init__.py")
)
package_dir = {package_name(folder): str(folder) for folder in folders}
setup(packages=list(package_dir), package_dir=package_dir)
