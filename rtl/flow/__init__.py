"""Arithmetic as graphs: one description gives the pipeline in hardware and its bit-exact model."""
