"""What a partner's node does by itself: it joins with a configuration file and no code."""

from handoff.domain.policies import CONFIRM_DELIVERY

POLICIES = (CONFIRM_DELIVERY,)
