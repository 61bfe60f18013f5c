"""Operations of INRIA's rasteriser kernels per unit of work, counted from the published algorithm.

Instructions are estimates of what a compiler makes of the counted operations: loads, stores,
address arithmetic, comparisons and branches, and the multi-instruction sequences of division,
square root and ``expf`` (no fast-math flag is set in the reference build). None was read from a
profile, so all carry a range and are marked assumed.
"""

from __future__ import annotations

from dataclasses import dataclass

from archsim.arch.sourced import Sourced

__all__ = [
    "BLEND_CHAIN_CYCLES",
    "BLOCK_REGISTERS",
    "BRANCHING_SHARE",
    "COSTS",
    "TEST_CHAIN_CYCLES",
    "Cost",
    "assumed_costs",
]


@dataclass(frozen=True)
class Cost:
    """Instructions of one thread for one unit of work, and those on FP32 and special lanes."""

    instructions: Sourced
    fp32: Sourced
    sfu: Sourced


def _counted(value: float, low: float, high: float, source: str) -> Sourced:
    return Sourced(value=value, low=low, high=high, source=source, assumed=True)


def _cost(source: str, instructions: tuple[float, float, float],
          fp32: tuple[float, float, float] = (0, 0, 0),
          sfu: tuple[float, float, float] = (0, 0, 0)) -> Cost:  # fmt: skip
    text = f"counted from the algorithm of diff-gaussian-rasterization (59f5f77): {source}"
    return Cost(_counted(*instructions, text), _counted(*fp32, text), _counted(*sfu, text))


COSTS: dict[str, Cost] = {
    "preprocess/gaussian": _cost(
        "thread index, two zero stores, mean load, view transform (9 FMA), near test",
        (30, 22, 45), (9, 9, 12)),
    "preprocess/in_front": _cost(
        "projection 16, covariance in 3D 54 and in 2D 100, inverse, eigenvalues and rectangle 35 "
        "operations; 3 divisions and 2 square roots; 7 loads, 6 stores, addresses; the published "
        "count with colour at degree 3 is 427 multiply-adds (StreamingGS, second-hand)",
        (290, 230, 440), (205, 160, 340), (5, 4, 8)),
    "preprocess/visible": _cost(
        "opacity load, stores of depth, radius, centre, conic and tile count, addresses",
        (40, 28, 60)),
    "preprocess/direction": _cost(
        "view direction, normalisation, clamping and storing three colours",
        (30, 20, 45), (14, 10, 18), (2, 1, 3)),
    "preprocess/coefficient": _cost(
        "one spherical-harmonics coefficient: 3 loads, 3 FMA, about 2 for its basis polynomial",
        (8, 6, 12), (5, 4, 6)),
    "scan/item": _cost(
        "load, serial and warp-shuffle prefix sum, decoupled look-back, store, per item",
        (10, 6, 16)),
    "duplicate/gaussian": _cost(
        "thread index, radius load and test", (10, 6, 14)),
    "duplicate/visible": _cost(
        "offset, centre and depth loads, tile rectangle again", (35, 25, 50), (8, 6, 12)),
    "duplicate/pair": _cost(
        "two loops' counters, key from tile and depth bits, key and value stores",
        (14, 10, 20)),
    "histogram/digit": _cost(
        "digit of a key and its shared-memory atomic, per key and pass", (5, 4, 8)),
    "pass/pair": _cost(
        "key and value loads, digit, ranking by 8 match ballots, exchange through shared memory, "
        "scattered stores; an A100 sorts at 81-83 % of its bandwidth, which bounds it by about 300",
        (64, 40, 120)),
    "upsweep/pair": _cost(
        "key load, digit, shared-memory count, in the two-sweep sort", (8, 6, 14)),
    "ranges/pair": _cost(
        "two key loads, tile comparison, seldom stores", (14, 10, 20)),
    "render/pixel": _cost(
        "pixel index and bounds, range load, state; final store of colour, transmittance and count",
        (65, 45, 90), (8, 6, 12)),
    "render/fetch": _cost(
        "done count over the block, two barriers, index, centre and conic loads to shared memory, "
        "per thread and batch of 256", (28, 20, 40)),
    "render/test": _cost(
        "loop and done tests 5, two shared loads, difference 2, power 7, sign test 2, expf 6 and "
        "1 special function, alpha 2, threshold test 2; arithmetic as published: 8 MUL + 4 ADD + "
        "1 EXP (axis-shared 3DGS, arXiv 2506.07069)", (29, 24, 36), (15, 12, 18), (1, 1, 1)),
    "render/blend": _cost(
        "transmittance 2 and its test 3, index from shared memory and 3 colour loads with address "
        "6, weight 1, colour 3-6, state 2, reconvergence 3; arithmetic as published: 5 MUL + 4 "
        "ADD (axis-shared 3DGS, arXiv 2506.07069)", (21, 17, 28), (9, 7, 10)),
}  # fmt: skip

#: Registers of a thread of the render kernel: occupancy; up to 40, six blocks fit a sm_87 SM.
BLOCK_REGISTERS = _counted(
    40, 32, 64, "estimate for the render kernel of diff-gaussian-rasterization (59f5f77)"
)

#: Of the issue slots that a loop of multiply-adds reaches, those that these kernels do.
BRANCHING_SHARE = _counted(
    0.8, 0.53, 1.0, "guess for branching kernels that read shared memory and synchronise blocks"
)

#: Dependent latency of one entry for a warp of the render kernel.
TEST_CHAIN_CYCLES = _counted(
    115,
    85,
    150,
    "a shared-memory read of 29 cycles, about twelve dependent operations of 4, an "
    "exponential of 23 and a branch; latencies of gpgpu-sim_distribution SM87_ORIN (708e053)",
)
BLEND_CHAIN_CYCLES = _counted(
    65, 40, 90, "an L1 hit of 39 cycles and six dependent operations of 4; the same latencies"
)


def assumed_costs() -> dict[str, str]:
    """Return every estimate above as dotted place -> what it rests on, for reports."""
    places = {f"tile_raster.{name}.instructions": cost.instructions for name, cost in COSTS.items()}
    places["tile_raster.render.registers"] = BLOCK_REGISTERS
    places["tile_raster.issue_share"] = BRANCHING_SHARE
    places["tile_raster.render.test_chain_cycles"] = TEST_CHAIN_CYCLES
    places["tile_raster.render.blend_chain_cycles"] = BLEND_CHAIN_CYCLES
    return {
        place: f"{c.value:g} [{c.low:g}, {c.high:g}]: {c.source}" for place, c in places.items()
    }
