"""The filters' own code, run on numbers that count their operations, against the table."""

import math
import types
from collections import Counter

import numpy as np
import pytest

from archsim.traces.gs3d import harmonics, projection
from archsim.traces.gs3d.projection import RULES
from archsim.traces.gs3d.streaminggs import filters
from archsim.traces.gs3d.streaminggs.operations import (
    PUBLISHED_MACS,
    filter_macs,
    filter_operations,
    filter_steps,
)

TALLY = Counter()


class Number(float):
    """A float that depends on the Gaussian: operations on it are counted."""

    def __neg__(self):
        return Number(-float(self))

    def __abs__(self):
        return Number(abs(float(self)))


def counted(name, kind):
    plain = getattr(float, name)

    def method(self, other):
        TALLY[kind] += 1
        result = plain(self, float(other))
        return result if kind == "comparisons" else Number(result)

    return method


for operator, kind in (
    ("add", "additions"), ("sub", "additions"), ("mul", "multiplications"),
    ("truediv", "divisions"),
):  # fmt: skip
    for name in (f"__{operator}__", f"__r{operator}__"):
        setattr(Number, name, counted(name, kind))
for name in ("__lt__", "__le__", "__gt__", "__ge__"):
    setattr(Number, name, counted(name, "comparisons"))


def sqrt(value):
    if not isinstance(value, Number):
        return math.sqrt(value)
    TALLY["roots"] += 1
    return Number(math.sqrt(float(value)))


def rounded(function):
    def round_it(value):
        return Number(function(float(value))) if isinstance(value, Number) else function(value)

    return round_it


MATH = types.SimpleNamespace(sqrt=sqrt, ceil=rounded(math.ceil), floor=rounded(math.floor))
NUMPY = types.SimpleNamespace(
    float64=lambda value: value,
    inf=np.inf,
    empty=lambda shape, dtype: np.empty(shape, object),
)


def uncompiled(function, **replaced):
    """The Python source of a compiled function, with other globals."""
    plain = function.py_func
    names = {**plain.__globals__, "math": MATH, "np": NUMPY, **replaced}
    return types.FunctionType(plain.__code__, names, plain.__name__, plain.__defaults__)


def numbers(values):
    array = np.empty(np.shape(values), object)
    for place in np.ndindex(array.shape):
        array[place] = Number(np.asarray(values)[place])
    return array


POSE = np.eye(4).astype(object)  # plain floats: numpy's would not ask Number
POSE[2, 3] = 4.0
SCALES, QUAT, MEAN = [0.06, 0.15, 0.09], [0.9, 0.3, 0.2, 0.1], [0.1, -0.2, 0.3]


def count_coarse():
    view = filters._CoarseView(80.0, 84.0, 39.5, 29.5, -0.65, 0.65, -0.47, 0.47)
    out = np.empty((1, 4), object)
    TALLY.clear()
    uncompiled(filters._coarse_squares)(
        numbers([MEAN]), numbers([SCALES]), np.array([0]), POSE, view, RULES["inria"], 1e-9,
        2.0**29, (1 << 30, -1), out,
    )  # fmt: skip
    square = numbers(out.astype(float))
    passed = np.zeros((1, 2), object)
    fine = np.array([[0, 0, 4, 4]])
    uncompiled(filters._filter, prange=range)(
        0, 1, square, fine, np.array([0, 1]), np.array([[0, 0, 64, 64]]), np.array([0]), 16,
        passed, np.array([0, 1]), np.zeros(1, int), False,
    )  # fmt: skip
    assert passed.tolist() == [[1, 1]]
    return dict(TALLY)


def count_fine(degree):
    view = projection.View(
        80.0, 84.0, 40.0, 30.0, -0.65, 0.65, -0.47, 0.47, 0.0, 0.0, -4.0, 16, 5, 4
    )
    parameters = (
        numbers([MEAN]), numbers([SCALES]), numbers([QUAT]), numbers([0.5]),
        numbers(np.full((1, (degree + 1) ** 2, 3), 0.1)),
    )  # fmt: skip
    columns = tuple(np.empty((1, 4), object) for _ in range(9))
    columns = tuple(c[:, 0] if i in (0, 2, 6) else c for i, c in enumerate(columns))
    TALLY.clear()
    kept = uncompiled(
        projection._project_chunk,
        sh_colour=uncompiled(harmonics.sh_colour, sh_weights=uncompiled(harmonics.sh_weights)),
        covariance2d=uncompiled(
            projection.covariance2d,
            image_rows=uncompiled(projection.image_rows),
            principal_axis=uncompiled(projection.principal_axis),
        ),
        _clamped_floor=clamped_floor,
    )(0, 1, 2.0**30, parameters, POSE, view, RULES["inria"], columns)
    assert kept == 1
    return dict(TALLY)


def clamped_floor(value, most):
    # int() would end the counting: the two comparisons are as in the original
    return Number(math.floor(min(max(value, 0.0), float(most))))


def totals(steps):
    names = ("multiplications", "additions", "divisions", "roots", "comparisons")
    return {name: sum(getattr(step, name) for step in steps) for name in names}


def test_the_coarse_filter_executes_what_the_table_says():
    assert totals(filter_steps("coarse")) == count_coarse()


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_the_fine_filter_executes_what_the_table_says(degree):
    assert totals(filter_steps("fine", degree)) == count_fine(degree)


def test_the_counting_copy_of_the_clamp_is_the_code_s():
    for value, most in ((3.7, 10), (-2.0, 10), (1e30, 10)):
        assert clamped_floor(value, most) == projection._clamped_floor.py_func(value, most)


def test_totals_stand_beside_the_published():
    table = filter_operations(3).set_index(["filter", "step"])
    for which, published in PUBLISHED_MACS.items():
        total = table.loc[which, "total"]
        assert total["published_macs"] == published
        assert total["macs"] == filter_macs(which, 3)
        own = table.loc[which].drop("total")
        assert own["macs"].sum() == total["macs"]
        assert own["multiplications"].sum() == total["multiplications"]
    # the ratio is what the coarse filter is for
    assert filter_macs("coarse") < 0.25 * filter_macs("fine", 3)
    assert filter_macs("fine", 0) < filter_macs("fine", 3)
