"""The audit's node: who reads across institutions, for what, and what the record says of a case."""
