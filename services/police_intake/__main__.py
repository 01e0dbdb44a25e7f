"""`python -m services.police_intake`: the node of the police unit for domestic violence."""

from handoff.bootstrap.node import run_node
from handoff.service import ServiceDefinition
from services.police_intake.policies import POLICIES

if __name__ == "__main__":
    run_node(ServiceDefinition("police_intake", POLICIES))
