import pytest
import yaml

from archsim.arch.load import list_machines, load_machine, power_mode
from archsim.arch.machine import Accelerator, Gpu
from archsim.arch.operations import load_operations
from archsim.arch.sram import buffer_cost
from archsim.base.errors import ConfigError

ACCELERATOR = """\
kind: accelerator
name: tiny
title: a machine for tests
node_nm: {value: 28, range: exact, source: test}
clock_mhz: {value: 1 GHz, range: exact, source: test}
sram_cell: itrs-hp
operations: horowitz-45nm
units:
  adder:
    count: {value: 2, range: exact, source: test}
    initiation_interval_cycles: {value: 1, range: exact, source: test}
    latency_cycles: {value: 4, range: exact, source: test}
    area_mm2: {value: 5000 um2, range: [4000 um2, 6000 um2], source: test}
buffers:
  line:
    capacity_bytes: {value: 32 KiB, range: exact, source: test}
    word_bits: {value: 256, range: exact, source: test}
    banks: {value: 1, range: exact, source: test}
memory:
  device: lpddr4-3200
  channels: {value: 8, range: exact, source: test}
  interleave_bytes: {value: 256, range: exact, source: test}
  mapping: row-bank-column
  outstanding_streams: {value: 16, range: exact, source: test}
  controller_byte_pj: {value: 25, range: [2, 50], source: test}
"""


@pytest.fixture
def load(tmp_path):
    def load_text(text):
        path = tmp_path / "tiny.yaml"
        path.write_text(text)
        return load_machine(str(path))

    return load_text


def refused(load, old, new):
    assert old in ACCELERATOR
    with pytest.raises(ConfigError) as caught:
        load(ACCELERATOR.replace(old, new, 1))
    return caught.value


@pytest.mark.parametrize("name", list_machines())
def test_every_shipped_machine_loads_and_what_it_names_exists(name):
    machine = load_machine(name)
    assert machine.name == name
    if isinstance(machine, Gpu):
        assert machine.default_mode in machine.modes
    else:
        assert load_operations(machine.operations).names
        for buffer in machine.buffers.values():
            cost = buffer_cost(buffer, machine.node_nm.value, machine.sram_cell)
            assert cost.area_mm2.low > 0


def test_the_shipped_machines():
    jetson = {"agx-orin-32gb", "agx-orin-64gb", "orin-nano-4gb", "orin-nano-8gb", "orin-nx-8gb",
              "orin-nx-16gb", "xavier-nx"}  # fmt: skip
    calibration = {"a100-80gb", "h100-sxm", "rtx-3090", "rtx-4090", "rtx-a6000"}
    accelerators = {"gscore", "gscore-16", "streaminggs", "streaminggs-pair-filter"}
    assert set(list_machines()) == jetson | calibration | accelerators


def test_a_machine_file_is_loaded_by_path_with_units_in_its_values(load):
    machine = load(ACCELERATOR)
    assert isinstance(machine, Accelerator)
    assert machine.clock_mhz.value == 1000
    assert machine.buffers["line"].capacity_bytes.value == 32768
    assert machine.units["adder"].area_mm2.interval.low == pytest.approx(0.004)


def test_an_unknown_machine_gives_the_nearest_name():
    with pytest.raises(ConfigError, match="unknown machine 'orin-nx-16'") as caught:
        load_machine("orin-nx-16")
    assert "did you mean 'orin-nx-16gb'?" in caught.value.remedy


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot read: No such file"):
        load_machine(str(tmp_path / "none.yaml"))


def test_an_unknown_key_gives_line_path_and_nearest_key_with_its_unit(load):
    error = refused(load, "title: a", "clock_mzh: 3\ntitle: a")
    assert error.place.endswith("tiny.yaml:3")
    assert error.message == "clock_mzh: unknown key"
    assert error.remedy == "did you mean 'clock_mhz'? (in MHz)"


def test_a_wrong_unit_gives_line_path_found_and_expected(load):
    error = refused(load, "value: 32 KiB", "value: 32 MHz")
    assert error.place.endswith("tiny.yaml:16")
    assert error.message == (
        "buffers.line.capacity_bytes.value: found '32 MHz', expected a number in B or text with "
        "one of the units B, kB, MB, GB, KiB, MiB, GiB"
    )


def test_a_wrong_type_gives_line_path_and_unit(load):
    error = refused(
        load, "latency_cycles: {value: 4, range: exact, source: test}", "latency_cycles: 4"
    )
    assert error.place.endswith("tiny.yaml:12")
    assert "units.adder.latency_cycles: found 4, expected a mapping" in error.message
    assert "in cycles" in error.message


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "count: {value: 2,",
            "count: {value: 2.5,",
            "units.adder.count: found 2.5, expected a whole number of at least 1",
        ),
        (
            "count: {value: 2,",
            "count: {value: 0,",
            "units.adder.count: found 0, expected a whole number of at least 1",
        ),
        ("value: 1 GHz", "value: 0 GHz", "clock_mhz: found 0, expected a number above 0"),
        (
            "device: lpddr4-3200",
            "device: lpddr4-320",
            "memory.device: unknown DRAM device 'lpddr4-320'; did you mean 'lpddr4-3200'?",
        ),
        (
            "operations: horowitz-45nm",
            "operations: horowitz",
            "operations: unknown operation library 'horowitz'; did you mean 'horowitz-45nm'?",
        ),
        ("  line:", "  adder:", "'adder' is both a unit and a buffer; rename one of them"),
    ],
)
def test_what_no_machine_can_have_is_refused(load, old, new, message):
    assert refused(load, old, new).message == message


def test_a_default_mode_must_be_a_mode(load):
    text = yaml.safe_dump({**load_machine("orin-nx-16gb").model_dump(), "default_mode": "MAXM"})
    with pytest.raises(ConfigError, match="default_mode 'MAXM' is none of the modes") as caught:
        load(text)
    assert "did you mean 'MAXN'?" in caught.value.message


def test_a_missing_key_is_named_with_its_unit(load):
    error = refused(load, "clock_mhz: {value: 1 GHz, range: exact, source: test}\n", "")
    assert error.message == "clock_mhz: missing (in MHz)"


def test_a_machine_of_unknown_kind_is_refused(load):
    error = refused(load, "kind: accelerator", "kind: acelerator")
    assert "unknown kind 'acelerator'" in error.message
    assert error.remedy == "did you mean 'accelerator'?"


def test_an_unknown_cell_is_refused(load):
    error = refused(load, "sram_cell: itrs-hp", "sram_cell: itrs-hq")
    assert error.remedy == "did you mean 'itrs-hp'?"


def test_power_modes(load):
    gpu, accelerator = load_machine("orin-nx-16gb"), load(ACCELERATOR)
    assert power_mode(gpu, None) == gpu.default_mode == "15W"
    assert power_mode(gpu, "MAXN") == "MAXN"
    assert power_mode(accelerator, None) is None
    with pytest.raises(ConfigError, match="orin-nx-16gb has no power mode 'MAXM'") as caught:
        power_mode(gpu, "MAXM")
    assert caught.value.remedy == "did you mean 'MAXN'?"
    with pytest.raises(ConfigError, match="tiny has no power modes"):
        power_mode(accelerator, "MAXN")


LIKE = """
like: gscore
name: two-cores
title: "half a GSCore"
set:
  units.ccu.count: {value: 2, range: exact, source: test}
notes: ["a note of its own"]
"""


def test_a_machine_may_be_like_another(tmp_path):
    path = tmp_path / "two.yaml"
    path.write_text(LIKE)
    machine, other = load_machine(str(path)), load_machine("gscore")
    assert (machine.name, machine.units["ccu"].count.value) == ("two-cores", 2)
    assert machine.notes == (*other.notes, "a note of its own")
    assert machine.units["vru"] == other.units["vru"]
    assert load_machine("gscore").units["ccu"].count.value == 4  # the other stays as it is


@pytest.mark.parametrize(
    ("found", "changed", "expected"),
    [
        ("like: gscore", "like: gscor", "two.yaml:2: like: unknown machine 'gscor'\n  remedy: did"),
        ("units.ccu.count:", "units.cu.count:", "two.yaml:6: units has no 'cu'"),
        ('title: "half', 'units: {}\ntitle: "half', "a machine like another has like, name, title"),
        ("value: 2,", "value: 0,", "two.yaml:6: units.ccu.count: found 0"),
    ],
)
def test_what_is_wrong_with_a_machine_like_another_is_named(tmp_path, found, changed, expected):
    path = tmp_path / "two.yaml"
    path.write_text(LIKE.replace(found, changed))
    with pytest.raises(ConfigError) as error:
        load_machine(str(path))
    assert expected in str(error.value)
