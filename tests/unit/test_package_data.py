"""The data files that the code reads at run time are in a checkout and in the wheel."""

import tomllib
from pathlib import Path

import pytest

from handoff import package_data
from handoff.package_data import data_path, schemas_path
from handoff.record import codec
from handoff.record.events import CATALOGUE

CHECKOUT = Path(package_data.__file__).parents[1]


def test_each_event_type_has_a_published_schema_and_example() -> None:
    """A reader of an example finds the same type in it."""
    for event_type in CATALOGUE:
        assert schemas_path("events", f"{event_type}.json").is_file()
        assert codec.decode(schemas_path("examples", f"{event_type}.json").read_bytes()).type == event_type


def test_the_wheel_puts_the_files_where_an_installation_looks_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The build configuration and the two functions name the same folders."""
    build = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    forced: dict[str, str] = build["force-include"]
    in_checkout = {str(path.relative_to(CHECKOUT)) for path in (schemas_path(), data_path("kafka"))}
    assert in_checkout <= forced.keys()
    (tmp_path / "data").mkdir()
    monkeypatch.setattr(package_data, "_PACKAGE", tmp_path)
    installed = {f"handoff/{path.relative_to(tmp_path)}" for path in (schemas_path(), data_path("kafka"))}
    assert installed == {forced[source] for source in in_checkout}
