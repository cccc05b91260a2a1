"""Reads schemas/: Avro types and events, topic files, the registry. Nothing here writes."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = ROOT / "schemas"
TOPIC_KEYS = {
    "topic", "event", "key", "partitions", "cleanup", "retention", "producers", "consumers", "dead_letter", "pii",
    "access",
}  # fmt: skip
UNIT_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


class ContractError(Exception):
    """A file under schemas/ breaks a rule of the contract; the text names file and rule."""


@dataclass(frozen=True, kw_only=True)
class TopicFile:
    """One schemas/topics/*.yaml."""

    name: str
    doc: str
    event: str
    key: str
    partitions: int
    cleanup: str
    retention_ms: int
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    dead_letter: str | None
    pii: tuple[str, ...]
    access: str
    partition_field: str | None

    @property
    def class_name(self) -> str:
        return "".join(part.capitalize() for part in self.event.split("_"))


@dataclass(frozen=True, kw_only=True)
class Contract:
    """All of schemas/: named types, events with types still by name, topics."""

    types: dict[str, dict[str, Any]]
    events: dict[str, dict[str, Any]]
    topics: dict[str, TopicFile]

    def expanded(self, event: str) -> dict[str, Any]:
        """The event's schema with every named type written out where it first appears."""
        expanded: dict[str, Any] = _expand(self.events[event], self.types, set())
        return expanded


def load() -> Contract:
    """Reads and validates schemas/.

    Raises:
        ContractError: a doc is missing, a type unknown, or a topic and its event disagree.
    """
    types = {f"outdial.types.{s['name']}": s for s in map(_avsc, sorted((SCHEMAS / "types").glob("*.avsc")))}
    events = {p.stem: _avsc(p) for p in sorted((SCHEMAS / "events").glob("*.avsc"))}
    topics = {t.name: t for t in map(_topic, sorted((SCHEMAS / "topics").glob("*.yaml")))}
    for topic in topics.values():
        _check_topic(topic, events)
    orphans = set(events) - {t.event for t in topics.values()}
    if orphans:
        raise ContractError(f"events without a topic: {sorted(orphans)}")
    return Contract(types=types, events=events, topics=topics)


def digest(schema: dict[str, Any]) -> str:
    """sha256 of the canonical JSON of a schema, hex."""
    return hashlib.sha256(json.dumps(schema, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _avsc(path: Path) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(path.read_text())
    if not schema.get("doc"):
        raise ContractError(f"{path.name}: the {schema['type']} has no doc")
    for field in schema.get("fields", ()):
        if not field.get("doc"):
            raise ContractError(f"{path.name}: field {field['name']} has no doc")
    if schema["type"] == "enum" and schema.get("default") != "UNKNOWN":
        raise ContractError(f"{path.name}: every wire enum has UNKNOWN as its default")
    return schema


def _topic(path: Path) -> TopicFile:
    raw = yaml.safe_load(path.read_text())
    missing = TOPIC_KEYS - set(raw)
    if missing or path.stem != raw["topic"]:
        raise ContractError(f"{path.name}: missing {sorted(missing)}, or the topic is not the file's name")
    return TopicFile(
        name=raw["topic"],
        doc=path.read_text().splitlines()[0].removeprefix("# "),
        event=raw["event"],
        key=raw["key"],
        partitions=raw["partitions"],
        cleanup=raw["cleanup"],
        retention_ms=_milliseconds(raw["retention"]),
        producers=tuple(raw["producers"]),
        consumers=tuple(raw["consumers"]),
        dead_letter=raw["dead_letter"],
        pii=tuple(raw["pii"]),
        access=raw["access"],
        partition_field=raw.get("partition_field"),
    )


def _milliseconds(retention: str) -> int:
    if retention == "forever":
        return -1
    match = re.fullmatch(r"(\d+)([smhd])", retention)
    if match is None:
        raise ContractError(f"retention {retention!r} is not forever or a number with s, m, h or d")
    return int(match[1]) * UNIT_MS[match[2]]


def _check_topic(topic: TopicFile, events: dict[str, dict[str, Any]]) -> None:
    if topic.event not in events or topic.event != re.sub(r"[.-]", "_", topic.name):
        raise ContractError(f"{topic.name}: event {topic.event} is missing or spelt otherwise")
    names = {f["name"] for f in events[topic.event]["fields"]}
    wanted = set(re.findall(r"{(\w+)[\w.]*}", topic.key)) | (
        {topic.partition_field} if topic.partition_field else set()
    )
    if not wanted <= names:
        raise ContractError(f"{topic.name}: key or partition fields {sorted(wanted - names)} are not in the event")


def _expand(node: Any, types: dict[str, dict[str, Any]], seen: set[str]) -> Any:
    if isinstance(node, str):
        if node in types and node not in seen:
            seen.add(node)
            return _expand(types[node], types, seen)
        return node
    if isinstance(node, list):
        return [_expand(item, types, seen) for item in node]
    if not isinstance(node, dict):
        return node
    return {k: _expand(v, types, seen) if k in ("type", "items", "values", "fields") else v for k, v in node.items()}
