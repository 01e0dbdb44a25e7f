"""The monitor: it recomputes the tree from the record itself and cosigns only what it found."""
