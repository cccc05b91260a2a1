"""Bytes and events that can't be handled: dead letters with their bytes; the next one is handled."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any, cast

import httpx
import pytest
from bad_input.stand_in import SOURCE, StandIn, until
from campaign_run import wait_for

from outdial_cli.records import Record
from outdial_contracts.base import Event
from outdial_contracts.codec import encode
from outdial_contracts.events import (
    LeadAction,
    LeadSubmitted,
    LineType,
    Phone,
    SuppressionSource,
    SuppressionSubmitted,
)
from outdial_contracts.headers import EventHeaders
from outdial_contracts.topics import TOPICS
from outdial_testing.examples import load_examples

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]
GARBAGE = b"\x00\x00\x00\x00\x01garbage"
DEAD = "lead.submitted.dead"
UNKNOWN_SCHEMA = (0).to_bytes(1, "big") + (999_999).to_bytes(4, "big")
Damage = Callable[[bytes], bytes | None]
DAMAGES: dict[str, tuple[Damage, str]] = {
    "truncated": (lambda good: good[:-3], "MALFORMED"),
    "bytes after the record": (lambda good: good + b"\x00\x01", "MALFORMED"),
    "no magic byte": (lambda good: b"\x07" + good[1:], "MALFORMED"),
    "JSON instead of Avro": (lambda good: json.dumps({"lead_id": "x"}).encode(), "MALFORMED"),
    "four bytes": (lambda good: good[:4], "MALFORMED"),
    "a length that is never reached": (lambda good: good[:5] + b"\xfe\xff\xff\xff\x0f" + good[6:], "MALFORMED"),
    "no value": (lambda good: None, "MALFORMED"),
    "unknown schema id": (lambda good: UNKNOWN_SCHEMA + good[5:], "SCHEMA_UNKNOWN"),
    "another topic's schema": (lambda good: encode(load_examples("call.dial")[0]), "WRONG_TOPIC"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_malformed_bytes_become_a_dead_letter_and_the_next_lead_is_admitted(hand: StandIn, damage: str) -> None:
    make, reason = DAMAGES[damage]
    good = hand.lead(f"after-{damage.replace(' ', '-')}")
    value = make(encode(good))
    partition, offset = hand.send_bytes("lead.submitted", value, _headers(good), partition=0)
    hand.send_bytes("lead.submitted", encode(good), _headers(good), key=good.lead_id, partition=0)
    letter = _letter(hand, DEAD, partition, offset)
    assert letter.value == (value or b"")
    assert _header(letter, "dead_reason") == reason
    assert _header(letter, "dead_topic") == "lead.submitted"
    assert _header(letter, "dead_service") == "lead-router"
    wait_for(lambda: hand.lead_answer(good.lead_id).status_code == 200, "the good lead behind it")
    print(f"shown: {damage}: {reason} at {partition}@{offset}, {len(letter.value)} original bytes; next lead admitted")


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("ce_id", "", "BAD_HEADERS"),
        ("ce_time", "yesterday", "BAD_HEADERS"),
        ("ce_time", "2026-11-17T15:00:00", "BAD_HEADERS"),
        ("ce_type", "call.dial", "WRONG_TOPIC"),
    ],
)
def test_bad_headers_become_a_dead_letter(hand: StandIn, name: str, value: str, reason: str) -> None:
    partition, offset = hand.send(hand.lead(f"header-{name}-{len(value)}"), **{name: value})
    letter = _letter(hand, DEAD, partition, offset)
    assert _header(letter, "dead_reason") == reason
    print(f"shown: header {name} of {len(value)} characters: {reason}")


CONTENTS: dict[str, tuple[Callable[[LeadSubmitted, StandIn], LeadSubmitted], str]] = {
    "a number with letters": (
        lambda lead, _: replace(
            lead, phones=(Phone(number="1-800-FLOWERS", default_region="US", line_type=LineType.LANDLINE),)
        ),
        "BAD_NUMBER",
    ),
    "no number": (lambda lead, _: replace(lead, phones=()), "MISSING_FIELD"),
    "no person": (lambda lead, _: replace(lead, person_id=""), "MISSING_FIELD"),
    "score of 7": (lambda lead, _: replace(lead, score=7.0), "BAD_SCORE"),
    "score that is no number": (lambda lead, _: replace(lead, score=float("nan")), "BAD_SCORE"),
    "expired": (lambda lead, hand: replace(lead, expires_at=hand.now() - timedelta(hours=1)), "EXPIRED"),
    "a NUL in a text": (lambda lead, _: replace(lead, first_name="Al\x00ex"), "MALFORMED"),
    "a text too long": (lambda lead, _: replace(lead, first_name="x" * 300), "TOO_LONG"),
    "a lead_id of its own making": (lambda lead, _: replace(lead, lead_id="not-a-uuid"), "MALFORMED"),
    "unknown action": (lambda lead, _: replace(lead, action=LeadAction.UNKNOWN), "ACTION_UNKNOWN"),
}


@pytest.mark.parametrize("content", CONTENTS)
def test_a_lead_that_cannot_be_called_is_a_dead_letter_that_repeats_no_value(hand: StandIn, content: str) -> None:
    change, reason = CONTENTS[content]
    bad = change(hand.lead(f"content-{content.replace(' ', '-')}"), hand)
    letter = _letter(hand, DEAD, *hand.send(bad))
    assert _header(letter, "dead_reason") == reason
    detail = _header(letter, "dead_detail")
    for value in (*(p.number for p in bad.phones), bad.first_name or "Alex", bad.person_id):
        assert not value or value not in detail
    print(f"shown: {content}: {reason}: {detail}")


def test_cancel_of_a_lead_id_that_is_none_changes_nothing(hand: StandIn) -> None:
    for lead_id in ("", "not-a-uuid", "a\x00b", "x" * 5000):
        hand.send(replace(hand.lead("cancelled"), lead_id=lead_id, action=LeadAction.CANCEL))
    good = hand.lead("after-odd-cancels")
    for partition in (0, 1):
        hand.send_bytes("lead.submitted", encode(good), _headers(good), key=good.lead_id, partition=partition)
    wait_for(lambda: hand.lead_answer(good.lead_id).status_code == 200, "the good lead behind it")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"suppression_id": "a\x00b"}, "MALFORMED"),
        ({"phone": "+1800FLOWERS"}, "BAD_NUMBER"),
        ({"phone": None, "person_id": None}, "MISSING_FIELD"),
    ],
)
def test_a_suppression_that_cannot_be_stored_does_not_hold_up_the_next(
    hand: StandIn, changes: dict[str, Any], reason: str
) -> None:
    good = SuppressionSubmitted(
        suppression_id=f"after-{reason}",
        seller_id="S9",
        requested_at=hand.now(),
        source=SuppressionSource.CRM,
        person_id=f"nobody-{reason}",
    )
    headers = {**_headers(hand.lead("suppression")), "ce_type": b"suppression.submitted"}
    partition, offset = hand.send_bytes("suppression.submitted", encode(replace(good, **changes)), headers, partition=0)
    hand.send_bytes("suppression.submitted", encode(good), {**headers, "ce_id": reason.encode()}, partition=0)
    letter = _letter(hand, "suppression.submitted.dead", partition, offset)
    assert _header(letter, "dead_reason") == reason
    key = good.suppression_id.encode()
    wait_for(lambda: any(r.key == key for r in hand.records("suppression.changed")), "the good suppression behind it")
    print(f"shown: suppression with {sorted(changes)} of another shape: {reason}; the next one is in force")


def test_garbage_on_every_topic_is_a_dead_letter_of_each_consumer_and_all_services_live(hand: StandIn) -> None:
    """Bytes that are no event, and an event whose first text holds a NUL, which no database stores."""
    wanted: dict[tuple[str, str, bytes], tuple[int, int]] = {}
    for topic in TOPICS.values():
        services = [c for c in topic.consumers if c in hand.stack.addresses.http_ports]
        if topic.dead_letter is None or not services or topic.cleanup == "compact":
            continue  # a compacted topic would keep the garbage for every later boot of this stack
        headers = {**_headers(hand.lead("garbage")), "ce_type": topic.name.encode()}
        for value in (GARBAGE, encode(_with_nul(load_examples(topic.name)[0]))):
            place = hand.send_bytes(topic.name, value, headers, partition=0)
            wanted |= {(topic.dead_letter, service, value): place for service in services}

    def missing() -> set[tuple[str, str, bytes]]:
        found = {
            key
            for letters in hand.reader.read({dead for dead, _, _ in wanted}).values()
            for r in letters
            if wanted.get(key := (r.topic, _header(r, "dead_service"), r.value)) == _place(r)
        }
        return set(wanted) - found

    assert until(lambda: not missing(), 60), f"no dead letter: {sorted(missing())}"
    for service in hand.stack.addresses.http_ports:
        assert httpx.get(f"{hand.stack.addresses.url(service)}/readyz", timeout=5).status_code == 200, service
    print(f"shown: garbage on {len({t for t, _, _ in wanted})} topics: {len(wanted)} dead letters, all services ready")


def _with_nul(event: Event) -> Any:
    name = next(f.name for f in fields(cast(Any, event)) if type(getattr(event, f.name)) is str)
    return replace(cast(Any, event), **{name: "a\x00b"})


def _headers(lead: LeadSubmitted) -> dict[str, bytes]:
    own = EventHeaders(
        id=f"ce-{lead.lead_id}", type="lead.submitted", source=SOURCE, subject="k", time=lead.submitted_at
    )
    return dict(own.to_kafka())


def _letter(hand: StandIn, topic: str, partition: int, offset: int) -> Record:
    found: list[Record] = []

    def came() -> bool:
        found[:] = [r for r in hand.records(topic) if _place(r) == (partition, offset)]
        return bool(found)

    wait_for(came, f"the dead letter of {partition}@{offset}", 30)
    return found[0]


def _place(record: Record) -> tuple[int, int]:
    return int(_header(record, "dead_partition")), int(_header(record, "dead_offset"))


def _header(record: Record, name: str) -> str:
    return record.headers[name].decode()
