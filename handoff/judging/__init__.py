"""Verdicts computed again from raw records: what an auditor sees is what is proven."""
