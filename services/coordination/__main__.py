"""`python -m services.coordination`: the node of the Local Coordinating Mechanism's coordinator, with her board."""

from handoff.bootstrap.node import run_node
from handoff.service import ServiceDefinition
from handoff.web.apis import COORDINATION_API
from services.coordination.extension import board_extension
from services.coordination.policies import POLICIES

if __name__ == "__main__":
    run_node(ServiceDefinition("coordination", POLICIES, api=COORDINATION_API, extension=board_extension))
