"""Fixtures that all tests share."""

import os
from pathlib import Path

import pytest

if not os.environ.get("ARCHSIM_DATA", "set"):
    del os.environ["ARCHSIM_DATA"]  # an empty name means none


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real scenes and reference figures; tests that need it skip without it."""
    named = os.environ.get("ARCHSIM_DATA", "")
    if not named:
        pytest.skip("needs real data: set ARCHSIM_DATA to its folder")
    return Path(named)
