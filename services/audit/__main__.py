"""`python -m services.audit`: the audit's node, with its API and the timeline's pages."""

from handoff.audit.api.definition import AUDIT_API
from handoff.bootstrap.node import run_node
from handoff.service import ServiceDefinition
from services.audit.extension import audit_extension
from services.audit.policies import POLICIES

if __name__ == "__main__":
    run_node(ServiceDefinition("audit", POLICIES, api=AUDIT_API, extension=audit_extension))
