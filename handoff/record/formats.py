"""Versions of the byte formats that outlive a release, in one table.

Each mark is the first bytes of what is hashed or signed, so that bytes of one format or version are never accepted as
another. A changed format gets a new mark here, and readers of the old one keep it. Event types carry their version in
their own name (``handoff.record.events``). Leaf hashes have no mark: RFC 6962 defines them.
"""

from typing import Final

EVENT_PAYLOAD: Final = b"application/vnd.handoff.event+json; v=1"
"""DSSE payload type of a signed event."""

KEY_POSSESSION: Final = b"application/vnd.handoff.key-possession; v=1"
"""DSSE payload type of the statement by which a key proves possession."""

DELIVERY: Final = b"handoff/delivery/v1\n"
"""Prefix of the statement by which the exchange delivers an inbox entry."""

DELIVERY_ROOT: Final = b"application/vnd.handoff.delivery-root; v=1"
"""DSSE payload type of the Merkle root over the statements of one batch of a relay."""

RECORD_HASH: Final = b"handoff/record/v1\n"
"""Prefix of the content hash of a record entry."""

ENTRY: Final = b"handoff/entry/v1\n"
"""First bytes of a log entry, the content of a leaf."""

TAG: Final = b"handoff/tag/v2\n"
"""Prefix of the hash that is the tag of a record key."""

VERDICTS: Final = b"handoff/verdicts/v1\n"
"""Prefix of what a digest of verdicts hashes."""

VERDICT_STATEMENT: Final = b"application/vnd.handoff.verdict-statement; v=1"
"""DSSE payload type of the monitor's signed digest of verdicts."""

MONITOR_SNAPSHOT: Final = b"application/vnd.handoff.monitor-snapshot; v=1"
"""DSSE payload type of the hash of a monitor's stored state, which only the monitor itself reads."""

RECEIPT: Final = "handoff/receipt/v2"
"""First line of a receipt."""

BUNDLE: Final = "handoff/bundle/v2"
"""Format of a case bundle, in its manifest."""
