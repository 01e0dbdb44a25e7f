"""Policies of a partner's node: it confirms delivery. A partner joins with a configuration file and no code."""

from handoff.domain.policies import CONFIRM_DELIVERY

POLICIES = (CONFIRM_DELIVERY,)
