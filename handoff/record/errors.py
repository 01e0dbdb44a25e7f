"""Errors of decoding, typed by the reaction of the reader."""

from handoff.record.codes import RefusalCode


class NotAnEvent(Exception):
    """Bytes that are not a valid event: refuse them with ``code``. ``field`` is the path of the invalid part.

    Only the caller may see ``field``: it can contain a name that the sender chose, so it is never logged or stored.
    """

    def __init__(self, code: RefusalCode, field: str, reason: str) -> None:
        super().__init__(f"{code.value}: {field}: {reason}")
        self.code = code
        self.field = field
        self.reason = reason


class UnknownEventType(NotAnEvent):
    """A well-formed event of a type that this release does not know: park it until the upgrade."""

    def __init__(self, event_type: str) -> None:
        super().__init__(RefusalCode.SCHEMA, "type", "not a type that this release can read")
        self.event_type = event_type
