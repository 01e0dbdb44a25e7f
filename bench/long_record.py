"""A record with one real case spread over its whole length; all other entries are filler."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from uuid import UUID

from bench.stories import T0, Place, Story, key_of, signed
from handoff.config import JurisdictionPlan
from handoff.proof.log.checkpoint import Origin, TreeHead, cosign, cosigner_key
from handoff.proof.log.note import Note, NoteKey
from handoff.proof.log.signer import LogSigner
from handoff.record import signing
from handoff.record.message import Message
from handoff.record.topics import MONITOR

_FILLER = Message(b"another case", bytes(900), (("content-type", b"none"), ("signature", bytes(64))))


@dataclass(frozen=True)
class LongRecord:
    """``size`` entries, with a case among them: the events of ``stories`` referrals, and then ``reads`` of the case."""

    plan: JurisdictionPlan
    size: int
    stories: int = 25
    reads: int = 0

    @property
    def place(self) -> Place:
        return Place(self.plan)

    @property
    def case(self) -> UUID:
        """The id of the real case."""
        return Story(self.place, 0).id("case")

    @property
    def key(self) -> bytes:
        """The record key of its entries."""
        return str(self.case).encode()

    @cached_property
    def case_events(self) -> tuple[Message, ...]:
        """The events of all stories and the reads, all with the subject of the one case."""
        events = (event for number in range(self.stories) for event in Story(self.place, number).events())
        reads = (Story(self.place, number).read() for number in range(self.reads))
        return tuple(signed(event.model_copy(update={"subject": str(self.case)})) for event in chain(events, reads))

    @property
    def log(self) -> LogSigner:
        """The record's log."""
        return LogSigner(Origin(self.place.name, self.plan.generation), key_of("the projection"))

    @property
    def trust_text(self) -> str:
        """A trust file with the monitor as its only witness."""
        genesis = f"# handoff: genesis {self.log.origin} {signing.sha256(self.place.genesis)}"
        return f"log {self.log.public_key}\n{genesis}\nwitness monitor {self._monitor}\nquorum monitor\n"

    def checkpoint(self, head: TreeHead) -> Note:
        """Return the checkpoint over ``head``, cosigned by the monitor."""
        note = self.log.state(head)
        return note.signed(cosign(note, self._monitor, key_of("the monitor"), T0))

    @property
    def _monitor(self) -> NoteKey:
        return cosigner_key(self.place.name, MONITOR, key_of("the monitor").public_key)

    def messages(self) -> Iterator[Message]:
        """The founding, then filler with the case's events at equal distances."""
        founding = tuple(map(signed, self.place.founding()))
        yield from founding
        rest = self.size - len(founding)
        step, own = rest // len(self.case_events), iter(self.case_events)
        for number in range(rest):
            yield (next(own, _FILLER) if number % step == 0 else _FILLER)
