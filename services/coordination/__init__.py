"""The node of the Local Coordinating Mechanism's coordinator."""
