"""Machine descriptions: schema, sourced constants, DRAM devices, energy, area, scaling."""
