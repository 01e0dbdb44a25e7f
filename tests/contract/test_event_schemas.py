"""The committed schemas, examples and AsyncAPI document match the code."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator, Draft202012Validator
from jsonschema.exceptions import ValidationError

from handoff.contract import published_files
from handoff.record.codec import decode, encode
from handoff.record.envelope import schema_uri
from handoff.record.errors import NotAnEvent
from handoff.record.events import CATALOGUE, Emitter
from handoff.record.topics import client_group, topics
from handoff.record.upcasting import UPCASTERS

COMMITTED = published_files.committed_files()
EXAMPLES = sorted(path for path in COMMITTED if path.startswith("examples/"))


def committed(path: str) -> Any:
    return json.loads(COMMITTED[path])


def schema_of(event_type: str) -> Draft202012Validator:
    return Draft202012Validator(
        committed(f"events/{event_type}.json"), format_checker=Draft202012Validator.FORMAT_CHECKER
    )


def test_the_committed_files_equal_the_generated_ones() -> None:
    """After a change to the record: ``python -m handoff.contract.published_files --write``."""
    assert published_files.check() == ()


def test_the_contract_is_the_same_however_often_it_is_made() -> None:
    assert published_files.contract() == published_files.contract()


@pytest.mark.parametrize("event_type", CATALOGUE)
def test_each_type_has_a_valid_schema_of_its_own_documents_alone(event_type: str) -> None:
    schema = committed(f"events/{event_type}.json")
    Draft202012Validator.check_schema(schema)
    assert schema["$id"] == schema_uri(event_type)
    assert schema["properties"]["type"] == {"const": event_type}
    assert schema["properties"]["dataschema"] == {"const": schema_uri(event_type)}


@pytest.mark.parametrize("path", EXAMPLES)
def test_every_published_example_remains_readable(path: str) -> None:
    """Those of older versions stay in the folder, and are upcast."""
    decode(COMMITTED[path].encode())


@pytest.mark.parametrize("event_type", CATALOGUE)
def test_each_types_example_fits_its_schema_and_stays_the_same_bytes(event_type: str) -> None:
    example = COMMITTED[f"examples/{event_type}.json"]
    schema_of(event_type).validate(json.loads(example))
    assert encode(decode(example.encode())).decode() == example


@pytest.mark.parametrize("event_type", CATALOGUE)
def test_schema_and_codec_refuse_the_same_damage(event_type: str) -> None:
    """A missing attribute, an unknown one, an unknown field, another type's name, and a jurisdiction for a case."""
    whole = committed(f"examples/{event_type}.json")
    about_a_case = "-" in whole["subject"]
    damaged = [
        *({name: value for name, value in whole.items() if name != gone} for gone in ("id", "type", "data", "time")),
        {**whole, "note": "x"},
        {**whole, "data": {**whole["data"], "income": 1}},
        {**whole, "type": "referral.withdrawn.v1"},
        {**whole, "subject": "prizren" if about_a_case else "11111111-1111-4111-8111-111111111111"},
    ]
    for document in damaged:
        with pytest.raises(ValidationError):
            schema_of(event_type).validate(document)
        with pytest.raises(NotAnEvent):
            decode(json.dumps(document).encode())


def test_the_asyncapi_document_has_every_topic_of_the_record_and_nothing_else() -> None:
    channels = committed("asyncapi.json")["channels"]
    addresses = [channel["address"].format(jurisdiction="prizren", member="police") for channel in channels.values()]
    assert addresses == [topic.name for topic in topics("prizren", ("police",))]


def test_the_asyncapi_document_fits_the_official_schema_of_its_version() -> None:
    document = committed("asyncapi.json")
    schema = json.loads(Path(f"tests/vectors/asyncapi_{document['asyncapi']}.json").read_text())
    validator = Draft7Validator(schema, format_checker=Draft7Validator.FORMAT_CHECKER)
    assert [error.message for error in validator.iter_errors(document)] == []
    del document["servers"]["brokers"]["protocol"]
    assert [error.message for error in validator.iter_errors(document)]


def test_the_asyncapi_document_describes_login_and_consumer_group() -> None:
    document = committed("asyncapi.json")
    (server,) = document["servers"].values()
    assert server["protocol"] == "kafka-secure"
    assert server["security"] == [{"$ref": "#/components/securitySchemes/member"}]
    assert document["components"]["securitySchemes"]["member"]["type"] == "scramSha512"
    receiving = [row["bindings"]["kafka"] for row in document["operations"].values() if row["action"] == "receive"]
    assert receiving
    for binding in receiving:
        assert re.fullmatch(binding["groupId"]["pattern"], client_group("prizren", "police"))
        assert client_group("{jurisdiction}", "{member}") in binding["groupId"]["description"]


def test_only_the_exchange_puts_its_own_events_on_a_topic() -> None:
    offered = committed("asyncapi.json")["channels"]["out"]["messages"]
    assert set(offered) == {name for name, body in CATALOGUE.items() if body.emitter is not Emitter.EXCHANGE}


def test_every_reference_of_the_asyncapi_document_leads_somewhere() -> None:
    document = committed("asyncapi.json")
    for reference in references(document):
        if reference.startswith("#/"):
            place = document
            for step in reference[2:].split("/"):
                place = place[step]
        else:
            assert reference.removeprefix("./") in COMMITTED


def references(document: Any) -> list[str]:
    if isinstance(document, list):
        return [found for item in document for found in references(item)]
    if not isinstance(document, dict):
        return []
    own = [document["$ref"]] if "$ref" in document else []
    return own + [found for value in document.values() for found in references(value)]


def test_writing_an_empty_folder_makes_the_whole_contract(tmp_path: Path) -> None:
    assert published_files.write(tmp_path) == ()
    assert published_files.check(tmp_path) == ()
    assert published_files.committed_files(tmp_path) == published_files.contract()


def test_a_file_that_differs_is_named_and_mended_where_only_words_changed(tmp_path: Path) -> None:
    published_files.write(tmp_path)
    path = tmp_path / "events" / "case.opened.v1.json"
    path.write_text(path.read_text().replace("A case was opened.", "It was opened."))
    assert published_files.check(tmp_path) == ("events/case.opened.v1.json: differs",)
    assert published_files.write(tmp_path) == ()
    assert published_files.check(tmp_path) == ()


def test_a_published_version_that_would_change_its_meaning_is_not_written(tmp_path: Path) -> None:
    """Here the committed schema knows a code that the code no longer has."""
    published_files.write(tmp_path)
    path = tmp_path / "events" / "referral.paused.v1.json"
    published = path.read_text().replace('"survivor_request"', '"survivor_request",\n"transport"')
    path.write_text(published)
    assert published_files.write(tmp_path) == ("events/referral.paused.v1.json: data.code: code transport is gone",)
    assert path.read_text() == published


def test_a_published_type_or_example_cannot_vanish_or_change(tmp_path: Path) -> None:
    published_files.write(tmp_path)
    (tmp_path / "events" / "survivor.moved.v1.json").write_text("{}")
    (tmp_path / "examples" / "case.read.v1.json").write_text("{}")
    assert published_files.write(tmp_path) == (
        "events/survivor.moved.v1.json: published, and gone",
        "examples/case.read.v1.json: a published example has changed",
    )


def test_the_files_of_a_version_that_is_upcast_stay_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published_files.write(tmp_path)
    (tmp_path / "examples" / "survivor.moved.v1.json").write_text("{}")
    monkeypatch.setattr(published_files, "UPCASTERS", {"survivor.moved.v1": None})
    assert published_files.check(tmp_path) == published_files.write(tmp_path) == ()
    assert (tmp_path / "examples" / "survivor.moved.v1.json").exists()


def test_published_versions_are_final_from_release_0_2_on(tmp_path: Path) -> None:
    """Before, they may be re-based; the type that is gone loses its files."""
    published_files.write(tmp_path)
    (tmp_path / "events" / "survivor.moved.v1.json").write_text("{}")
    for release in ("0.2.0", "0.3.1", "1.0.0"):
        (refusal,) = published_files.rebase(tmp_path, release=release)
        assert "add a new version of the type" in refusal
    assert published_files.rebase(tmp_path, release="0.1.9") == ()
    assert published_files.check(tmp_path) == ()


@pytest.mark.parametrize("superseded", UPCASTERS)
def test_the_example_of_a_superseded_version_fits_its_own_schema(superseded: str) -> None:
    """A client that reads the record from the beginning still finds the schema of each event."""
    schema_of(superseded).validate(committed(f"examples/{superseded}.json"))
    assert f"#/components/messages/{superseded}" in json.dumps(committed("asyncapi.json")["channels"]["in"])


@pytest.mark.parametrize("arguments", [[], ["--mend"], ["--check", "--write"]])
def test_the_command_explains_itself_where_it_is_asked_for_nothing(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert published_files.main(arguments) == 2
    assert "--check|--write" in capsys.readouterr().err


def test_the_command_succeeds_on_the_committed_files() -> None:
    assert published_files.main(["--check"]) == 0
