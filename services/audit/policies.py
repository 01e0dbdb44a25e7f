"""What the audit's node does by itself: nothing. It reads, and says who read."""

from handoff.domain.policies import Policy

POLICIES: tuple[Policy, ...] = ()
