"""`python -m services.social_work`: the node of the Center for Social Work."""

from handoff.bootstrap.node import run_node
from handoff.service import ServiceDefinition
from services.social_work.policies import POLICIES

if __name__ == "__main__":
    run_node(ServiceDefinition("social_work", POLICIES))
