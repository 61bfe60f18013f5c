"""DRAM device tables: organisation, timing and energy with a source per value."""

from archsim.arch.dram.device import DramDevice, list_devices, load_device

__all__ = ["DramDevice", "list_devices", "load_device"]
