"""The node of a shelter."""
