"""Cache of decoding and verification results, from intake until routing reads the same bytes.

Intake and routing each check, and routing decides. The cache key is the content itself, so that routing does not rely
on intake's result for other bytes.
"""

from functools import lru_cache

from handoff.domain import examine
from handoff.record import signing

# More entries than lie between intake and routing during a backlog. About 4 KiB each, at most 16.
_REMEMBERED = 4096

read = lru_cache(_REMEMBERED)(examine.read)
verifies = lru_cache(_REMEMBERED)(signing.verifies)
