"""Timing constraints of LPDDR5 (JESD209-5), LPDDR4 (JESD209-4) and LPDDR3 (JESD209-3).

LPDDR5 activates a row in two commands, ACT1 and, at most nAAD clocks later, ACT2; every timing
counts from ACT1. A column command needs a synchronised data clock: a CAS_RD or CAS_WR in the
clock before, unless the data clock still runs (nWCKPST after the last burst). ``nBL_min`` is what
a burst holds the data bus, ``nBL_max`` what it holds its bank group.

LPDDR4 and LPDDR3 have no bank groups; the two or four clocks that LPDDR4's commands take on the
command bus are left out.
"""

from __future__ import annotations

from archsim.arch.dram.standards import Standard, constraint_table

__all__ = ["LPDDR3", "LPDDR4", "LPDDR5"]

LPDDR5 = Standard(
    name="LPDDR5",
    commands=(
        "ACT1", "ACT2", "PREpb", "PREab", "CAS_RD", "CAS_WR", "RD", "WR", "RDA", "WRA",
        "REFab", "REFpb",
    ),
    read_latency="nCL + nBL_min",
    constraints=constraint_table("""
    # the data bus and its clock
    channel    | RD RDA      -> RD RDA        | nBL_min
    channel    | WR WRA      -> WR WRA        | nBL_min
    bank       | CAS_RD      -> RD RDA        | nCAS
    bank       | CAS_WR      -> WR WRA        | nCAS
    # column commands
    rank       | RD RDA      -> RD RDA        | nCCDS
    rank       | WR WRA      -> WR WRA        | nCCDS_WR
    rank       | RD RDA      -> WR WRA        | nCL + nBL_min + 2 - nCWL
    rank       | WR WRA      -> RD RDA        | nCWL + nBL_min + nWTRS
    rank       | RD RDA      -> RD WR RDA WRA | nBL_min + nCS              | sibling
    rank       | WR WRA      -> RD RDA        | nCL + nBL_min + nCS - nCWL | sibling
    bank_group | RD RDA      -> RD RDA        | nCCDL
    bank_group | WR WRA      -> WR WRA        | nCCDL_WR
    bank_group | WR WRA      -> RD RDA        | nCWL + nBL_max + nWTRL
    # activates
    rank       | ACT1        -> ACT1          | nRRDS
    rank       | ACT1        -> ACT1          | nFAW                       | window 4
    bank_group | ACT1        -> ACT1          | nRRDL
    bank       | ACT1        -> ACT1          | nRC
    bank       | ACT1        -> RD WR RDA WRA | nRCD
    bank       | PREpb       -> ACT1          | nRP
    bank       | RDA         -> ACT1          | nRTP + nRP
    bank       | WRA         -> ACT1          | nCWL + nBL_min + nWR + nRP
    rank       | PREab       -> ACT1          | nRPab
    # precharges
    rank       | PREpb PREab -> PREpb PREab   | nPPD
    bank       | ACT1        -> PREpb         | nRAS
    bank       | RD          -> PREpb         | nRTP
    bank       | WR          -> PREpb         | nCWL + nBL_min + nWR
    rank       | ACT1        -> PREab         | nRAS
    rank       | RD          -> PREab         | nRTP
    rank       | WR          -> PREab         | nCWL + nBL_min + nWR
    # refresh of all banks
    rank       | ACT1        -> REFab         | nRC
    rank       | PREpb PREab -> REFab         | nRP
    rank       | RDA         -> REFab         | nRTP + nRP
    rank       | WRA         -> REFab         | nCWL + nBL_min + nWR + nRP
    rank       | REFab       -> ACT1 PREab REFab REFpb | nRFC
    # refresh of one bank
    bank       | ACT1        -> REFpb         | nRC
    bank       | PREpb       -> REFpb         | nRP
    bank       | REFpb       -> ACT1          | nRFCpb
    rank       | REFpb       -> ACT1          | nPBR2ACT
    rank       | REFpb       -> REFpb         | nPBR2PBR
    rank       | REFpb       -> REFab         | nRFCpb
    """),
)  # fmt: skip

LPDDR4 = Standard(
    name="LPDDR4",
    commands=("ACT", "PREpb", "PREab", "RD", "WR", "RDA", "WRA", "REFab", "REFpb"),
    constraints=constraint_table("""
    # column commands; a read's data leave the bus for nRTRS clocks and a write's preamble
    rank | RD RDA      -> RD RDA        | nCCD
    rank | WR WRA      -> WR WRA        | nCCD
    rank | RD RDA      -> WR WRA        | nCL + nBL + nRTRS + nWPRE - nCWL
    rank | WR WRA      -> RD RDA        | nCWL + nBL + nWTR
    # activates
    rank | ACT         -> ACT           | nRRD
    rank | ACT         -> ACT           | nFAW | window 4
    bank | ACT         -> ACT           | nRC
    bank | ACT         -> RD WR RDA WRA | nRCD
    bank | PREpb       -> ACT           | nRP
    bank | RDA         -> ACT           | nRTP + nRP
    bank | WRA         -> ACT           | nCWL + nBL + nWR + nRP
    rank | PREab       -> ACT           | nRPab
    # precharges
    rank | PREpb PREab -> PREpb PREab   | nPPD
    bank | ACT         -> PREpb         | nRAS
    bank | RD          -> PREpb         | nRTP
    bank | WR          -> PREpb         | nCWL + nBL + nWR
    rank | ACT         -> PREab         | nRAS
    rank | RD          -> PREab         | nRTP
    rank | WR          -> PREab         | nCWL + nBL + nWR
    # refresh of all banks
    rank | ACT         -> REFab         | nRC
    rank | PREpb       -> REFab         | nRP
    rank | PREab       -> REFab         | nRPab
    rank | RDA         -> REFab         | nRTP + nRP
    rank | WRA         -> REFab         | nCWL + nBL + nWR + nRP
    rank | REFab       -> ACT PREab REFab REFpb | nRFC
    # refresh of one bank; activates elsewhere keep their distance as from an activate
    bank | ACT         -> REFpb         | nRC
    bank | PREpb       -> REFpb         | nRP
    bank | RDA         -> REFpb         | nRTP + nRP
    bank | WRA         -> REFpb         | nCWL + nBL + nWR + nRP
    bank | REFpb       -> ACT           | nRFCpb
    rank | PREab       -> REFpb         | nRPab
    rank | REFpb       -> ACT           | nRRD
    rank | ACT         -> REFpb         | nRRD
    rank | REFpb       -> REFpb REFab   | nRFCpb
    """),
)

LPDDR3 = Standard(
    name="LPDDR3",
    commands=LPDDR4.commands,
    constraints=constraint_table("""
    # column commands
    rank | RD RDA      -> RD RDA        | nCCD
    rank | WR WRA      -> WR WRA        | nCCD
    rank | RD RDA      -> WR WRA        | nCL + nBL + nRTRS + nWPRE - nCWL
    rank | WR WRA      -> RD RDA        | nCWL + nBL + nWTR
    # activates
    rank | ACT         -> ACT           | nRRD
    rank | ACT         -> ACT           | nFAW | window 4
    bank | ACT         -> ACT           | nRC
    bank | ACT         -> RD WR RDA WRA | nRCD
    bank | PREpb       -> ACT           | nRP
    bank | RDA         -> ACT           | nRTP + nRP
    bank | WRA         -> ACT           | nCWL + nBL + nWR + nRP
    rank | PREab       -> ACT           | nRPab
    # precharges
    bank | ACT         -> PREpb         | nRAS
    bank | RD          -> PREpb         | nRTP
    bank | WR          -> PREpb         | nCWL + nBL + nWR
    rank | ACT         -> PREab         | nRAS
    rank | RD          -> PREab         | nRTP
    rank | WR          -> PREab         | nCWL + nBL + nWR
    # refresh of all banks
    rank | ACT         -> REFab         | nRC
    rank | PREpb       -> REFab         | nRP
    rank | PREab       -> REFab         | nRPab
    rank | RDA         -> REFab         | nRTP + nRP
    rank | WRA         -> REFab         | nCWL + nBL + nWR + nRP
    rank | REFab       -> ACT PREab REFab REFpb | nRFC
    # refresh of one bank
    bank | ACT         -> REFpb         | nRC
    bank | PREpb       -> REFpb         | nRP
    bank | RDA         -> REFpb         | nRTP + nRP
    bank | WRA         -> REFpb         | nCWL + nBL + nWR + nRP
    bank | REFpb       -> ACT           | nRFCpb
    rank | PREab       -> REFpb         | nRPab
    rank | REFpb       -> ACT           | nRRD
    rank | ACT         -> REFpb         | nRRD
    rank | REFpb       -> REFpb REFab   | nRFCpb
    """),
)
