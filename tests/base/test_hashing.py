"""Content hashes."""

from pathlib import Path

import pytest

from archsim.base.hashing import hash_data, hash_path, hash_sources


def test_data_hash_ignores_key_order_but_no_value() -> None:
    assert hash_data({"a": 1, "b": [1, 2]}) == hash_data({"b": [1, 2], "a": 1})
    assert hash_data({"a": 1}) != hash_data({"a": 1.5})


def test_data_hash_refuses_nan() -> None:
    with pytest.raises(ValueError, match="Out of range"):
        hash_data({"a": float("nan")})


def test_file_hash_is_sha256(tmp_path: Path) -> None:
    file = tmp_path / "abc"
    file.write_bytes(b"abc")
    assert hash_path(file).startswith("ba7816bf8f01cfea")  # FIPS 180-2, appendix B.1


def test_folder_hash_sees_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    first = hash_path(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    second = hash_path(tmp_path)
    (tmp_path / "b").write_text("2")
    assert len({first, second, hash_path(tmp_path)}) == 3


def test_source_hash_names_a_missing_room() -> None:
    assert len(hash_sources(("base",))) == 64
    with pytest.raises(ModuleNotFoundError, match=r"archsim\.attic"):
        hash_sources(("attic",))
