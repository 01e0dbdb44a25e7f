"""Replay: the state of a case at any moment and the auditor's questions about it, as pure folds of the record."""
