"""Configurations shipped with the package, as YAML."""
