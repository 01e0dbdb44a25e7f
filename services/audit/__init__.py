"""The audit's node: cases across institutions for auditors, with every read recorded."""
