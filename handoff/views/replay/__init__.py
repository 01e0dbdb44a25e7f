"""Replay: a case as it was at any moment, and what an auditor asks of it. Pure folds of what stands on the record."""
