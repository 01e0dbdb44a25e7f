"""The history checker: a second reading of the record, by which a whole jurisdiction is held to its promises.

It shares no code with the product: it has the published JSON Schemas, PyNaCl, and its own account of the design's
tables.
"""
