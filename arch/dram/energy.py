"""Energy of DRAM commands and states from a device table.

Micron's formulas (TN-41-01 for DDR3, TN-40-07 for DDR4), summed over the rails V of the core; the
I/O rail counts in bursts and standby:

- activate + precharge: V x (IDD0 x tRC - IDD3N x tRAS - IDD2N x tRP), with tRC = tRAS + tRP
- read burst: V x (IDD4R - IDD3N) x tBurst; write burst: V x (IDD4W - IDD3N) x tBurst
- all-bank refresh: V x (IDD5 - IDD2N) x tRFC
- standby: V x IDD3N with a row open, V x IDD2N precharged, V x IDD2P in power-down

mA x ns x V is pJ, and mA x V is mW. A burst's energy is taken at the device's own data rate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from archsim.arch.dram.device import Currents, DramDevice, Rail
from archsim.arch.sourced import Sourced
from archsim.base.interval import Interval

__all__ = ["CommandEnergies", "command_energies"]


@dataclass(frozen=True)
class CommandEnergies:
    """What commands and states of one channel cost.

    Attributes
    ----------
    activate_pj
        An activate and its precharge.
    read_core_pj, read_io_pj, write_core_pj, write_io_pj
        A whole burst.
    refresh_pj
        An all-bank refresh.
    active_standby_mw, precharge_standby_mw, power_down_mw
        The channel with a row open, with none, and asleep with none.
    """

    activate_pj: Interval
    read_core_pj: Interval
    read_io_pj: Interval
    write_core_pj: Interval
    write_io_pj: Interval
    refresh_pj: Interval
    active_standby_mw: Interval
    precharge_standby_mw: Interval
    power_down_mw: Interval


def command_energies(device: DramDevice) -> CommandEnergies:
    """Return what the commands and states of one channel of ``device`` cost."""
    power = device.power
    if isinstance(power, Currents):
        return _from_currents(device, power)
    bits = 8 * device.burst_bytes
    return CommandEnergies(
        activate_pj=power.activate_pj.interval,
        read_core_pj=power.read_core_pj_per_bit.interval * bits,
        read_io_pj=power.read_io_pj_per_bit.interval * bits,
        write_core_pj=power.write_core_pj_per_bit.interval * bits,
        write_io_pj=power.write_io_pj_per_bit.interval * bits,
        refresh_pj=power.refresh_pj.interval,
        active_standby_mw=power.active_standby_mw.interval,
        precharge_standby_mw=power.precharge_standby_mw.interval,
        power_down_mw=power.power_down_mw.interval,
    )


def _from_currents(device: DramDevice, power: Currents) -> CommandEnergies:
    t = device.timing
    tras, trp, trfc = t.tras_ns.value, t.trp_ns.value, t.trfc_ns.value
    burst_ns = device.burst_clocks * device.clock_ns
    core = list(power.core.values())
    everything = [*core, *([power.io] if power.io else [])]
    tolerance = power.tolerance.interval

    def total(rails: list[Rail], milliamps: Callable[[Rail], float]) -> Interval:
        return tolerance * sum(r.volts.value * milliamps(r) for r in rails)

    def burst(rails: list[Rail], current: Callable[[Rail], Sourced]) -> Interval:
        return total(rails, lambda r: (current(r).value - r.idd3n_ma.value) * burst_ns)

    def io(current: Callable[[Rail], Sourced], per_bit: Sourced | None) -> Interval:
        if power.io is not None:
            return burst([power.io], current)
        assert per_bit is not None  # the schema wants one or the other
        return per_bit.interval * (8 * device.burst_bytes)

    return CommandEnergies(
        activate_pj=total(
            core,
            lambda r: (
                r.idd0_ma.value * (tras + trp) - r.idd3n_ma.value * tras - r.idd2n_ma.value * trp
            ),
        ),
        read_core_pj=burst(core, lambda r: r.idd4r_ma),
        read_io_pj=io(lambda r: r.idd4r_ma, power.io_read_pj_per_bit),
        write_core_pj=burst(core, lambda r: r.idd4w_ma),
        write_io_pj=io(lambda r: r.idd4w_ma, power.io_write_pj_per_bit),
        refresh_pj=total(core, lambda r: (r.idd5_ma.value - r.idd2n_ma.value) * trfc),
        active_standby_mw=total(everything, lambda r: r.idd3n_ma.value),
        precharge_standby_mw=total(everything, lambda r: r.idd2n_ma.value),
        power_down_mw=total(everything, lambda r: r.idd2p_ma.value),
    )
