"""DRAM device tables: organisation, timing and energy with a source per value."""

from archsim.arch.dram.device import DramDevice, list_devices, load_device
from archsim.arch.dram.energy import CommandEnergies, command_energies, energy_breakdown_pj
from archsim.arch.dram.timing import device_clocks, resolve

__all__ = [
    "CommandEnergies",
    "DramDevice",
    "command_energies",
    "device_clocks",
    "energy_breakdown_pj",
    "list_devices",
    "load_device",
    "resolve",
]
