"""A change that old readers or old writers could not live with is refused when it is released."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from tools.contracts.release import check_compatible, latest, released
from tools.contracts.sources import ContractError, load

BASE: dict[str, Any] = {
    "type": "record",
    "name": "Sample",
    "namespace": "outdial.events",
    "fields": [
        {"name": "id", "type": "string"},
        {"name": "note", "type": ["null", "string"], "default": None},
        {
            "name": "kind",
            "type": {"type": "enum", "name": "Kind", "symbols": ["UNKNOWN", "A", "B"], "default": "UNKNOWN"},
        },
        {"name": "tags", "type": {"type": "array", "items": "string"}, "default": []},
        {
            "name": "part",
            "type": {"type": "record", "name": "Part", "fields": [{"name": "size", "type": "long"}]},
        },
    ],
}


@pytest.fixture
def changed() -> dict[str, Any]:
    return deepcopy(BASE)


def field(schema: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(f for f in schema["fields"] if f["name"] == name)
    return found


def refused(changed: dict[str, Any], what: str) -> None:
    with pytest.raises(ContractError, match=what):
        check_compatible("sample", BASE, changed)


def test_unchanged_schema_and_changed_docs_pass(changed: dict[str, Any]) -> None:
    field(changed, "id")["doc"] = "Better said."
    check_compatible("sample", BASE, changed)


def test_field_added_with_a_default_passes(changed: dict[str, Any]) -> None:
    changed["fields"].append({"name": "extra", "type": ["null", "string"], "default": None})
    check_compatible("sample", BASE, changed)


def test_field_added_without_a_default_is_refused(changed: dict[str, Any]) -> None:
    changed["fields"].append({"name": "extra", "type": "string"})
    refused(changed, r"sample\.extra: .*must have a default")


def test_removed_field_that_had_no_default_is_refused(changed: dict[str, Any]) -> None:
    changed["fields"].remove(field(changed, "id"))
    refused(changed, r"sample\.id: .*was removed")


def test_removed_field_that_had_a_default_passes(changed: dict[str, Any]) -> None:
    changed["fields"].remove(field(changed, "note"))
    check_compatible("sample", BASE, changed)


def test_removed_symbol_is_refused_and_named(changed: dict[str, Any]) -> None:
    field(changed, "kind")["type"]["symbols"].remove("B")
    refused(changed, r"sample\.kind: symbols \['B'\] were removed")


def test_added_symbol_passes(changed: dict[str, Any]) -> None:
    field(changed, "kind")["type"]["symbols"].append("C")
    check_compatible("sample", BASE, changed)


@pytest.mark.parametrize(
    ("name", "new_type"),
    [
        ("id", "long"),
        ("note", "string"),
        ("tags", {"type": "array", "items": "long"}),
        ("part", "string"),
        ("id", ["null", "string"]),
    ],
)
def test_changed_type_is_refused(changed: dict[str, Any], name: str, new_type: Any) -> None:
    field(changed, name)["type"] = new_type
    refused(changed, rf"sample\.{name}.*the type changed")


def test_change_deep_inside_is_refused_with_its_path(changed: dict[str, Any]) -> None:
    field(changed, "part")["type"]["fields"][0]["type"] = "string"
    refused(changed, r"sample\.part\.size: the type changed")


def test_every_event_of_the_contract_is_compatible_with_its_newest_release() -> None:
    contract = load()
    for event, release in latest(released()).items():
        check_compatible(event, release.schema, contract.expanded(event))
