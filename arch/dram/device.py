"""The schema of a DRAM device table.

:mod:`archsim.arch.dram.timing` names its timing values and turns them into clocks.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Annotated, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from archsim.arch.dram.timing import check_timing
from archsim.arch.sourced import Sourced
from archsim.base.errors import ConfigError
from archsim.base.shipped import list_shipped

__all__ = [
    "Currents",
    "DramDevice",
    "Energies",
    "Organisation",
    "Rail",
    "list_devices",
    "load_device",
]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Organisation(_Part):
    """One channel: a rank of devices that act together, all banks of one die."""

    density_gbit: Sourced = Field(description="of one device, or of one channel of it")
    devices: Sourced = Field(description="devices of the rank; currents are those of one")
    width_bits: Sourced = Field(description="data pins of the channel")
    burst_length: Sourced = Field(description="beats of a burst")
    beats_per_clock: Sourced = Field(description="data beats per command clock")
    bank_groups: Sourced
    banks_per_group: Sourced
    page_bytes: Sourced = Field(description="bytes of an open row, all devices together")


class Rail(_Part):
    """Supply currents of one rail, in mA, by the JEDEC names of the measuring conditions."""

    volts: Sourced
    idd0_ma: Sourced = Field(description="activate and precharge in turn, every tRC")
    idd2n_ma: Sourced = Field(description="all banks precharged, standby")
    idd3n_ma: Sourced = Field(description="a row open, standby")
    idd4r_ma: Sourced = Field(description="reading without a gap")
    idd4w_ma: Sourced = Field(description="writing without a gap")
    idd5_ma: Sourced = Field(description="refreshing without a gap")
    idd2p_ma: Sourced = Field(description="all banks precharged, power-down")


class Currents(_Part):
    """Energy from supply currents (Micron TN-41-01 and TN-40-07)."""

    kind: Literal["currents"]
    core: dict[str, Rail] = Field(description="rails of the core")
    io: Rail | None = Field(description="the I/O rail; None where no currents are published")
    io_read_pj_per_bit: Sourced | None = Field(
        default=None, description="I/O energy of a read where the I/O rail has no currents"
    )
    io_write_pj_per_bit: Sourced | None = Field(default=None, description="the same of a write")
    one_bank_share: Sourced | None = Field(
        default=None,
        description="share of IDD3N - IDD2N that one open bank draws while IDD0 is measured; "
        "without it all of it, as in Micron's formula",
    )
    tolerance: Sourced = Field(description="factor on every energy from currents")

    @model_validator(mode="after")
    def _io_one_way(self) -> Currents:
        per_bit = (self.io_read_pj_per_bit is None, self.io_write_pj_per_bit is None)
        if per_bit != ((self.io is not None),) * 2:
            raise ValueError("give either the io rail, or io_read and io_write_pj_per_bit")
        return self


class Energies(_Part):
    """Energy per command, for devices without published currents."""

    kind: Literal["energies"]
    activate_pj: Sourced = Field(description="an activate and its precharge")
    read_core_pj_per_bit: Sourced
    read_io_pj_per_bit: Sourced
    write_core_pj_per_bit: Sourced
    write_io_pj_per_bit: Sourced
    refresh_pj: Sourced = Field(description="an all-bank refresh")
    active_standby_mw: Sourced
    precharge_standby_mw: Sourced
    power_down_mw: Sourced


class DramDevice(_Part):
    """A DRAM device: organisation, timing and energy of one channel, a source per value."""

    name: str
    title: str
    standard: Literal["LPDDR3", "LPDDR4", "LPDDR5", "DDR4", "DDR5", "HBM2", "GDDR6"]
    data_rate_mt_s: Sourced = Field(description="million transfers per second and pin")
    organisation: Organisation
    timing: Annotated[dict[str, Sourced], AfterValidator(check_timing)] = Field(
        description="by the names of archsim.arch.dram.timing, each with its unit: tcl_ns"
    )
    power: Annotated[Currents | Energies, Field(discriminator="kind")]
    notes: list[str] = []

    @property
    def burst_bytes(self) -> int:
        """Bytes of one burst: what one column command moves."""
        o = self.organisation
        return int(o.width_bits.value * o.burst_length.value) // 8

    @property
    def burst_clocks(self) -> int:
        """Clocks that one burst holds the data pins."""
        o = self.organisation
        return int(o.burst_length.value / o.beats_per_clock.value)

    @property
    def clock_ns(self) -> float:
        """One command clock at the device's own data rate."""
        return self.organisation.beats_per_clock.value * 1e3 / self.data_rate_mt_s.value

    @property
    def banks(self) -> int:
        """Banks of the channel, in all bank groups."""
        return int(self.organisation.bank_groups.value * self.organisation.banks_per_group.value)

    def bandwidth_gb_s(self, data_rate_mt_s: float | None = None) -> float:
        """Return the peak bandwidth of one channel in GB/s, at another data rate if given."""
        rate = self.data_rate_mt_s.value if data_rate_mt_s is None else data_rate_mt_s
        return rate * self.organisation.width_bits.value / 8e3

    def clocks(self, ns: float, data_rate_mt_s: int) -> int:
        """Return whole clocks of ``data_rate_mt_s`` that last at least ``ns``."""
        return -(-round(ns * 1000) * data_rate_mt_s // int(self.organisation.beats_per_clock.value)
                 // 10**6)  # fmt: skip

    def clocks_to_ps(self, clocks: int, data_rate_mt_s: int) -> int:
        """Return the duration of ``clocks`` at ``data_rate_mt_s`` in picoseconds, rounded up."""
        beats = int(self.organisation.beats_per_clock.value)
        return -(-clocks * beats * 10**6 // data_rate_mt_s)


def list_devices() -> list[str]:
    """Return the names of all device tables."""
    return list_shipped("archsim.arch.dram")


@cache
def load_device(name: str) -> DramDevice:
    """Return the device table ``name``; :class:`ConfigError` lists the known ones."""
    if name not in list_devices():
        raise ConfigError(
            f"there is no DRAM device {name!r}",
            remedy=f"use one of: {', '.join(list_devices())}",
        )
    text = (resources.files("archsim.arch.dram") / f"{name}.yaml").read_text("utf-8")
    return DramDevice.model_validate(yaml.safe_load(text))
