"""The measured GPU tables: the fixed split, the readers, and the committed listing."""

from collections import Counter

import pytest

from archsim.sim.validation.gpu_measured import TABLES, role_of, split
from archsim.sim.validation.gpu_published import published
from archsim.sim.validation.inputs import Inputs, MissingInputError


def test_even_rows_are_fitted_and_odd_ones_checked():
    assert [role_of(index) for index in range(4)] == ["fit", "check", "fit", "check"]
    assert {role_of(index, predicted=True) for index in range(4)} == {"predicted"}


@pytest.mark.parametrize("name", TABLES)
def test_the_listing_is_what_the_rule_gives(name, data):
    rows = TABLES[name].rows(Inputs(data), name)
    assert dict(Counter(row.role for row in rows)) == split()[name]
    assert all(row.time_us > 0 and min(row.shape) >= 0 for row in rows)


def test_the_listing_names_every_table():
    assert set(split()) == set(TABLES)


def test_units_are_read_as_published(data):
    first = {name: table.rows(Inputs(data), name)[0] for name, table in TABLES.items()}
    # 101.7 TFLOPS printed beside 64 x 12288 x 12288
    work = 2 * 64 * 12288 * 12288
    assert first["a100 matmul"].time_us == pytest.approx(work / 101.7124e6, rel=1e-3)
    # 9.99556 elements per ns of 4096 x 32
    assert first["a100 softmax"].time_us == pytest.approx(4096 * 32 / 9.99556e3, rel=1e-4)
    # three projections in one figure
    assert first["a100 gpt-3 prefill"].time_us == pytest.approx(13721.8 / 3, rel=1e-4)
    assert first["rtx 3090 layers"].time_us == 2.642


def test_without_the_data_the_file_is_named():
    with pytest.raises(MissingInputError, match=r"matmul_A100\.csv"):
        TABLES["a100 matmul"].rows(Inputs(), "a100 matmul")


def test_jetson_modules_are_fitted_on_agx_and_checked_on_nano():
    rates = [figure for figure in published().jetson if figure.unit != "W"]
    roles = {(figure.machine, figure.role) for figure in rates}
    assert all(f.role == "fit" for f in published().jetson if f not in rates)  # one rail log
    assert roles == {("agx-orin-64gb", "fit"), ("orin-nano-8gb", "check")}
    assert sum(row.role == "check" for row in published().prefill.rows) == 4
