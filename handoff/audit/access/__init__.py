"""Access to cases: the caller is authenticated and the read recorded before content of a case is sent."""
