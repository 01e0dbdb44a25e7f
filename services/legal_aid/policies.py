"""What the Agency for Free Legal Aid's node does by itself: every answer is a lawyer's."""

from handoff.domain.policies import CONFIRM_DELIVERY

POLICIES = (CONFIRM_DELIVERY,)
