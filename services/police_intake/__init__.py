"""The node of the police unit for domestic violence."""
