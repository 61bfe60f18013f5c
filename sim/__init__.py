"""Time: the kernel, DRAM, GPU and accelerator models, results and their checks."""
