"""The timing halves of the 3DGS methods: trace to program on a machine."""
