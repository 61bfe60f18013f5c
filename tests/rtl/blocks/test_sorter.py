"""The sorter beyond its bench: the network by the 0-1 principle, cycles in closed form, errors."""

import numpy as np
import pytest

from archsim.rtl.blocks.sorter import BitonicSorter
from archsim.rtl.blocks.sorting.network import BitonicNetwork, bitonic_layers
from archsim.rtl.tools.library import Library, RtlError, build_library
from archsim.rtl.verify.streams import lists_of
from archsim.sim.gs3d.streaminggs_sort import sort_passes

pytestmark = pytest.mark.rtl
BITS = 5


@pytest.fixture(scope="module")
def network() -> Library:
    return build_library(BitonicNetwork(width=16, bits=BITS))


def test_network_sorts_every_zero_one_set(network: Library) -> None:
    # then it sorts every set: Knuth, The Art of Computer Programming 3, 5.3.4, theorem Z
    codes = np.arange(1 << 16)
    sets = (codes[:, None] >> np.arange(16) & 1) * (2**BITS - 1)
    run = network.run({"i": sets}, expect={"o": len(sets)}, times=("o",))
    np.testing.assert_array_equal(run.outputs["o"], np.sort(sets, axis=1))
    assert run.times["o"][0] == BitonicNetwork(width=16, bits=BITS).latency == 10


def test_last_layers_sort_every_bitonic_zero_one_sequence(network: Library) -> None:
    run_of_ones = [[start <= n < start + length for n in range(16)]
                   for length in range(17) for start in range(17 - length)]  # fmt: skip
    sets = np.array(run_of_ones + [[not bit for bit in one] for one in run_of_ones]).astype(int)
    run = network.run({"bitonic": sets}, expect={"o": len(sets)}, times=("o",))
    np.testing.assert_array_equal(run.outputs["o"], np.sort(sets, axis=1))
    assert run.times["o"][0] == 4


@pytest.mark.parametrize("width", [2, 4, 8, 16, 32])
def test_comparators_are_those_of_the_model(width: int) -> None:
    stages = width.bit_length() - 1
    layers = bitonic_layers(width)
    assert len(layers) == stages * (stages + 1) // 2
    assert all(sorted(sum(layer, ())) == list(range(width)) for layer in layers)


def test_cycles_and_passes_have_a_closed_form() -> None:
    sorter = BitonicSorter(keys=16, key_bits=23, value_bits=11, entries=2048)
    library = build_library(BitonicSorter(keys=16, key_bits=23, value_bits=11, entries=2048))
    rng = np.random.default_rng(5)
    lengths = [1, 15, 16, 17, 32, 33, 64, 65, 129, 300, 1000, 2047, 2048]
    for length in lengths:
        one = lists_of(rng, [length], 23)
        run = library.run(one.inputs, expect={"o": length}, times=("i", "o"))
        waited = run.times["o"][0] - run.times["i"][-1]
        assert waited == sorter.cycles(length), f"a list of {length}"
        assert np.diff(run.times["o"]).max(initial=1) == 1  # then an item in every cycle
        # the model's passes: each block once, and once more for every level
        assert run.ports["passes"] == sort_passes(np.array([length])).total


def test_a_list_longer_than_the_memory_is_an_assertion() -> None:
    library = build_library(BitonicSorter(keys=8, key_bits=4, value_bits=4, entries=16))
    one = lists_of(np.random.default_rng(0), [16], 4)
    library.run(one.inputs, expect={"o": 16})
    longer = {name: np.append(c, 1) * (np.arange(17) != 15 if name == "last" else 1)
              for name, c in one.inputs["i"].items()}  # fmt: skip
    with pytest.raises(RtlError, match="a list is longer than the sorter's memory"):
        library.run({"i": longer}, expect={"o": 17})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"keys": 4, "entries": 64}, "keys must be a power of two of at least 8, not 4"),
        ({"keys": 12, "entries": 48}, "width must be a power of two of at least 2, not 12"),
        ({"keys": 8, "entries": 20}, "entries must be a multiple of 8 above it, not 20"),
        ({"keys": 8, "entries": 8}, "entries must be a multiple of 8 above it, not 8"),
    ],
)
def test_wrong_arguments_are_told(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BitonicSorter(key_bits=4, value_bits=4, **arguments)
