"""Every block against its model through the library: 10^5 random beats, corners, any stalls."""

import pytest

from archsim.rtl.verify.bench import Bench
from archsim.rtl.verify.measure import LEAST_TOGGLED, verify_block
from archsim.rtl.verify.table import BENCHES

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize("bench", BENCHES, ids=str)
def test_bits_bins_and_toggles(bench: Bench) -> None:
    verified = verify_block(bench)  # raises at the first bit that is not the model's
    assert verified.longest >= bench.beats
    assert verified.shortcomings() == []
    assert verified.toggles.fraction() >= LEAST_TOGGLED
