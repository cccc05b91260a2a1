"""A seeded stream of call.ended and call.disposition: repeats, later revisions, second legs, moves, any order."""

from __future__ import annotations

import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from outdial_contracts.codec import encode
from outdial_contracts.events import (
    CallDisposition,
    CallEnded,
    Context,
    DispositionCode,
    EndClass,
    Fault,
    Segment,
    Verdict,
)
from outdial_contracts.headers import EventHeaders, Headers, event_id
from outdial_contracts.topics import TOPICS

OPENED = datetime(2026, 11, 17, 14, 40, tzinfo=UTC)
MINUTES = 50
CAMPAIGNS = ("autumn", "spring", "winter")
ZONES = ("America/New_York", "America/Los_Angeles", "America/St_Johns", "America/Phoenix", None)
Said = CallEnded | CallDisposition
NEVER_FIRST = 0.15
"""Share of messages that come anywhere in the stream; the others come nearly in order."""


@dataclass(frozen=True, kw_only=True)
class Wire:
    """A record as its producer writes it."""

    topic: str
    key: bytes
    value: bytes
    headers: Headers


def stream(seed: int, attempts: int) -> list[Wire]:
    """All records in the order in which they are to be produced; about five of an attempt."""
    chance = random.Random(seed)
    placed: list[tuple[float, Said]] = []
    for number in range(attempts):
        began_at = OPENED + timedelta(minutes=MINUTES * number / attempts, seconds=chance.random())
        for event in _life(chance, number, began_at):
            for _ in range(1 + (chance.random() < 0.3) + (chance.random() < 0.1)):
                late = chance.random() < NEVER_FIRST
                placed.append((chance.random() if late else number / attempts + chance.random() / 20, event))
    placed.sort(key=lambda place: place[0])
    return [_wire(event) for _, event in placed]


def _life(chance: random.Random, number: int, began_at: datetime) -> Sequence[Said]:
    """What is said of one attempt, first things first."""
    head = _head(chance, number)
    legs = [_ended(chance, head, began_at, leg_no + 1) for leg_no in range(chance.choice((0, 1, 1, 1, 2)))]
    redeemed_at = None if chance.random() < 0.05 else began_at - timedelta(milliseconds=chance.randrange(300))
    disposed = []
    for revision in range(chance.choice((0, 1, 1, 2, 3))):
        event = _disposed(chance, head, began_at, revision + 1)
        # Only a later revision may know when it was redeemed: the attempt may move to the window before.
        disposed.append(replace(event, redeemed_at=redeemed_at if revision or chance.random() < 0.8 else None))
    return [*legs, *disposed]


def _head(chance: random.Random, number: int) -> dict[str, Any]:
    lead_id = str(uuid.uuid5(uuid.NAMESPACE_OID, f"lead-{number}"))
    context = Context(
        lead_id=lead_id,
        attempt_no=1,
        segment=Segment.COLD,
        score_band="0.4-0.6",
        local_zone=chance.choice(ZONES),
    )
    return {
        "attempt_id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"attempt-{number}")),
        "team_id": f"team-{number % 4}",
        "campaign_id": chance.choice(CAMPAIGNS),
        "campaign_version": 1,
        "context": context,
    }


def _ended(chance: random.Random, head: dict[str, Any], began_at: datetime, leg_no: int) -> CallEnded:
    kind = chance.choice((EndClass.CONNECTED, EndClass.MACHINE, EndClass.NO_ANSWER, EndClass.ABANDONED))
    answered = kind is not EndClass.NO_ANSWER
    invited_at = began_at + timedelta(seconds=leg_no - 1)
    answered_at = invited_at + timedelta(seconds=4) if answered else None
    return CallEnded(
        **head,
        leg_no=leg_no,
        gateway_id="gateway-0",
        boot_id="boot",
        lease_id="lease",
        dialled=chance.random() < 0.9,
        end_class=kind,
        fault=Fault.CALLEE,
        hung_up_by=Fault.CALLEE,
        verdict=chance.choice((Verdict.HUMAN, Verdict.SCREENER, Verdict.UNCERTAIN)) if answered else None,
        safe_harbour_played=False,
        invited_at=invited_at if chance.random() < 0.95 else None,
        alerting_at=invited_at + timedelta(seconds=1) if chance.random() < 0.7 else None,
        answered_at=answered_at,
        bridged_at=answered_at + timedelta(seconds=1) if answered_at and kind is EndClass.CONNECTED else None,
        ended_at=invited_at + timedelta(seconds=6 + chance.randrange(40)),
        packets_received=0,
        packets_lost=0,
        jitter_ms=0.0,
    )


def _disposed(chance: random.Random, head: dict[str, Any], began_at: datetime, revision: int) -> CallDisposition:
    return CallDisposition(
        **head,
        reached=chance.random() < 0.5,
        human_answer=chance.random() < 0.5,
        connected=chance.random() < 0.5,
        conversation=chance.random() < 0.5,
        lead_id=head["context"].lead_id,
        revision=revision,
        code=DispositionCode.CONNECTED,
        final=False,
        abandoned=False,
        right_party=False,
        conversion=False,
        dnc=False,
        charged=chance.random() < 0.9,
        end_class=EndClass.CONNECTED,
        fault=Fault.CALLEE,
        invited_at=began_at if chance.random() < 0.9 else None,
        closed_by_deadline=False,
        disposed_at=began_at + timedelta(seconds=60 * revision),
    )


def _wire(event: Said) -> Wire:
    topic = TOPICS[event.TOPIC]
    key = topic.key_of(event)
    number = event.revision if isinstance(event, CallDisposition) else event.leg_no
    headers = EventHeaders(
        id=event_id(event.attempt_id, topic.name, number), type=topic.name, source="stream", subject=key, time=OPENED
    )
    return Wire(topic=topic.name, key=key.encode(), value=encode(event), headers=headers.to_kafka())
