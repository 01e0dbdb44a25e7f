"""The audit: who may read across agencies, what a case was at any moment, and the proof of it."""
