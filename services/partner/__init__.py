"""The node of a partner that joined by configuration alone."""
