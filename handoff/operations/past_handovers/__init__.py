"""Import of past handovers from event logs, as a baseline of figures: never onto the record."""
