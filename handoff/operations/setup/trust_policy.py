"""Trust file of a jurisdiction: its log, its monitor, and a quorum that is the majority of its agencies."""

from handoff.config import JurisdictionPlan
from handoff.operations.setup.stored_secrets import StoredSecrets
from handoff.proof.log.checkpoint import Origin, cosigner_key, log_key
from handoff.proof.log.note import NoteKey
from handoff.proof.log.verifiers import Verifier, parts_of, verifier_of
from handoff.proof.verify.trust import TrustedLog, TrustPolicy, write_trust
from handoff.record.topics import MONITOR, PROJECTION, agencies


def witness_owner(cosigner: str) -> str:
    """Name under which a cosigner's key is stored. An agency signs its events with another key."""
    return cosigner if cosigner == MONITOR else f"{cosigner}.witness"


def trust_file(plan: JurisdictionPlan, stored: StoredSecrets, genesis_hash: str, before: TrustPolicy | None) -> str:
    """Text of the trust file of ``plan``. It keeps the keys and the ends that the file ``before`` has."""

    def cosigner(name: str) -> Verifier:
        key = cosigner_key(plan.name, name, stored.key(witness_owner(name)).public_key)
        return _with_key(before.cosigner(key.name) if before is not None else None, key)

    witnesses = agencies(plan.member_ids)
    key = log_key(Origin(plan.name, plan.generation), stored.key(PROJECTION).public_key)
    known = before.logs.get(key.name) if before is not None else None
    log = TrustedLog(_with_key(known.key if known is not None else None, key), genesis_hash)
    majority = len(witnesses) // 2 + 1
    return write_trust([log], cosigner(MONITOR), map(cosigner, witnesses), majority)


def _with_key(known: Verifier | None, key: NoteKey) -> Verifier:
    if known is None:
        return key
    return known if key in known.public_keys else verifier_of((*parts_of(known), key))
