"""Command-level DRAM model: one channel, one controller, exact to the cycle."""

from archsim.sim.dram.cycle.controller import CommandStream, CycleDram, CycleResult, Policy

__all__ = ["CommandStream", "CycleDram", "CycleResult", "Policy"]
