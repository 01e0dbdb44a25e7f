"""`python -m services.legal_aid`: the node of the Agency for Free Legal Aid."""

from handoff.bootstrap.node import run_node
from handoff.service import ServiceDefinition
from services.legal_aid.policies import POLICIES

if __name__ == "__main__":
    run_node(ServiceDefinition("legal_aid", POLICIES))
