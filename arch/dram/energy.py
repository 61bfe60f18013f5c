"""Energy of DRAM commands and states from a device table.

Micron's formulas (TN-41-01 for DDR3, TN-40-07 for DDR4), summed over the rails V of the core; the
I/O rail counts in bursts and standby:

- activate + precharge: V x (IDD0 x tRC - IDD3N x tRAS - IDD2N x tRP), with tRC = tRAS + tRP.
  Where IDD0 lies below IDD3N (DDR5), which is measured with all banks open, IDD3N is replaced by
  what one open bank draws, IDD2N + share x (IDD3N - IDD2N): DRAMPower's bank-wise form
- read burst: V x (IDD4R - IDD3N) x tBurst; write burst: V x (IDD4W - IDD3N) x tBurst
- all-bank refresh: V x (IDD5 - IDD2N) x tRFC; a per-bank refresh its share of it, as an interval
  tREFI refreshes the same rows either way
- standby: V x IDD3N with a row open, V x IDD2N precharged, V x IDD2P in power-down

mA x ns x V is pJ, and mA x V is mW. Currents are those of one device; all devices of the rank
count. A burst's energy is taken at the device's own data rate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from archsim.arch.dram.device import Currents, DramDevice, Rail
from archsim.arch.dram.timing import duration_ns, resolve
from archsim.arch.sourced import Sourced
from archsim.base.interval import Interval

__all__ = ["CommandEnergies", "command_energies", "energy_breakdown_pj"]


@dataclass(frozen=True)
class CommandEnergies:
    """What commands and states of one channel cost.

    Attributes
    ----------
    activate_pj
        An activate and its precharge.
    read_core_pj, read_io_pj, write_core_pj, write_io_pj
        A whole burst.
    refresh_pj, bank_refresh_pj
        An all-bank and a per-bank refresh.
    active_standby_mw, precharge_standby_mw, power_down_mw
        The channel with a row open, with none, and asleep with none.
    """

    activate_pj: Interval
    read_core_pj: Interval
    read_io_pj: Interval
    write_core_pj: Interval
    write_io_pj: Interval
    refresh_pj: Interval
    bank_refresh_pj: Interval
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
        bank_refresh_pj=power.refresh_pj.interval * _bank_share(device),
        active_standby_mw=power.active_standby_mw.interval,
        precharge_standby_mw=power.precharge_standby_mw.interval,
        power_down_mw=power.power_down_mw.interval,
    )


def energy_breakdown_pj(
    device: DramDevice, counts: Mapping[str, int], state_ps: Mapping[str, int]
) -> dict[str, Interval]:
    """Return the energy of a run by command and state, in pJ: the same for every DRAM model.

    Parameters
    ----------
    counts
        Commands of all channels together, by the names ``activates`` (each with its precharge),
        ``read_bursts``, ``write_bursts``, ``refreshes`` (of all banks) and ``bank_refreshes``.
    state_ps
        Time that channels spent, summed over the channels: ``active`` (a row open), ``precharged``
        and ``power_down``. Time that may have been spent in power-down but is not known to,
        ``idle``, counts as precharged, with power-down as its low end.

    Raises :class:`ValueError` for a name not listed here.
    """
    known = {"activates", "read_bursts", "write_bursts", "refreshes", "bank_refreshes"}
    states = {"active", "precharged", "power_down", "idle"}
    unknown = sorted((set(counts) - known) | (set(state_ps) - states))
    if unknown:
        raise ValueError(f"{unknown[0]!r} is no DRAM command or state with an energy")
    cost = command_energies(device)
    idle = cost.precharge_standby_mw
    idle = Interval(idle.value, min(idle.low, cost.power_down_mw.low), idle.high)

    def times(energy: Interval, name: str) -> Interval:
        return energy * counts.get(name, 0)

    def spent(power_mw: Interval, state: str) -> Interval:
        return power_mw * (state_ps.get(state, 0) * 1e-3)  # mW x ps is 1e-3 pJ

    return {
        "activate": times(cost.activate_pj, "activates"),
        "read": times(cost.read_core_pj, "read_bursts"),
        "write": times(cost.write_core_pj, "write_bursts"),
        "io": times(cost.read_io_pj, "read_bursts") + times(cost.write_io_pj, "write_bursts"),
        "refresh": times(cost.refresh_pj, "refreshes")
        + times(cost.bank_refresh_pj, "bank_refreshes"),
        "standby": spent(cost.active_standby_mw, "active")
        + spent(cost.precharge_standby_mw, "precharged")
        + spent(idle, "idle")
        + spent(cost.power_down_mw, "power_down"),
    }


def _bank_share(device: DramDevice) -> float:
    """Return a per-bank refresh's share of an all-bank one; one in as many as there are banks."""
    interval = resolve(device)
    return interval.get("nREFIpb", interval["nREFI"] / device.banks) / interval["nREFI"]


def _from_currents(device: DramDevice, power: Currents) -> CommandEnergies:
    tras, trp, trfc = (duration_ns(device, time) for time in ("tras", "trp", "trfc"))
    burst_ns = device.burst_clocks * device.clock_ns
    core = list(power.core.values())
    everything = [*core, *([power.io] if power.io else [])]
    devices = device.organisation.devices.value
    tolerance = power.tolerance.interval

    def total(rails: list[Rail], milliamps: Callable[[Rail], float]) -> Interval:
        return tolerance * (devices * sum(r.volts.value * milliamps(r) for r in rails))

    def burst(rails: list[Rail], current: Callable[[Rail], Sourced]) -> Interval:
        return total(rails, lambda r: (current(r).value - r.idd3n_ma.value) * burst_ns)

    def io(current: Callable[[Rail], Sourced], per_bit: Sourced | None) -> Interval:
        if power.io is not None:
            return burst([power.io], current)
        assert per_bit is not None  # the schema wants one or the other
        return per_bit.interval * (8 * device.burst_bytes)

    def activate(share: float) -> Interval:
        def milliamps(r: Rail) -> float:
            standby = r.idd2n_ma.value
            opened = standby + share * (r.idd3n_ma.value - standby)
            return r.idd0_ma.value * (tras + trp) - opened * tras - standby * trp

        return total(core, milliamps)

    share = Interval.exact(1) if power.one_bank_share is None else power.one_bank_share.interval
    refresh = total(core, lambda r: (r.idd5_ma.value - r.idd2n_ma.value) * trfc)
    return CommandEnergies(
        # the more of IDD3N one bank draws, the less is left for the activate
        activate_pj=Interval(
            activate(share.value).value, activate(share.high).low, activate(share.low).high
        ),
        read_core_pj=burst(core, lambda r: r.idd4r_ma),
        read_io_pj=io(lambda r: r.idd4r_ma, power.io_read_pj_per_bit),
        write_core_pj=burst(core, lambda r: r.idd4w_ma),
        write_io_pj=io(lambda r: r.idd4w_ma, power.io_write_pj_per_bit),
        refresh_pj=refresh,
        bank_refresh_pj=refresh * _bank_share(device),
        active_standby_mw=total(everything, lambda r: r.idd3n_ma.value),
        precharge_standby_mw=total(everything, lambda r: r.idd2n_ma.value),
        power_down_mw=total(everything, lambda r: r.idd2p_ma.value),
    )
