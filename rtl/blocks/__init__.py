"""Blocks of hardware: one component a file, with its bit-exact ``model()`` and its latency."""
