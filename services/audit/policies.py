"""Policies of the audit's node: none. Its only events record reads."""

from handoff.domain.policies import Policy

POLICIES: tuple[Policy, ...] = ()
