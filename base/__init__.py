"""What every room needs and nothing more: errors, units, YAML with places, content hashes."""
