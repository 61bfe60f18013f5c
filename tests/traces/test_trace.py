"""Traces survive a round trip to disk, whole or not at all."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from archsim.base.errors import InputError
from archsim.traces.trace import Trace

ARRAYS = hnp.arrays(
    st.sampled_from([np.uint8, np.int32, np.int64, np.float32]), hnp.array_shapes(min_side=0)
)


@settings(max_examples=25, deadline=None)
@given(st.dictionaries(st.sampled_from(["tile.pairs", "voxel.count", "image"]), ARRAYS))
def test_round_trip_keeps_kind_meta_and_columns(
    tmp_path_factory: pytest.TempPathFactory, columns: dict[str, np.ndarray]
) -> None:
    path = tmp_path_factory.mktemp("trace") / "deep" / "a.npz"
    Trace("gs3d/x", {"counts": {"pairs": 3}, "psnr_db": None}, columns).save(path)
    back = Trace.load(path)
    assert (back.kind, back.meta) == ("gs3d/x", {"counts": {"pairs": 3}, "psnr_db": None})
    assert set(back.columns) == set(columns)
    for name, column in columns.items():
        assert back.columns[name].dtype == column.dtype
        np.testing.assert_array_equal(back.columns[name], column)


def test_a_failed_save_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        Trace("x", {"bad": float("nan")}, {}).save(tmp_path / "a.npz")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not a trace", b"ply\n"])
def test_a_file_that_is_no_trace_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.npz: not a readable trace"):
        Trace.load(path)
