"""What a mapping to standard cells reads out of a block's Verilog."""

from archsim.rtl.tools.liberty import memory_bits

VERILOG = r"""
  reg [26:0] \U$1  [255:0];
  reg [7:0] lights [31:0];
  reg [3:0] count;
"""


def test_memories_of_any_name_are_told_in_bits() -> None:
    assert memory_bits(VERILOG) == 27 * 256 + 8 * 32
