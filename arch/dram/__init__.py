"""DRAM device tables: organisation, timing and energy with a source per value."""

from archsim.arch.dram.device import DramDevice, list_devices, load_device
from archsim.arch.dram.energy import CommandEnergies, command_energies

__all__ = ["CommandEnergies", "DramDevice", "command_energies", "list_devices", "load_device"]
