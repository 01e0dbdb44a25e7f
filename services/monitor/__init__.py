"""The monitor: it recomputes the tree from the record and cosigns only a checkpoint with the same root."""
