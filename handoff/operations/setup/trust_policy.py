"""Trust file of a jurisdiction: its log, its monitor, and a quorum that is the majority of its agencies."""

from handoff.config import JurisdictionPlan
from handoff.operations.setup.stored_secrets import StoredSecrets
from handoff.proof.log.checkpoint import Origin, cosigner_key, log_key
from handoff.proof.log.note import NoteKey
from handoff.proof.verify.trust import TrustedLog, write_trust
from handoff.record.topics import MONITOR, PROJECTION, agencies


def witness_owner(cosigner: str) -> str:
    """Name under which a cosigner's key is stored. An agency signs its events with another key."""
    return cosigner if cosigner == MONITOR else f"{cosigner}.witness"


def trust_file(plan: JurisdictionPlan, stored: StoredSecrets, genesis_hash: str) -> str:
    """Text of the trust file of ``plan``."""

    def cosigner(name: str) -> NoteKey:
        return cosigner_key(plan.name, name, stored.key(witness_owner(name)).public_key)

    witnesses = agencies(plan.member_ids)
    log = TrustedLog(log_key(Origin(plan.name, plan.generation), stored.key(PROJECTION).public_key), genesis_hash)
    majority = len(witnesses) // 2 + 1
    return write_trust([log], cosigner(MONITOR), map(cosigner, witnesses), majority)
