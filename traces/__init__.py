"""Workloads to traces: readers, reference models, functional halves of methods, the cache."""
