"""Check that each inbox entry is the next one that the exchange signed for this member. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from handoff.domain.directory import Directory
from handoff.node.inbox.inbox_entry import InboxEntry
from handoff.node.rows import InboxRow
from handoff.proof.log.delivery_chain import DeliveryProof, MalformedProof, chain_hash, delivered_facts
from handoff.proof.log.entry import content_hash
from handoff.record import formats, signing
from handoff.record.delivery import BrokenDelivery, Delivery, DeliveryFault
from handoff.record.envelope import EXCHANGE
from handoff.record.events.directory import JurisdictionFounded

# The entries of one batch of the exchange carry one signature.
_verifies = lru_cache(256)(signing.verifies)


@dataclass(slots=True)
class InboxChain:
    """The chain of one inbox, at the entry with the hash ``head``; empty before the first entry."""

    me: str
    genesis_hash: str
    head: bytes = b""

    def append(self, entry: InboxEntry, directory: Directory) -> bytes:
        """Check the next entry and return its chain hash. ``directory`` is folded from all entries before it.

        Raises ``BrokenDelivery``; then the head is unchanged.
        """
        link = self.link(entry.delivery, self.head)
        if not self.is_signed(entry, link, directory):
            raise BrokenDelivery(
                DeliveryFault.NOT_SIGNED,
                f"the exchange did not sign inbox entry {entry.delivery.sequence} (offset {entry.offset}) in this form",
            )
        self.head = link
        return link

    def link(self, delivery: Delivery, previous: bytes) -> bytes:
        """Return the hash of the statement of ``delivery`` after ``previous``."""
        facts = delivered_facts(delivery.record_time, delivery.verdict, content_hash(delivery.message))
        return chain_hash(self.me, delivery.sequence, facts, previous or bytes.fromhex(self.genesis_hash))

    def is_signed(self, entry: InboxEntry, link: bytes, directory: Directory) -> bool:
        """Return whether a key of the exchange that is in force signed the statement with the hash ``link``."""
        try:
            proof = DeliveryProof.unpack(entry.delivery.proof)
        except MalformedProof:
            return False
        public_key = self._public_key(entry, proof.key_id, directory)
        return (
            public_key is not None
            and proof.contains(link)
            and _verifies(public_key, proof.root, proof.signature, formats.DELIVERY_ROOT)
        )

    def _public_key(self, entry: InboxEntry, key_id: str, directory: Directory) -> bytes | None:
        if not directory.founded:
            return self._founding_key(entry)
        key = directory.signing_key(key_id, entry.delivery.record_time)
        return bytes.fromhex(key.public_key) if key is not None and key.owner == EXCHANGE else None

    def _founding_key(self, entry: InboxEntry) -> bytes | None:
        """Return the exchange's key as the founding event names it. The event itself is trusted by its hash."""
        if entry.event is None or not isinstance(entry.event.data, JurisdictionFounded):
            return None
        is_genesis = signing.sha256(entry.delivery.message.value or b"") == self.genesis_hash
        return bytes.fromhex(entry.event.data.exchange_key) if is_genesis else None


def contradiction(
    chain: InboxChain, entry: InboxEntry, stored: Mapping[int, InboxRow], directory: Directory
) -> BrokenDelivery | None:
    """Compare an entry that comes again with the stored one of its sequence; return the fault if they differ.

    Two statements that the exchange signed for one sequence prove that it delivered two histories. An entry without its
    signature was written with its broker password alone.
    """
    delivery = entry.delivery
    if (kept := stored.get(delivery.sequence)) is not None and states_the_same(kept.delivery, delivery):
        return None
    before = stored.get(delivery.sequence - 1)
    previous = before.chain if before is not None else b""
    is_signed = kept is not None and chain.is_signed(entry, chain.link(delivery, previous), directory)
    fault = DeliveryFault.CONTRADICTION if is_signed else DeliveryFault.NOT_SIGNED
    return BrokenDelivery(
        fault, f"another entry came under the sequence {delivery.sequence} (offset {entry.offset}), which is stored"
    )


def states_the_same(kept: Delivery, again: Delivery) -> bool:
    """Return whether two deliveries have one statement: a redacted value keeps its hash."""
    ours, theirs = ((one.sequence, one.record_time, one.verdict, content_hash(one.message)) for one in (kept, again))
    return ours == theirs
