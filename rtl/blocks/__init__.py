"""Blocks of hardware: one component a file, with its bit-exact ``model()`` and its latency."""

import warnings

from amaranth.hdl import UnusedElaboratable

# a component also serves as its own model and description, without ever becoming hardware
warnings.filterwarnings("ignore", category=UnusedElaboratable)
