"""Why bytes are not an event, typed by what the reader does next."""

from handoff.record.codes import RefusalCode


class NotAnEvent(Exception):
    """Bytes that can never become an event: refuse them with ``code``; ``field`` names what is wrong.

    ``field`` is a path inside the document for the caller alone. It may hold a name that the sender chose, so it
    is never logged or stored.
    """

    def __init__(self, code: RefusalCode, field: str, reason: str) -> None:
        super().__init__(f"{code.value}: {field}: {reason}")
        self.code = code
        self.field = field
        self.reason = reason


class UnknownEventType(NotAnEvent):
    """A well-formed event of a type that this release cannot read: park it until the upgrade."""

    def __init__(self, event_type: str) -> None:
        super().__init__(RefusalCode.SCHEMA, "type", "not a type that this release can read")
        self.event_type = event_type
