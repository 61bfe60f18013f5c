"""Energy per DRAM command, from a device's supply currents or as the device states it.

From currents (Micron TN-41-01 and TN-40-07), summed over the rails of the core: an activate with
its precharge costs V (IDD0 tRC - IDD3N tRAS - IDD2N tRP), a burst V (IDD4 - IDD3N) tBurst, a
refresh V (IDD5 - IDD2N) tRFC, standby V IDD3N with a row open, V IDD2N without, V IDD2P in
power-down. The I/O rail counts apart for bursts, and joins the core elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass

from archsim.arch.dram.device import Currents, DramDevice, Rail
from archsim.arch.sourced import Sourced
from archsim.base.errors import ConfigError
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
        One burst.
    refresh_pj
        One all-bank refresh, beyond standby.
    active_standby_mw, precharge_standby_mw, power_down_mw
        Power with a row open, with all banks closed, and in power-down.
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
    """Return the energies of one channel of ``device``.

    They hold at every data rate: a slower burst draws less current for longer. Raises
    :class:`ConfigError` where the currents give a negative energy (IDD0 below IDD3N).
    """
    power = device.power
    bits = device.burst_bytes * 8
    if isinstance(power, Currents):
        return _from_currents(device, power, bits)
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


def _from_currents(device: DramDevice, power: Currents, bits: int) -> CommandEnergies:
    timing = device.timing
    tras, trp = timing.tras_ns.value, timing.trp_ns.value
    burst = device.organisation.burst_length.value / device.data_rate_mt_s.value * 1e3
    core = list(power.core.values())
    io = [] if power.io is None else [power.io]
    tolerance = power.tolerance.interval

    def total(rails: list[Rail], plus: _Terms, minus: _Terms) -> Interval:
        parts = [_rail(rail, plus, minus) for rail in rails]
        value = sum(p.value for p in parts)
        if value < 0:
            raise ConfigError(
                f"DRAM device {device.name}: its currents give a negative energy",
                remedy="state energies per command (`kind: energies`) instead",
            )
        low = max(sum(p.low for p in parts), 0.0)
        return Interval(value, low, sum(p.high for p in parts)) * tolerance

    def burst_io(of: str, per_bit: Sourced | None) -> Interval:
        if per_bit is not None:
            return per_bit.interval * bits
        return total(io, [(of, burst)], [("idd3n", burst)])

    return CommandEnergies(
        activate_pj=total(core + io, [("idd0", tras + trp)], [("idd3n", tras), ("idd2n", trp)]),
        read_core_pj=total(core, [("idd4r", burst)], [("idd3n", burst)]),
        read_io_pj=burst_io("idd4r", power.io_read_pj_per_bit),
        write_core_pj=total(core, [("idd4w", burst)], [("idd3n", burst)]),
        write_io_pj=burst_io("idd4w", power.io_write_pj_per_bit),
        refresh_pj=total(
            core + io, [("idd5", timing.trfc_ns.value)], [("idd2n", timing.trfc_ns.value)]
        ),
        active_standby_mw=total(core + io, [("idd3n", 1.0)], []),
        precharge_standby_mw=total(core + io, [("idd2n", 1.0)], []),
        power_down_mw=total(core + io, [("idd2p", 1.0)], []),
    )


_Terms = list[tuple[str, float]]  #: current and nanoseconds


def _rail(rail: Rail, plus: _Terms, minus: _Terms) -> Interval:
    """Return V (sum of plus currents x ns - sum of minus currents x ns): mA V ns are pJ."""
    volts = rail.volts

    def span(terms: _Terms) -> Interval:
        charge = Interval.exact(0.0)
        for current, ns in terms:
            milliamperes: Sourced = getattr(rail, f"{current}_ma")
            charge = charge + milliamperes.interval * ns
        return charge

    more, less = span(plus), span(minus)
    low, high = more.low - less.high, more.high - less.low
    return Interval(
        volts.value * (more.value - less.value),
        low * (volts.low if low > 0 else volts.high),
        high * (volts.high if high > 0 else volts.low),
    )
