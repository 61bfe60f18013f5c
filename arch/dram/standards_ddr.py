"""Timing constraints of DDR4 (JESD79-4) and DDR5 (JESD79-5)."""

from __future__ import annotations

from archsim.arch.dram.standards import Standard, constraint_table

__all__ = ["DDR4", "DDR5"]

DDR4 = Standard(
    name="DDR4",
    commands=("ACT", "PREpb", "PREab", "RD", "WR", "RDA", "WRA", "REFab"),
    constraints=constraint_table("""
    # the data bus
    channel    | RD RDA      -> RD RDA        | nBL
    channel    | WR WRA      -> WR WRA        | nBL
    # column commands; a read's data end two clocks before a write's begin (postamble, preamble)
    rank       | RD RDA      -> RD RDA        | nCCDS
    rank       | WR WRA      -> WR WRA        | nCCDS
    rank       | RD RDA      -> WR WRA        | nCL + nBL + 2 - nCWL
    rank       | WR WRA      -> RD RDA        | nCWL + nBL + nWTRS
    rank       | RD RDA      -> RD WR RDA WRA | nBL + nCS              | sibling
    rank       | WR WRA      -> RD RDA        | nCWL + nBL + nCS - nCL | sibling
    bank_group | RD RDA      -> RD RDA        | nCCDL
    bank_group | WR WRA      -> WR WRA        | nCCDL
    bank_group | WR WRA      -> RD RDA        | nCWL + nBL + nWTRL
    # activates
    rank       | ACT         -> ACT           | nRRDS
    rank       | ACT         -> ACT           | nFAW                   | window 4
    bank_group | ACT         -> ACT           | nRRDL
    bank       | ACT         -> ACT           | nRC
    bank       | ACT         -> RD WR RDA WRA | nRCD
    bank       | PREpb       -> ACT           | nRP
    bank       | RDA         -> ACT           | nRTP + nRP
    bank       | WRA         -> ACT           | nCWL + nBL + nWR + nRP
    rank       | PREab       -> ACT           | nRP
    # precharges
    bank       | ACT         -> PREpb         | nRAS
    bank       | RD          -> PREpb         | nRTP
    bank       | WR          -> PREpb         | nCWL + nBL + nWR
    rank       | ACT         -> PREab         | nRAS
    rank       | RD          -> PREab         | nRTP
    rank       | WR          -> PREab         | nCWL + nBL + nWR
    # refresh
    rank       | ACT         -> REFab         | nRC
    rank       | PREpb PREab -> REFab         | nRP
    rank       | RDA         -> REFab         | nRTP + nRP
    rank       | WRA         -> REFab         | nCWL + nBL + nWR + nRP
    rank       | REFab       -> ACT PREab     | nRFC
    """),
)

DDR5 = Standard(
    name="DDR5",
    commands=("ACT", "PREpb", "PREab", "RD", "WR", "RDA", "WRA", "REFab"),
    command_clocks={"ACT": 2, "RD": 2, "RDA": 2, "WR": 2, "WRA": 2},
    constraints=constraint_table("""
    # the data bus
    channel    | RD RDA      -> RD RDA        | nBL
    channel    | WR WRA      -> WR WRA        | nBL
    # column commands; a write's preamble is two clocks longer than DDR4's
    rank       | RD RDA      -> RD RDA        | nCCDS
    rank       | WR WRA      -> WR WRA        | nCCDS_WR
    rank       | RD RDA      -> WR WRA        | nCL + nBL + 4 - nCWL
    rank       | WR WRA      -> RD RDA        | nCWL + nBL + nWTRS
    rank       | RD RDA      -> RD WR RDA WRA | nBL + nCS              | sibling
    rank       | WR WRA      -> RD RDA        | nCWL + nBL + nCS - nCL | sibling
    bank_group | RD RDA      -> RD RDA        | nCCDL
    bank_group | WR WRA      -> WR WRA        | nCCDL_WR
    bank_group | WR WRA      -> RD RDA        | nCWL + nBL + nWTRL
    # activates
    rank       | ACT         -> ACT           | nRRDS
    rank       | ACT         -> ACT           | nFAW                   | window 4
    bank_group | ACT         -> ACT           | nRRDL
    bank       | ACT         -> ACT           | nRC
    bank       | ACT         -> RD WR RDA WRA | nRCD
    bank       | PREpb       -> ACT           | nRP
    bank       | RDA         -> ACT           | nRTP + nRP
    bank       | WRA         -> ACT           | nCWL + nBL + nWR + nRP
    rank       | PREab       -> ACT           | nRP
    # precharges
    rank       | PREpb PREab -> PREpb PREab   | nPPD
    bank       | ACT         -> PREpb         | nRAS
    bank       | RD          -> PREpb         | nRTP
    bank       | WR          -> PREpb         | nCWL + nBL + nWR
    rank       | ACT         -> PREab         | nRAS
    rank       | RD          -> PREab         | nRTP
    rank       | WR          -> PREab         | nCWL + nBL + nWR
    # refresh
    rank       | ACT         -> REFab         | nRC
    rank       | PREpb PREab -> REFab         | nRP
    rank       | RDA         -> REFab         | nRTP + nRP
    rank       | WRA         -> REFab         | nCWL + nBL + nWR + nRP
    rank       | REFab       -> ACT PREab     | nRFC
    """),
)
