"""Timing constraints of HBM2 (JESD235) and GDDR6 (JESD250).

HBM2 has separate row and column command buses; two pseudo-channels share them, each with its own
banks and data bus. GDDR6 has different row-to-column times for reads and writes, as HBM2 has.
"""

from __future__ import annotations

from archsim.arch.dram.standards import Standard, constraint_table

__all__ = ["GDDR6", "HBM2"]

HBM2 = Standard(
    name="HBM2",
    commands=("ACT", "PREpb", "PREab", "RD", "WR", "RDA", "WRA", "REFab", "REFpb"),
    command_clocks={"ACT": 2},
    buses=(("ACT", "PREpb", "PREab", "REFab", "REFpb"), ("RD", "WR", "RDA", "WRA")),
    constraints=constraint_table("""
    # the data bus of a pseudo-channel
    rank       | RD RDA      -> RD RDA | nBL
    rank       | WR WRA      -> WR WRA | nBL
    # column commands
    rank       | RD RDA      -> RD RDA | nCCDS
    rank       | WR WRA      -> WR WRA | nCCDS
    rank       | RD RDA      -> WR WRA | nCL + nBL + 2 - nCWL
    rank       | WR WRA      -> RD RDA | nCWL + nBL + nWTRS
    bank_group | RD RDA      -> RD RDA | nCCDL
    bank_group | WR WRA      -> WR WRA | nCCDL
    bank_group | WR WRA      -> RD RDA | nCWL + nBL + nWTRL
    # activates
    rank       | ACT         -> ACT    | nRRDS
    rank       | ACT         -> ACT    | nFAW | window 4
    bank_group | ACT         -> ACT    | nRRDL
    bank       | ACT         -> ACT    | nRC
    bank       | ACT         -> RD RDA | nRCDRD
    bank       | ACT         -> WR WRA | nRCDWR
    bank       | PREpb       -> ACT    | nRP
    bank       | RDA         -> ACT    | nRTPL + nRP
    bank       | WRA         -> ACT    | nCWL + nBL + nWR + nRP
    rank       | PREab       -> ACT    | nRP
    # precharges
    bank       | ACT         -> PREpb  | nRAS
    bank       | RD          -> PREpb  | nRTPL
    bank       | WR          -> PREpb  | nCWL + nBL + nWR
    rank       | ACT         -> PREab  | nRAS
    rank       | RD          -> PREab  | nRTPL
    rank       | WR          -> PREab  | nCWL + nBL + nWR
    # refresh of all banks
    rank       | ACT         -> REFab  | nRC
    rank       | PREpb PREab -> REFab  | nRP
    rank       | RDA         -> REFab  | nRTPL + nRP
    rank       | WRA         -> REFab  | nCWL + nBL + nWR + nRP
    rank       | REFab       -> ACT PREab | nRFC
    # refresh of one bank
    bank       | ACT         -> REFpb  | nRC
    bank       | PREpb       -> REFpb  | nRP
    bank       | REFpb       -> ACT    | nRFCpb
    rank       | ACT         -> REFpb  | nRRDS
    rank       | REFpb       -> ACT    | nRREFD
    """),
)

GDDR6 = Standard(
    name="GDDR6",
    commands=("ACT", "PREpb", "PREab", "RD", "WR", "RDA", "WRA", "REFab", "REFpb"),
    constraints=constraint_table("""
    # the data bus
    channel    | RD RDA      -> RD RDA | nBL
    channel    | WR WRA      -> WR WRA | nBL
    # column commands; the bus turns in one clock after the read latency
    channel    | RD RDA      -> RD RDA | nCCDS
    channel    | WR WRA      -> WR WRA | nCCDS
    channel    | RD RDA      -> WR WRA | nCL + 1
    channel    | WR WRA      -> RD RDA | nCWL + nBL + nWTRS
    bank_group | RD RDA      -> RD RDA | nCCDL
    bank_group | WR WRA      -> WR WRA | nCCDL
    bank_group | WR WRA      -> RD RDA | nCWL + nBL + nWTRL
    # activates; a refresh of one bank counts as one
    channel    | ACT         -> ACT       | nRRDS
    channel    | ACT         -> ACT REFpb | nFAW | window 4
    channel    | REFpb       -> ACT REFpb | nFAW | window 4
    bank_group | ACT         -> ACT REFpb | nRRDL
    bank       | ACT         -> ACT       | nRC
    bank       | ACT         -> RD RDA    | nRCDRD
    bank       | ACT         -> WR WRA    | nRCDWR
    bank       | PREpb       -> ACT       | nRP
    bank       | RDA         -> ACT       | nRTP + nRP
    bank       | WRA         -> ACT       | nCWL + nBL + nWR + nRP
    channel    | PREab       -> ACT       | nRP
    # precharges
    channel    | PREpb PREab -> PREpb PREab | nPPD
    bank       | ACT         -> PREpb     | nRAS
    bank       | RD          -> PREpb     | nRTP
    bank       | WR          -> PREpb     | nCWL + nBL + nWR
    channel    | ACT         -> PREab     | nRAS
    channel    | RD          -> PREab     | nRTP
    channel    | WR          -> PREab     | nCWL + nBL + nWR
    # refresh of all banks
    channel    | ACT         -> REFab     | nRC
    channel    | PREab       -> REFab     | nRP
    channel    | RDA         -> REFab     | nRTP + nRP
    channel    | WRA         -> REFab     | nCWL + nBL + nWR + nRP
    channel    | REFab       -> ACT PREab PREpb RD WR RDA WRA REFab REFpb | nRFCab
    # refresh of one bank
    bank       | ACT         -> REFpb     | nRC
    bank       | PREpb       -> REFpb     | nRP
    bank       | RDA         -> REFpb     | nRTP + nRP
    bank       | WRA         -> REFpb     | nCWL + nBL + nWR + nRP
    bank       | REFpb       -> ACT REFpb | nRFCpb
    channel    | ACT         -> REFpb     | nRRDS
    channel    | PREab       -> REFpb     | nRP
    channel    | RDA         -> REFpb     | nRTP + nRP
    channel    | WRA         -> REFpb     | nCWL + nBL + nWR + nRP
    channel    | REFpb       -> ACT       | nRREFD
    channel    | REFpb       -> REFpb     | nRREFD
    channel    | REFpb       -> REFab     | nRFCpb
    """),
)
