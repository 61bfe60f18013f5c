"""Studies: design space, searchers, result store, executors, Pareto fronts, sensitivity."""
