"""Columns and the bits of a payload are the same thing."""

import numpy as np
import pytest
from amaranth.hdl import signed, unsigned
from amaranth.lib import data
from hypothesis import given
from hypothesis import strategies as st

from archsim.rtl.tools.columns import leaves, pack, storage_bytes, unpack

PIXEL = data.StructLayout({"x": signed(5), "colour": data.ArrayLayout(unsigned(9), 3)})
NESTED = data.StructLayout(
    {"key": 70, "pixels": data.ArrayLayout(PIXEL, 2), "depth": signed(64), "last": 1}
)


def test_a_payload_is_laid_out_least_significant_field_first() -> None:
    raw = pack(PIXEL, {"x": np.array([-1]), "colour": np.array([[1, 2, 3]])})
    value = int.from_bytes(raw[0].tobytes(), "little")
    assert value == 0b11111 | 1 << 5 | 2 << 14 | 3 << 23
    assert [str(leaf) for leaf in leaves(PIXEL)] == ["x", "colour[0]", "colour[1]", "colour[2]"]


@pytest.mark.parametrize(
    ("width", "expected"), [(1, 1), (8, 1), (9, 2), (17, 4), (33, 8), (64, 8), (65, 12), (256, 32)]
)
def test_storage_is_that_of_a_verilated_port(width: int, expected: int) -> None:
    assert storage_bytes(width) == expected


@given(st.integers(0, 2**32), st.integers(0, 20))
def test_unpack_inverts_pack(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    key = rng.integers(0, 2**64, (n, 2), dtype=np.uint64)
    key[:, 1] &= np.uint64(63)
    columns = {
        "key": key,
        "pixels": {"x": rng.integers(-16, 16, (n, 2)), "colour": rng.integers(0, 512, (n, 2, 3))},
        "depth": rng.integers(-(2**63), 2**63 - 1, n),
        "last": rng.integers(0, 2, n),
    }
    again = unpack(NESTED, pack(NESTED, columns))
    np.testing.assert_equal(again, columns)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"x": [16], "colour": [[0, 0, 0]]}, "x: values 16 to 16 do not fit -16 to 15"),
        ({"x": [0], "colour": [[0, 0, 512]]}, r"colour\[2\]: values 512 to 512 do"),
        ({"x": [0]}, "field 'colour' is missing; fields: x, colour"),
        ({"x": [0], "colour": [[0, 0, 0]], "y": [0]}, "field 'y' is unknown"),
        ({"x": [0], "colour": [[0, 0, 0]] * 2}, r"colour\[0\]: \(2,\) values for 1 payloads"),
        ({"x": [0.5], "colour": [[0, 0, 0]]}, "x: values must be integers, not float64"),
        ({"x": [0], "colour": [0]}, r"colour\[0\]: an array of 1 axes where 2 are needed"),
    ],
)  # fmt: skip
def test_a_value_that_would_be_cut_is_an_error(columns: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pack(PIXEL, {name: np.array(values) for name, values in columns.items()})
