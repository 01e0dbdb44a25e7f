"""The AsyncAPI 3 document of the topics, for members with a Kafka client of their own.

Addresses, settings and rights come from the declaration of the topics, with names as parameters.
"""

import re
from typing import Any

from handoff.contract.json_schema import SUPERSEDED
from handoff.operations.setup.access import user_name
from handoff.record import delivery, message, record_time, topics
from handoff.record.envelope import CONTENT_TYPE
from handoff.record.events import CATALOGUE, Body, Emitter
from handoff.record.topics import CLIENT_SUFFIX, Topic, client_group

Document = dict[str, Any]

_ABOUT = "Topics and events of a jurisdiction on Kafka, with their writers and readers."
_BINDING = {"bindingVersion": "0.5.0"}
_PARAMETERS = {
    "jurisdiction": {"description": "The jurisdiction's id; all of its topics begin with it"},
    "member": {"description": "A member's id in the directory"},
}
_SERVER = {
    "host": "{bootstrap}",
    "protocol": "kafka-secure",
    "protocolVersion": "4.3",
    "description": "The jurisdiction's brokers. On loopback, in a trial, the protocol is `kafka`: SASL without TLS.",
    "variables": {"bootstrap": {"description": "Host and port of a broker, from the member's settings"}},
    "security": [{"$ref": "#/components/securitySchemes/member"}],
}
_SECURITY = {
    "type": "scramSha512",
    "description": f"SASL/SCRAM. The user is `{user_name('{jurisdiction}', '{member}')}`, shared with the node.",
}
_GROUP = {
    "type": "string",
    "pattern": rf"^[a-z][a-z0-9]*\.[a-z][a-z0-9_]*{re.escape(CLIENT_SUFFIX)}$",
    "description": (
        f"Always `{client_group('{jurisdiction}', '{member}')}`: a member's own client may use this group alone. "
        "Begin at the earliest offset, and skip sequences that were processed."
    ),
}


def document() -> Document:
    """Return the document. Topics that a member can neither read nor write have no operations."""
    channels = {_channel_id(topic): topic for topic in topics.topics("{jurisdiction}", ("{member}",))}
    return {
        "asyncapi": "3.1.0",
        "info": {"title": "Handoff", "version": "1", "description": _ABOUT},
        "defaultContentType": CONTENT_TYPE,
        "servers": {"brokers": _SERVER},
        "channels": {name: _channel(name, topic) for name, topic in channels.items()},
        "operations": dict(_operation(*row) for row in _rights(channels)),
        "components": {
            "messages": {event_type: _message(body) for event_type, body in {**CATALOGUE, **SUPERSEDED}.items()},
            "schemas": {"EventHeaders": _EVENT_HEADERS},
            "securitySchemes": {"member": _SECURITY},
        },
    }


def _channel_id(topic: Topic) -> str:
    return topic.name.split(".")[1]


def _channel(name: str, topic: Topic) -> Document:
    return {
        "address": topic.name,
        "parameters": {key: text for key, text in _PARAMETERS.items() if f"{{{key}}}" in topic.name},
        "messages": {event_type: {"$ref": f"#/components/messages/{event_type}"} for event_type in _carried(name)},
        "bindings": {"kafka": {"partitions": topic.partitions, "topicConfiguration": _configuration(topic)} | _BINDING},
        "x-written-by": list(topic.writers),
        "x-read-by": list(topic.readers),
    }


def _carried(channel: str) -> tuple[str, ...]:
    if channel == "out":
        return tuple(name for name, body in CATALOGUE.items() if body.emitter is not Emitter.EXCHANGE)
    # A reader of a record or an inbox starts at the first offset, so it also receives superseded versions.
    return (*CATALOGUE, *SUPERSEDED) if channel in {"record", "in"} else ()


def _configuration(topic: Topic) -> Document:
    settings: Document = {key: _setting(value) for key, value in topic.config}
    settings["cleanup.policy"] = str(settings["cleanup.policy"]).split(",")
    return settings


def _setting(value: str) -> int | str:
    return int(value) if value.removeprefix("-").isdecimal() else value


def _rights(channels: dict[str, Topic]) -> list[tuple[str, str]]:
    sends = [("send", name) for name, topic in channels.items() if "{member}" in topic.writers]
    receives = [("receive", name) for name, topic in channels.items() if "{member}" in topic.readers]
    return sends + receives


def _operation(action: str, channel: str) -> tuple[str, Document]:
    operation: Document = {"action": action, "channel": {"$ref": f"#/channels/{channel}"}}
    if action == "receive":
        operation["bindings"] = {"kafka": {"groupId": _GROUP} | _BINDING}
    return f"{action}-{channel}", operation


def _message(body: type[Body]) -> Document:
    schema = {"schemaFormat": "application/schema+json;version=draft-2020-12", "schema": {"$ref": _file(body)}}
    return {
        "name": body.type,
        "summary": (body.__doc__ or "").partition("\n\n")[0],
        "contentType": CONTENT_TYPE,
        "headers": {"$ref": "#/components/schemas/EventHeaders"},
        "payload": schema,
        "bindings": {"kafka": {"key": {"type": "string", "description": "The event's subject"}} | _BINDING},
        "x-emitted-by": body.emitter.value,
        "x-routed-to": body.audience.value,
    }


def _file(body: type[Body]) -> str:
    return f"./events/{body.type}.json"


def _header(description: str) -> Document:
    return {"type": "string", "description": description}


_EVENT_HEADERS: Document = {
    "type": "object",
    "required": [message.CONTENT_TYPE_HEADER, message.SIGNATURE_HEADER, message.KEY_ID_HEADER],
    "properties": {
        message.CONTENT_TYPE_HEADER: {"const": CONTENT_TYPE},
        message.SIGNATURE_HEADER: _header("64 bytes: Ed25519 over the DSSE encoding of the exact value"),
        message.KEY_ID_HEADER: _header("SHA-256 of the key's type byte and public key, hexadecimal; a hint only"),
        record_time.STAMP_HEADER: _header("On the record and in an inbox: the exchange's time in ms, decimal"),
        delivery.SEQUENCE_HEADER: _header("In an inbox alone: 1, 2, 3 …, decimal"),
        delivery.RECORD_TIME_HEADER: _header("In an inbox alone: milliseconds since 1970-01-01 UTC, decimal"),
        delivery.VERDICT_HEADER: {
            "enum": [kind.value for kind in delivery.VerdictKind],
            "description": "In an inbox alone: the verdict on the event",
        },
        delivery.REASON_HEADER: _header("In an inbox alone: the reason of the verdict, a state or a code"),
        delivery.PROOF_HEADER: _header("In an inbox alone: the exchange's signed proof, see docs/proof.md"),
    },
}
