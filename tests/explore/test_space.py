"""The design space: points, conditions, links, and spaces that contradict themselves."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from archsim.explore.axis import Axis, Parameter
from archsim.explore.expression import Expression
from archsim.explore.space import Space, SpaceError


def space(links: dict[str, str] | None = None, **parameters: Parameter) -> Space:
    return Space(parameters, links)


def test_a_grid_has_every_point_once_the_last_parameter_fastest() -> None:
    both = space(a=Parameter(path="a", values=[1, 2]), b=Parameter(path="b", values=["x", "y"]))
    points = list(both.grid())
    assert points == [
        {"a": 1, "b": "x"}, {"a": 1, "b": "y"}, {"a": 2, "b": "x"}, {"a": 2, "b": "y"},
    ]  # fmt: skip
    assert both.size == 4


def test_a_conditional_parameter_exists_only_beside_its_values() -> None:
    tree = space(
        vq=Parameter(path="vq", values=[False, True]),
        entries=Parameter(path="entries", values=[256, 512], when={"vq": [True]}),
        bits=Parameter(path="bits", values=[4, 8], when={"entries": [512]}),
    )
    assert list(tree.grid()) == [
        {"vq": False}, {"vq": True, "entries": 256},
        {"vq": True, "entries": 512, "bits": 4}, {"vq": True, "entries": 512, "bits": 8},
    ]  # fmt: skip
    assert tree.size == 4
    many = {f"p{i}": Parameter(path=f"p{i}", values=list(range(100))) for i in range(20)}
    assert Space({**{n: a.parameter for n, a in tree.axes.items()}, **many}).size == 4 * 100**20
    assert tree.changed({"vq": False}, "vq", True) == {"vq": True, "entries": 256}
    assert not tree.contains({"vq": False, "entries": 256})


def test_links_and_options_set_several_paths() -> None:
    linked = space(
        {"m.ffu": "max(1, cfu // 4)", "m.width": "64 / cfu"},
        cfu=Parameter(path=["m.cfu", "n.cfu"], values=[2, 8]),
        dram=Parameter(options={"fast": {"m.device": "lpddr5", "m.channels": 2}}),
    )
    assert linked.settings({"cfu": 8, "dram": "fast"}) == {
        "m.cfu": 8, "n.cfu": 8, "m.device": "lpddr5", "m.channels": 2, "m.ffu": 2, "m.width": 8,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given_range", "levels"),
    [
        ({"range": [1, 2], "step": 0.25}, [1, 1.25, 1.5, 1.75, 2]),
        ({"range": [1, 5], "whole": True}, [1, 2, 3, 4, 5]),
        ({"log_range": [16384, 131072], "factor": 2}, [16384, 32768, 65536, 131072]),
        ({"range": [0.1, 0.3], "step": 0.1}, [0.1, 0.2, 0.3]),  # no dust of adding
    ],
)
def test_ranges_with_steps_are_counted(given_range: dict, levels: list) -> None:
    assert Axis("p", Parameter(path="p", **given_range)).levels == levels


@settings(deadline=None)
@given(st.floats(0, 1, exclude_max=True))
def test_continuous_axes_go_there_and_back(share: float) -> None:
    for parameter in (Parameter(path="p", range=(-2, 7)), Parameter(path="p", log_range=(1, 1e6))):
        axis = Axis("p", parameter)
        value = axis.at(share)
        assert axis.has(value)
        assert math.isclose(axis.share(value), share, abs_tol=1e-9)


@settings(deadline=None)
@given(st.data())
def test_neighbours_differ_in_one_parameter_and_lie_inside(data: st.DataObject) -> None:
    mixed = space(
        n=Parameter(path="n", values=[1, 2, 4, 8]),
        kind=Parameter(path="k", values=["x", "y", "z"]),
        f=Parameter(path="f", range=(0, 1)),
    )
    point = mixed.at({name: data.draw(st.floats(0, 0.999)) for name in mixed.axes})
    neighbours = mixed.neighbours(point)
    assert neighbours
    for other in neighbours:
        assert mixed.contains(other)
        assert sum(other[name] != point[name] for name in point) == 1


@pytest.mark.parametrize(
    ("parameter", "message"),
    [
        ({"path": "p"}, "expected exactly one of values, range, log_range and options, found none"),
        ({"path": "p", "values": [1], "range": [1, 2]}, "found values and range"),
        ({"values": [1]}, "missing path"),
        ({"path": "p", "options": {"a": {"x": 1}}}, "options name their own paths"),
        ({"path": "p", "values": [1, 2, 1]}, "1 is given twice"),
        ({"path": "p", "values": []}, "at least 1 item"),
        ({"path": "p", "range": [3, 2]}, "range [3.0, 2.0] is empty"),
        ({"path": "p", "log_range": [0, 2]}, "must be above zero"),
        ({"path": "p", "range": [1, 2], "factor": 2}, "factor belongs to a log_range"),
        ({"path": "p", "range": [0.5, 2], "whole": True}, "between whole numbers"),
    ],
)
def test_parameters_that_say_nothing_or_two_things(parameter: dict, message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Parameter(**parameter)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("parameters", "links", "message"),
    [
        ({}, {}, "is empty"),
        ({"a": {"path": "p", "values": [1]}, "b": {"path": "p", "values": [2]}}, {},
         "sets p, as a does"),
        ({"a": {"path": "p", "values": [1], "when": {"b": [2]}},
          "b": {"path": "q", "values": [2]}}, {}, "'b' is no parameter before 'a'"),
        ({"a": {"path": "p", "values": [1], "when": {"a": [1]}}}, {}, "no parameter before"),
        ({"aa": {"path": "p", "values": [1]},
          "b": {"path": "q", "values": [2], "when": {"ab": [1]}}}, {},
         "there is no parameter 'ab'"),
        ({"a": {"path": "p", "values": [1, 2]},
          "b": {"path": "q", "values": [2], "when": {"a": [3]}}}, {},
         "a never is 3, so b would never exist so"),
        ({"a": {"path": "p", "values": [1]}}, {"p": "2 * a"}, "parameter a sets this, too"),
        ({"a": {"path": "p", "values": [1]}}, {"q": "2 * c"}, "there is no parameter 'c'"),
        ({"a": {"path": "p", "values": ["x"]}}, {"q": "2 * a"}, "values that are no numbers"),
        ({"a": {"path": "p", "values": [1]}}, {"q": "__import__('os')"}, "not understood"),
        ({"a": {"path": "p", "range": [0, 1e9], "step": 1}}, {}, "use a larger step"),
    ],
)  # fmt: skip
def test_spaces_that_contradict_themselves(parameters: dict, links: dict, message: str) -> None:
    with pytest.raises(SpaceError) as caught:
        Space({name: Parameter(**p) for name, p in parameters.items()}, links)
    assert message in caught.value.message


def test_one_path_may_have_two_parameters_of_which_one_exists() -> None:
    small = {"path": "p", "values": [1], "when": {"k": ["x"]}}
    large = {"path": "p", "values": [2], "when": {"k": ["y"]}}
    both = space(
        k=Parameter(path="k", values=["x", "y"]), a=Parameter(**small), b=Parameter(**large)
    )
    assert [both.settings(p)["p"] for p in both.grid()] == [1, 2]


@pytest.mark.parametrize(
    ("text", "value"),
    [("2 * a + b % 3", 10), ("-a + max(b, 7)", 3), ("a / 8", 0.5), ("b ** 2 // 2", 12),
     ("round(b / 2)", 2), ("min(a, b, 1)", 1)],
)  # fmt: skip
def test_expressions_are_arithmetic(text: str, value: float) -> None:
    assert Expression(text)({"a": 4, "b": 5, "c": 0}) == value


def test_an_expression_that_divides_by_zero_says_so() -> None:
    with pytest.raises(ValueError, match="'1 // c' cannot be computed"):
        Expression("1 // c")({"c": 0})
