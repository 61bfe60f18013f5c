"""Heat maps: one logarithmic scale from black to light, and its ticks."""

import numpy as np
import pytest

from archsim.heatmap import LEAST_ERROR, MOST_ERROR, SCALE_TICKS, heat_map, scale_colours


def test_ends_and_middle_of_the_scale() -> None:
    middle = (LEAST_ERROR * MOST_ERROR) ** 0.5
    error = np.array([[0.0, LEAST_ERROR, middle, MOST_ERROR, 1.0]], np.float64)
    picture = heat_map(error)
    assert picture.shape == (1, 5, 3)
    assert picture.dtype == np.uint8
    colours = np.array(scale_colours())
    assert picture[0, :2].tolist() == [[0, 0, 0]] * 2
    assert picture[0, 3:].tolist() == [colours[-1].tolist()] * 2
    half = (len(colours) - 1) / 2
    expected = (colours[int(np.floor(half))] + colours[int(np.ceil(half))]) / 2
    assert np.abs(picture[0, 2] - expected).max() <= 1


def test_more_error_is_brighter() -> None:
    error = np.geomspace(LEAST_ERROR, MOST_ERROR, 200, dtype=np.float16)[None]
    brightness = heat_map(error)[0].astype(float) @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(brightness) >= -0.5).all()
    assert brightness[-1] > brightness[0] + 200


def test_ticks_name_errors_and_their_psnr() -> None:
    for place, step, db in SCALE_TICKS:
        error = step / 255
        assert db == pytest.approx(-20 * np.log10(error))
        assert 0 <= place <= 1
        same = heat_map(np.array([[error]]))[0, 0]
        colours = np.array(scale_colours(), float)
        at = place * (len(colours) - 1)
        assert np.abs(same - [np.interp(at, range(len(colours)), c) for c in colours.T]).max() < 1
