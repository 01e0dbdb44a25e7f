"""Policies of the Agency for Free Legal Aid's node: it confirms delivery. A lawyer gives every answer."""

from handoff.domain.policies import CONFIRM_DELIVERY

POLICIES = (CONFIRM_DELIVERY,)
