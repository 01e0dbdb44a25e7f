"""What the exchange works out of bytes alone, remembered from intake until routing reads the same bytes back.

Each checks for itself, and only routing's word is final. What is remembered is found by the bytes themselves, so that
it is no trust in whoever asked first.
"""

from functools import lru_cache

from handoff.domain import examine
from handoff.record import signing

# More than lies between the two while a backlog is worked off; some 4 KiB each, 16 at most.
_REMEMBERED = 4096

read = lru_cache(_REMEMBERED)(examine.read)
verifies = lru_cache(_REMEMBERED)(signing.verifies)
