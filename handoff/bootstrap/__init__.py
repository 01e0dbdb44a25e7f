"""The place that wires: functions that build each process from its settings. Tests call the same functions.

One module for each kind of process, so that an exchange does not load what only a node needs. Every part that a test
replaces is a parameter: clock, source of ids, publisher, connection pool.
"""
