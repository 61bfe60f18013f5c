"""Verification of the RTL: one generic bench, driven by each block's model and a stimulus."""
