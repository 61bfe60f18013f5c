"""DRAM device tables: organisation, timing and energy with a source per value."""
