"""Every example passes through the codec unchanged, and together they show every symbol of every enum."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from enum import StrEnum
from typing import Any, get_args, get_type_hints

import pytest

from outdial_contracts import events
from outdial_contracts.codec import decode, encode
from outdial_contracts.events import EVENTS
from outdial_contracts.topics import TOPICS
from outdial_testing.examples import EXAMPLES, load_examples


@pytest.mark.parametrize("topic", sorted(TOPICS))
def test_every_example_survives_the_wire(topic: str) -> None:
    examples = load_examples(topic)
    assert examples
    for example in examples:
        assert decode(encode(example), topic) == example


@pytest.mark.parametrize("topic", sorted(TOPICS))
def test_every_symbol_of_every_enum_field_has_an_example(topic: str) -> None:
    declared = dict(_enum_fields(EVENTS[topic], topic))
    shown: dict[str, set[str]] = defaultdict(set)
    for example in load_examples(topic):
        for path, symbol in _symbols(example, topic):
            shown[path].add(symbol)
    for path, kind in declared.items():
        assert shown[path] == set(kind), f"{path} lacks examples of {sorted(set(kind) - shown[path])}"


@pytest.mark.parametrize("topic", sorted(TOPICS))
def test_key_and_partition_of_every_example_can_be_told(topic: str) -> None:
    for example in load_examples(topic):
        assert TOPICS[topic].key_of(example)
        partition = TOPICS[topic].partition_of(example)
        assert partition is None or 0 <= partition < TOPICS[topic].partitions


def test_no_example_belongs_to_an_unknown_topic() -> None:
    assert {folder.name for folder in EXAMPLES.iterdir()} == set(TOPICS)


def test_numbers_in_examples_are_fictional() -> None:
    """555-01XX is set aside for fiction (ATIS-0300115, NANP 555 line numbers)."""
    for file in sorted(EXAMPLES.glob("*/*.json")):
        for text in _strings(json.loads(file.read_text())):
            if text.startswith("+1") and text[1:].isdigit() and len(text) == 12:
                assert text[5:10] == "55501", f"{file.parent.name}/{file.name} shows a number outside 555-01XX"


def _enum_fields(kind: Any, path: str) -> Iterator[tuple[str, type[StrEnum]]]:
    hints = get_type_hints(kind, vars(events))
    for field in fields(kind):
        for part in _types(hints[field.name]):
            if isinstance(part, type) and issubclass(part, StrEnum):
                yield f"{path}.{field.name}", part
            elif is_dataclass(part):
                yield from _enum_fields(part, f"{path}.{field.name}")


def _types(hint: Any) -> Iterator[Any]:
    yield hint
    for part in get_args(hint):
        yield from _types(part)


def _symbols(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, StrEnum):
        yield path, value
    elif is_dataclass(value):
        for field in fields(value):
            yield from _symbols(getattr(value, field.name), f"{path}.{field.name}")
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _symbols(item, path)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _symbols(item, path)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _strings(item)
