"""Writes outdial_contracts/events.py: one frozen dataclass per Avro record, one StrEnum per Avro enum."""

from __future__ import annotations

from typing import Any

from tools.contracts.sources import Contract

PRIMITIVES = {"string": "str", "int": "int", "long": "int", "double": "float", "boolean": "bool", "bytes": "bytes"}
HEAD = '''"""Types of every event, generated from schemas/ by `make contracts`. Do not edit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Self

from outdial_contracts.base import Event

'''


def events_module(contract: Contract) -> str:
    """Source text of events.py."""
    enum_names = frozenset(k for k, s in contract.types.items() if s["type"] == "enum")
    enums = [_enum(s) for s in contract.types.values() if s["type"] == "enum"]
    records = [_record(s, None, enum_names) for s in _by_dependency(contract)]
    topic_of = {t.event: t.name for t in contract.topics.values()}
    events = [_record(s, topic_of[name], enum_names) for name, s in contract.events.items()]
    names = [contract.events[e]["name"] for e in contract.events]
    table = "EVENTS: dict[str, type[Event]] = {\n" + "".join(f"    {n}.TOPIC: {n},\n" for n in names) + "}\n"
    return HEAD + "\n\n".join([*enums, *records, *events]) + '\n\n"""Topic -> type of its event."""\n' + table


def _by_dependency(contract: Contract) -> list[dict[str, Any]]:
    records = {k: s for k, s in contract.types.items() if s["type"] == "record"}
    ordered: list[dict[str, Any]] = []

    def visit(name: str) -> None:
        schema = records[name]
        if schema in ordered:
            return
        for field in schema["fields"]:
            for other in records:
                if other in str(field["type"]) and other != name:
                    visit(other)
        ordered.append(schema)

    for name in records:
        visit(name)
    return ordered


def _enum(schema: dict[str, Any]) -> str:
    body = "".join(f'    {s} = "{s}"\n' for s in schema["symbols"])
    return f'class {schema["name"]}(StrEnum):\n    """{schema["doc"]}"""\n\n{body}'


def _record(schema: dict[str, Any], topic: str | None, enums: frozenset[str]) -> str:
    fields = sorted(schema["fields"], key=lambda f: "default" in f)
    lines = ["@dataclass(frozen=True, kw_only=True, slots=True)"]
    lines += [f"class {schema['name']}{'(Event)' if topic else ''}:", f'    """{schema["doc"]}"""', ""]
    if topic:
        lines += [f'    TOPIC: ClassVar[str] = "{topic}"', ""]
    for field in fields:
        lines += [f"    {field['name']}: {_annotation(field['type'])}{_default(field)}", f'    """{field["doc"]}"""']
    lines += [
        "",
        "    @classmethod",
        "    def from_record(cls, record: Mapping[str, Any]) -> Self:",
        "        return cls(",
    ]
    lines += [f"            {f['name']}={_read(f['type'], 'record[' + repr(f['name']) + ']', enums)}," for f in fields]
    lines += ["        )", "", "    def to_record(self) -> dict[str, Any]:", "        return {"]
    lines += [f"            {f['name']!r}: {_write(f['type'], 'self.' + f['name'], enums)}," for f in schema["fields"]]
    lines += ["        }", ""]
    return "\n".join(lines)


def _annotation(kind: Any) -> str:
    if isinstance(kind, list):
        return _annotation(kind[1]) + " | None"
    if isinstance(kind, dict):
        if kind.get("logicalType"):
            return "datetime"
        if kind["type"] == "array":
            return f"tuple[{_annotation(kind['items'])}, ...]"
        return f"Mapping[str, {_annotation(kind['values'])}]"
    return PRIMITIVES.get(kind) or str(kind).rsplit(".", 1)[-1]


def _default(field: dict[str, Any]) -> str:
    if "default" not in field:
        return ""
    if isinstance(field["default"], bool | int | float):
        return f" = {field['default']}"
    return {"None": " = None", "[]": " = ()", "{}": " = field(default_factory=dict)"}[str(field["default"])]


def _is_named(kind: Any) -> bool:
    return isinstance(kind, str) and kind.startswith("outdial.types.")


def _read(kind: Any, value: str, enums: frozenset[str]) -> str:
    if isinstance(kind, list):
        inner = _read(kind[1], value, enums)
        return value if inner == value else f"None if {value} is None else {inner}"
    if isinstance(kind, dict) and kind["type"] == "array":
        inner = _read(kind["items"], "item", enums)
        return f"tuple({value})" if inner == "item" else f"tuple({inner} for item in {value})"
    if _is_named(kind):
        name = kind.rsplit(".", 1)[-1]
        return f"{name}({value})" if kind in enums else f"{name}.from_record({value})"
    return value


def _write(kind: Any, value: str, enums: frozenset[str]) -> str:
    if isinstance(kind, list):
        inner = _write(kind[1], value, enums)
        return value if inner == value else f"None if {value} is None else {inner}"
    if isinstance(kind, dict) and kind["type"] == "array":
        inner = _write(kind["items"], "item", enums)
        return f"list({value})" if inner == "item" else f"[{inner} for item in {value}]"
    if isinstance(kind, dict) and kind["type"] == "map":
        return f"dict({value})"
    if _is_named(kind):
        return f"{value}.value" if kind in enums else f"{value}.to_record()"
    return value
