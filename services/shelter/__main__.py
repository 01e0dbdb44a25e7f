"""`python -m services.shelter`: the node of a shelter."""

from handoff.bootstrap.node import run_node
from handoff.service import ServiceDefinition
from services.shelter.policies import POLICIES

if __name__ == "__main__":
    run_node(ServiceDefinition("shelter", POLICIES))
