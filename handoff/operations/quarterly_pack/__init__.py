"""Quarterly pack: the figures of a quarter as files to take away, equal to the byte for the same record."""
