"""Every block against its model through the library: 10^5 random beats, corners, any stalls."""

import numpy as np
import pytest

from archsim.rtl.tools.library import Library, build_library
from archsim.rtl.verify.bench import Bench, Seen, check
from archsim.rtl.verify.table import BENCHES
from archsim.rtl.verify.toggles import Toggles

pytestmark = pytest.mark.rtl
#: Stalls of every stream, or of one side only, in percent; the last makes gaps of many cycles.
STALLS = (0, 30, {"i": 60}, {"o": 60}, 95)
SMALL_BEATS = 2_000


@pytest.fixture(scope="module", params=BENCHES, ids=str)
def built(request: pytest.FixtureRequest) -> tuple[Bench, object, Library]:
    bench = request.param
    return bench, bench.make(), build_library(bench.make())


@pytest.fixture(scope="module")
def seen(built: tuple[Bench, object, Library]) -> list[Seen]:
    """What all runs of a block showed; that they ran means that the model agreed."""
    bench, component, library = built
    rng = np.random.default_rng(1)
    given = [(one, stall) for one in bench.directed() for stall in (0, 40)]
    given += [(bench.random(rng, SMALL_BEATS), stall) for stall in STALLS]
    given += [(bench.random(rng, bench.beats), 10)]
    return [
        check(bench, component, library, one, stall_percent=stall, seed=seed)
        for seed, (one, stall) in enumerate(given)
    ]


def test_the_model_agrees_bit_for_bit(built: tuple, seen: list[Seen]) -> None:
    bench = built[0]
    assert max(one.beats for run in seen for one in run.run.streams.values()) >= bench.beats


def test_every_bin_is_hit(built: tuple, seen: list[Seen]) -> None:
    missed = [name for name, hit in built[0].bins.items() if not any(hit(one) for one in seen)]
    assert not missed


def test_ports_toggle(built: tuple, seen: list[Seen]) -> None:
    bench, _, library = built
    toggles = Toggles(library.interface)
    for one in seen:
        toggles.add(one.packed, one.run.streams)
    assert toggles.missing(bench.cannot_toggle) == []
    assert toggles.fraction() >= 0.95


def test_bits_said_not_to_toggle_do_not(built: tuple, seen: list[Seen]) -> None:
    bench, _, library = built
    toggles = Toggles(library.interface)
    for one in seen:
        toggles.add(one.packed, one.run.streams)
    still = {bit.split(":")[0] for bit in toggles.missing()} | set(toggles.missing())
    assert set(bench.cannot_toggle) <= still
