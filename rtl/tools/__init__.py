"""Tools around the RTL: Verilog, Verilator, cocotb, formal proofs, synthesis."""
