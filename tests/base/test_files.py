"""Files appear whole or not at all."""

import pytest

from archsim.base.errors import OutputError
from archsim.base.files import write_whole


def write(path, content, *, fail=False):
    with write_whole(path) as stream:
        stream.write(content)
        if fail:
            raise KeyError("stopped")


def test_a_failure_leaves_the_earlier_file_and_nothing_else(tmp_path):
    path = tmp_path / "a" / "file"
    write(path, b"first")
    with pytest.raises(KeyError):
        write(path, b"second", fail=True)
    assert path.read_bytes() == b"first"
    assert list(path.parent.iterdir()) == [path]


def test_a_file_in_the_way_is_an_error_with_its_place(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="file/inside: cannot be written"):
        write(tmp_path / "file" / "inside", b"")
