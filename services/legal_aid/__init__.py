"""The node of the Agency for Free Legal Aid."""
