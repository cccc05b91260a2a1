"""Counts windows from the raw bytes of topics, and checks what was published. Imports nothing of outdial's.

An attempt's latest word is its disposition of the greatest revision, else its dialled call.ended of the greatest leg.
It belongs to the window of its redemption, else its INVITE, else the disposition (the end).
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import fastavro
import yaml

SCHEMAS = Path(__file__).resolve().parents[3] / "schemas"
FIELDS = ("attempts", "reached", "human_answers", "connects", "conversations", "provisional")
Windows = dict[tuple[str, int, int], tuple[int, ...]]
"""(slice, seconds, start as seconds since 1970) -> counts in the order of FIELDS; without those that are all 0."""


def reader() -> dict[int, Any]:
    """Schema id -> schema, from the registry's files."""
    rows = yaml.safe_load((SCHEMAS / "registry.yaml").read_text())
    return {row["id"]: fastavro.schema.load_schema(SCHEMAS / row["file"]) for row in rows}


def read(value: bytes, schemas: dict[int, Any]) -> dict[str, Any]:
    """One record's value."""
    record = fastavro.schemaless_reader(io.BytesIO(value[5:]), schemas[int.from_bytes(value[1:5], "big")], None)
    assert isinstance(record, dict)
    return record


def recount(ends: Iterable[dict[str, Any]], dispositions: Iterable[dict[str, Any]]) -> Windows:
    """What every window should say."""
    latest: dict[str, tuple[int, int, dict[str, Any]]] = {}
    words = [(0, end["leg_no"], end) for end in ends if end["dialled"]]
    words += [(disposition["revision"], 0, disposition) for disposition in dispositions]
    for word in words:
        attempt = word[2]["attempt_id"]
        if attempt not in latest or latest[attempt][:2] < word[:2]:
            latest[attempt] = word
    found: dict[tuple[str, int, int], list[int]] = {}
    for revision, _, event in latest.values():
        began, counts = _of_end(event) if revision == 0 else _of_disposition(event)
        zone = event["context"]["local_zone"]
        hour = "unknown" if zone is None else f"{began.astimezone(ZoneInfo(zone)).hour:02d}"
        for seconds in (300, 3600) if counts[0] else ():
            start = int(began.timestamp()) // seconds * seconds
            row = found.setdefault((f"{event['campaign_id']}/{hour}", seconds, start), [0] * len(FIELDS))
            for place, count in enumerate(counts):
                row[place] += count
    return {window: tuple(counts) for window, counts in found.items()}


@dataclass(kw_only=True)
class Published:
    """What a reader of connect-rate.window holds at its end."""

    windows: Windows = field(default_factory=dict)
    records: int = 0
    repeats: int = 0
    """Records that say a revision again."""
    went_back: list[str] = field(default_factory=list)
    """Window ids whose revision was smaller than one before."""
    differed: list[str] = field(default_factory=list)
    """Window ids that said one revision in two ways."""


def published(records: Iterable[dict[str, Any]]) -> Published:
    """The last record of each window, in the order of the topic."""
    last: dict[str, dict[str, Any]] = {}
    found = Published()
    for record in records:
        found.records += 1
        before = last.get(record["window_id"])
        if before is not None and before["revision"] > record["revision"]:
            found.went_back.append(record["window_id"])
        if before is not None and before["revision"] == record["revision"]:
            found.repeats += 1
            found.differed += [] if before == record else [record["window_id"]]
        last[record["window_id"]] = record
    for record in last.values():
        if record["attempts"]:
            place = (record["slice"], record["window_seconds"], int(record["window_start"].timestamp()))
            found.windows[place] = tuple(record[name] for name in FIELDS)
    return found


def _of_end(end: dict[str, Any]) -> tuple[datetime, list[int]]:
    connected = end["end_class"] == "CONNECTED"
    talked = (end["ended_at"] - end["bridged_at"]).total_seconds() if end["bridged_at"] else 0
    reached = end["alerting_at"] is not None or end["answered_at"] is not None
    person = connected or end["verdict"] in ("HUMAN", "SCREENER")
    counts = [1, reached, person, connected, connected and talked >= 20, 1]
    return end["invited_at"] or end["ended_at"], [int(count) for count in counts]


def _of_disposition(event: dict[str, Any]) -> tuple[datetime, list[int]]:
    began: datetime = event["redeemed_at"] or event["invited_at"] or event["disposed_at"]
    names = ("charged", "reached", "human_answer", "connected", "conversation")
    counts = [int(event["charged"] and event[name]) for name in names]
    return began, [*counts, 0]
