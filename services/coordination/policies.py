"""What the coordinator's node does by itself: nothing. An escalation is answered by a person."""

from handoff.domain.policies import Policy

POLICIES: tuple[Policy, ...] = ()
