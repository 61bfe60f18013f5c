"""Images to bytes and files."""

import numpy as np
import pytest
from PIL import Image

from archsim.base.errors import OutputError
from archsim.traces.gs3d.images import to_uint8, write_png


def test_bytes_are_clamped_and_rounded():
    values = np.float32([-1.0, 0.0, 0.4 / 255, 0.6 / 255, 254.4 / 255, 254.6 / 255, 1.0, 7.0])
    assert to_uint8(values).tolist() == [0, 0, 0, 1, 254, 255, 255, 255]
    every = np.arange(256)
    assert to_uint8(every / 255).tolist() == every.tolist()


def test_png_holds_the_pixels(tmp_path):
    image = np.random.default_rng(0).uniform(-0.1, 1.1, (7, 9, 3)).astype(np.float32)
    write_png(image, tmp_path / "new" / "float.png")
    write_png(to_uint8(image), tmp_path / "bytes.png")
    for file in ("new/float.png", "bytes.png"):
        assert np.array_equal(np.asarray(Image.open(tmp_path / file)), to_uint8(image))


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot be written") as caught:
        write_png(np.zeros((2, 2, 3), np.uint8), tmp_path / "file" / "image.png")
    assert "remedy: choose another folder" in caught.value.render()
