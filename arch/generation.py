"""What a generation of GPUs does with its peak rates: a few parameters, fitted to measured times.

One set per generation (``tables/gpu-*.yaml``), used by all its machines. The sources say which
rows each value was fitted to; ``benchmarks/gpu.py --fit`` does it again.
"""

from __future__ import annotations

from functools import cache

from pydantic import Field

from archsim.arch.sourced import Fraction, Part, Positive, Sourced
from archsim.arch.tables import list_tables, read_table
from archsim.base.errors import ConfigError
from archsim.base.problems import one_of

__all__ = ["Generation", "list_generations", "load_generation"]

_PREFIX = "gpu-"


class Generation(Part):
    """The parameters of a generation."""

    title: str
    kernel_ns: Sourced = Field(description="of a kernel, before its first and after its last block")
    block_ns: Sourced = Field(description="of a block that does nothing, in its place on an SM")
    latency_ns: Positive = Field(description="one dependent access to global memory, loaded")
    tensor_fraction: Fraction = Field(description="of the tensor peak that an unstalled loop gets")
    issue_fraction: Fraction = Field(description="of the issue slots that full occupancy uses")
    l2_fraction: Fraction = Field(description="of the L2's peak rate that kernels get")
    overlap_loss: Fraction = Field(
        description="share of the shorter of two overlapping phases that shows in the sum"
    )
    retained_fraction: Fraction = Field(
        description="of the L2's capacity that keeps what the kernel before left there"
    )


def list_generations() -> list[str]:
    """Return the names of the generations with a table, sorted."""
    return list_tables(_PREFIX)


@cache
def load_generation(name: str) -> Generation:
    """Return a generation by name; :class:`ConfigError` gives the nearest one."""
    known = list_generations()
    if name not in known:
        raise ConfigError(f"unknown GPU generation {name!r}", remedy=one_of(name, known))
    return read_table(f"{_PREFIX}{name}", Generation)
