"""The definition of the audit's API; its own routes are added by ``handoff.audit.routes``."""

from handoff.audit.api.receipt_routes import ReceiptRequest
from handoff.audit.audit_problems import AUDIT_PROBLEMS, PURPOSE_REQUIRED
from handoff.web.apis import ApiDefinition
from handoff.web.query_routes import add_shared_queries

AUDIT_API = ApiDefinition(
    "Handoff for auditors",
    "The record of a case as of any moment, in codes, ids and times. Every read of a case is itself recorded, with its "
    "purpose, before the response begins.",
    add_shared_queries,
    problems=AUDIT_PROBLEMS,
    bodies=(ReceiptRequest,),
    header_problems={"Read-Purpose": (PURPOSE_REQUIRED,)},
)
