"""The cocotb tests, imported inside the simulator: one per job, driven by ``drivers.py``."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import cocotb
from cocotb.triggers import Timer

from archsim.rtl.verify.drivers import Block
from archsim.rtl.verify.jobs import JOBS_VARIABLE, JobResult, read_jobs, write_result

FOLDER = Path(os.environ[JOBS_VARIABLE])
JOBS = {job["name"]: job for job in read_jobs(FOLDER)}


class DutClock:
    """The clock and reset of the simulated module."""

    def __init__(self, dut: Any):
        self.dut = dut

    def reset(self, level: int) -> None:
        """Set the reset."""
        self.dut.rst.value = level

    async def fall(self) -> None:
        """Let the clock fall; what follows is set with it."""
        self.dut.clk.value = 0

    async def settle(self) -> None:
        """Wait for half a cycle."""
        await Timer(1, "ns")

    async def rise(self) -> None:
        """Let the clock rise, and wait for the other half."""
        self.dut.clk.value = 1
        await Timer(1, "ns")


@cocotb.test()
@cocotb.parametrize(name=list(JOBS))
async def streams(dut: Any, name: str) -> None:
    """Stall a block at random, reset it in mid-stream, and let it finish."""
    block = Block(dut, DutClock(dut), JOBS[name])
    started = time.process_time()
    error = "interrupted"
    try:
        await block.verify()
        error = ""
    except AssertionError as failed:
        error = str(failed)
        raise
    finally:
        beats = max(stream.taken for stream in block.streams)
        spent = time.process_time() - started
        write_result(FOLDER, name, JobResult(error, block.cycles, beats, spent))
