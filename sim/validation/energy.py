"""DRAM energies: per command from data-sheet currents, and per bit of whole traces on LPDDR4."""

from __future__ import annotations

from collections.abc import Iterator

from archsim.arch.dram import CommandEnergies, DramDevice, command_energies, load_device
from archsim.arch.dram.device import Currents
from archsim.arch.sourced import Sourced
from archsim.sim.dram.cycle.traces import formula_trace
from archsim.sim.dram.open_loop import Fidelity, serve_trace
from archsim.sim.validation.checks import Check
from archsim.sim.validation.dram_traces import REQUESTS, line_bits
from archsim.sim.validation.figures import figures
from archsim.sim.validation.inputs import Inputs
from archsim.sim.validation.row import Row

__all__ = ["CHECKS"]

_PART = "energy"
_PER_BIT = "core energy per bit"


def _command(device: DramDevice, energies: CommandEnergies, quantity: str) -> float:
    bits = 8 * device.burst_bytes
    found = {
        "activate and precharge": energies.activate_pj.value / 1e3,
        "read, core": energies.read_core_pj.value / bits,
        "read, I/O": energies.read_io_pj.value / bits,
        "write, core": energies.write_core_pj.value / bits,
        "write, I/O": energies.write_io_pj.value / bits,
        "active standby": energies.active_standby_mw.value,
        "precharge standby": energies.precharge_standby_mw.value,
        "power-down": energies.power_down_mw.value,
        "all-bank refresh": energies.refresh_pj.value / 1e3,
    }
    return found[quantity]


def commands(inputs: Inputs) -> Iterator[Row]:
    """Yield the energy of every command and state; a case is the name of a device table."""
    known = figures()
    for figure in known.of(_PART):
        if figure.quantity != _PER_BIT:
            device = load_device(figure.case)
            ours = _command(device, command_energies(device), figure.quantity)
            yield known.compare(figure, ours)


def _one_rail(device: DramDevice, rail: str) -> DramDevice:
    """Return a device that draws current from one rail of its core alone."""
    power = device.power
    if not isinstance(power, Currents):
        raise ValueError(f"{device.name} has no currents")
    nothing = Sourced(value=0.0, low=0.0, high=0.0, source="left out")
    alone = {
        "core": {rail: power.core[rail]}, "io": None,
        "io_read_pj_per_bit": nothing, "io_write_pj_per_bit": nothing,
    }  # fmt: skip
    return device.model_copy(update={"power": power.model_copy(update=alone)})


def _per_bit(device: DramDevice, mapping: str, key: str, fidelity: Fidelity) -> float:
    """Return the core energy per bit of a trace, without I/O: commands and standby."""
    requests = formula_trace(key, line_bits(device), REQUESTS)
    served = serve_trace(device, *requests, mapping=mapping, fidelity=fidelity)
    core_pj = sum(energy.value for part, energy in served.energy_pj.items() if part != "io")
    return core_pj / (REQUESTS * device.burst_bytes * 8)


def traces(inputs: Inputs) -> Iterator[Row]:
    """Yield the energy of whole traces.

    A case reads ``<model>, <device> <mapping> <trace>[, <rail> alone]``: simulators that know one
    supply are held against that rail's currents too.
    """
    known = figures()
    for figure in known.of(_PART, _PER_BIT):
        model, which, *rail = figure.case.split(", ")
        name, mapping, key = which.split(" ")
        device = load_device(name)
        if rail:
            device = _one_rail(device, rail[0].removesuffix(" alone"))
        fidelity: Fidelity = "cycle" if model == "cycle model" else "row"
        yield known.compare(figure, _per_bit(device, mapping, key, fidelity))


CHECKS = (
    Check(_PART, "DRAM commands", commands),
    Check(_PART, "whole traces on LPDDR4", traces),
)
