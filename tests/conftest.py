"""Fixtures that all tests share."""

import os
import signal
from pathlib import Path

import pytest

if not os.environ.get("ARCHSIM_DATA", "set"):
    del os.environ["ARCHSIM_DATA"]  # an empty name means none

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # so starts what a script runs in the background, and all that it starts itself; but some tests
    # interrupt a process, and would wait for it for ever
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real scenes and reference figures; tests that need it skip without it."""
    named = os.environ.get("ARCHSIM_DATA", "")
    if not named:
        pytest.skip("needs real data: set ARCHSIM_DATA to its folder")
    return Path(named)
