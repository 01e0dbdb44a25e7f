"""Exports of a case's timeline: a table, an event log for process mining, a printable list."""
