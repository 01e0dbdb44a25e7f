"""Independent history checker: reads the record of a jurisdiction a second time and verifies the promises.

Shares no code with the product. Depends on the published JSON Schemas, PyNaCl and its own copy of the design's tables.
"""
