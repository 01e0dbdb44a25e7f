"""Board of the coordinator: pure folds over handoffs that have an opaque reference and no case."""
