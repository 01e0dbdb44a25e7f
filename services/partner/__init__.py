"""The node of a partner, which joins with a configuration file and no code."""
