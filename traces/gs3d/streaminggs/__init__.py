"""StreamingGS executed on real scenes: voxels in ray order, two filters, on-chip accumulation."""
