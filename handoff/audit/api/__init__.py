"""The HTTP API about cases and receipts."""
