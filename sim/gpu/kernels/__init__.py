"""Kernels of neural networks as grids of blocks: shapes in, work out."""
