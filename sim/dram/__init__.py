"""DRAM in simulated time: the row-level model and its address mappings."""
