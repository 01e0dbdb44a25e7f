"""Policies of the coordinator's node: none. A person answers escalations."""

from handoff.domain.policies import Policy

POLICIES: tuple[Policy, ...] = ()
