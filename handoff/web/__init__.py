"""The HTTP API of a node: what the APIs of every member share."""
