"""`python -m services.partner`: the node of a partner, which joins with a configuration file and no code."""

from handoff.bootstrap.node import run_node
from handoff.service import ServiceDefinition
from services.partner.policies import POLICIES

if __name__ == "__main__":
    run_node(ServiceDefinition("partner", POLICIES))
