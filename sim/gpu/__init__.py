"""A GPU as kernels in sequence: blocks over multiprocessors, memory streams, launch gaps."""
