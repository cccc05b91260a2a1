"""Nothing is lost, nothing is said twice in different words, nothing leaks, and the world comes to rest."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Any

from outdial_contracts.events import LeadState
from outdial_contracts.topics import TOPICS
from outdial_world.history import TopicRecord
from outdial_world.invariants.facts import Facts
from outdial_world.invariants.violation import Name, Violation

HEARTBEATS = frozenset({"agent.state", "agent.leg", "gateway.capacity"})
"""Topics that never end; their last records may be under way."""
E164 = re.compile(r"\+[1-9]\d{6,14}")


def check(facts: Facts) -> Iterator[Violation]:
    """All of them."""
    yield from _rest(facts)
    yield from _leads(facts)
    yield from _same(facts)
    yield from _ids(facts)
    ours = {n for d in facts.documents.values() for n in (*d.caller_ids, d.seller_callback)}
    callees = facts.history.persons.keys() - ours
    for record in facts.history.records:
        yield from _restricted(callees, record)
        if record.dead and record.source != "world":
            detail = f"{record.topic} has a dead letter of {record.source}"
            yield Violation(name=Name.DEAD_LETTERS_ONLY_FOR_BAD, detail=detail, at=record.at)


def _rest(facts: Facts) -> Iterator[Violation]:
    history = facts.history
    if not history.drained:
        yield Violation(name=Name.WORLD_COMES_TO_REST, detail="something was still to be done when the time was over")
    for name, behind in history.final.undelivered.items():
        if behind and name.partition("/")[2] not in HEARTBEATS:
            detail = f"{behind} records of {name} were never handled"
            yield Violation(name=Name.NOTHING_LOST, detail=detail)
    for service, waiting in history.final.outboxes.items():
        if waiting:
            yield Violation(name=Name.NOTHING_LOST, detail=f"{waiting} events of {service} were never relayed")


def _leads(facts: Facts) -> Iterator[Violation]:
    """Whoever got a 2xx for a lead finds it in lead.state."""
    known = {(state.source, state.external_id) for state in facts.history.events(LeadState)}
    for rpc in facts.history.rpcs:
        if rpc.method != "POST /v1/leads" or rpc.reply is None or rpc.reply.status not in (200, 201):
            continue
        body: Mapping[str, Any] = rpc.request
        if (body["source"], body["lead_id"]) not in known:
            detail = f"lead {body['lead_id']} was accepted and nothing is known of it"
            yield Violation(name=Name.NOTHING_LOST, detail=detail, at=rpc.answered_at)


def _same(facts: Facts) -> Iterator[Violation]:
    for difference in facts.history.second_run:
        yield Violation(name=Name.SAME_ON_SECOND_RUN, detail=difference)


def _ids(facts: Facts) -> Iterator[Violation]:
    """A repeat of a ce_id says the same, but for the moment at which it was said."""
    first: dict[tuple[str, str], TopicRecord] = {}
    for record in facts.history.records:
        earlier = first.setdefault((record.topic, record.ce_id), record)
        if earlier is record or earlier.event == record.event:
            continue
        changed = _differences(earlier.event, record.event)
        if changed:
            detail = f"two records of {record.topic} with one ce_id differ in {', '.join(changed)}"
            yield Violation(name=Name.CE_ID_NAMES_ONE_EVENT, detail=detail, at=record.at)


def _differences(one: Any, other: Any) -> list[str]:
    pairs = [(name, getattr(one, name), getattr(other, name)) for name in _names(type(one))]
    return [name for name, a, b in pairs if a != b and not isinstance(a, datetime)]


def _restricted(callees: Set[str], record: TopicRecord) -> Iterator[Violation]:
    if TOPICS[record.topic].restricted:
        return
    if any(number in callees for number in _numbers(record.event)):
        yield Violation(
            name=Name.NUMBERS_STAY_RESTRICTED, detail=f"{record.topic} names a callee's number", at=record.at
        )


def _numbers(value: Any) -> Iterator[str]:
    """Everything in a value that looks like a number."""
    if isinstance(value, str):
        if "+" in value:
            yield from E164.findall(value)
    elif isinstance(value, bytes):
        if b"+" in value:
            yield from E164.findall(value.decode("utf-8", "replace"))
    elif is_dataclass(value):
        for name in _names(type(value)):
            yield from _numbers(getattr(value, name))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _numbers(key)
            yield from _numbers(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _numbers(item)


def _names(kind: Any) -> tuple[str, ...]:
    if kind not in _FIELDS:
        _FIELDS[kind] = tuple(f.name for f in fields(kind))
    return _FIELDS[kind]


_FIELDS: dict[Any, tuple[str, ...]] = {}
