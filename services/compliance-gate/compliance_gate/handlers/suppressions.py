"""suppression.submitted, Clearance.Suppress -> suppression.changed; durable and in force when it answers.

Suppress takes the locks of the person and the number, as Redeem does, commits, has suppression.changed acknowledged
by Kafka, and waits one grant lifetime: a grant given before the commit is dead then, and no later one is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC

from google.protobuf.timestamp_pb2 import Timestamp

from compliance_gate.domain.clearance import GRANT_MS
from compliance_gate.domain.ledger import Chain, Entry, RecordKind
from compliance_gate.domain.places import normalise
from compliance_gate.domain.suppression import EVERY_SELLER, Wanted, stable_id
from compliance_gate.ports import Deps, Transaction
from outdial_contracts.events import SuppressionChanged, SuppressionSource, SuppressionSubmitted
from outdial_contracts.rpc import outdial_pb2 as pb
from outdial_runtime.outcome import NOTHING, DeadLetter, Emit, Outcome
from outdial_runtime.service import Answer, Received, Request


async def on_suppression_submitted(message: Received[SuppressionSubmitted], deps: Deps) -> Outcome:
    """Puts a request from a CRM or an import in force; suppression.changed leaves after the commit."""
    event = message.event
    phone = normalise(event.phone, "US", deps.pack.geography) if event.phone else None
    if event.phone and phone is None:
        return DeadLetter("BAD_NUMBER", "phone must be E.164")
    if phone is None and not event.person_id:
        return DeadLetter("MISSING_FIELD", "one of phone and person_id must name who")
    wanted = Wanted(
        suppression_id=event.suppression_id,
        seller_id=event.seller_id,
        source=event.source,
        requested_at=event.requested_at,
        phone=phone,
        person_id=event.person_id,
    )
    await store([wanted], deps)
    return NOTHING


async def suppress(request: Request, deps: Deps) -> Answer:
    """The rpc: answers once no new call to that person can start. The same suppression_id may be repeated."""
    message: pb.SuppressRequest = request.message
    wanted = _wanted(message, request, deps)
    if wanted is None:
        return _unknown("who must be an attempt_id, an E.164 number or a person_id")
    in_force = await put_in_force([wanted], deps)
    if not in_force:
        return _unknown("the attempt is not known")
    since = Timestamp()
    since.FromDatetime(in_force[0].changed_at)
    return Answer(reply=pb.SuppressReply(suppressed=pb.Suppressed(in_force_since=since)))


def _unknown(reason: str) -> Answer:
    return Answer(reply=pb.SuppressReply(unknown=pb.Unknown(reason=reason)))


def _wanted(message: pb.SuppressRequest, request: Request, deps: Deps) -> Wanted | None:
    phone = normalise(message.e164, "US", deps.pack.geography) if message.e164 else None
    if not (message.attempt_id or phone or message.person_id):
        return None
    who = (message.attempt_id, phone or "", message.person_id, message.seller_id)
    asked_at = message.requested_at.ToDatetime(tzinfo=UTC) if message.HasField("requested_at") else request.now
    known_source = message.source in SuppressionSource.__members__
    return Wanted(
        suppression_id=message.suppression_id or stable_id(*who, asked_at.isoformat()),
        seller_id=message.seller_id,
        source=SuppressionSource(message.source) if known_source else SuppressionSource.UNKNOWN,
        requested_at=asked_at,
        phone=phone,
        person_id=message.person_id or None,
        attempt_id=message.attempt_id or None,
    )


async def put_in_force(wanted: Sequence[Wanted], deps: Deps) -> list[SuppressionChanged]:
    """Stores, announces, and waits until every grant given before is dead. Unknown attempts are left out."""
    stored = await store(wanted, deps)
    await outlive_grants(stored, deps)
    return stored


async def outlive_grants(stored: Sequence[SuppressionChanged], deps: Deps) -> None:
    """Has suppression.changed acknowledged by Kafka and waits one grant lifetime after it."""
    if stored:
        deps.outbox.emit(*map(_emit, stored))
        await deps.outbox.flush()
        await deps.pause(GRANT_MS / 1000)


async def store(wanted: Sequence[Wanted], deps: Deps) -> list[SuppressionChanged]:
    """Stores requests in one transaction under the locks of all persons and numbers they name.

    suppression.changed is also written to the table outbox, so a crash after the commit loses it not; whoever needs
    the acknowledgement emits it once more under the same ce_id.
    """
    async with deps.store.transaction() as tx:
        changes = [change for w in wanted if (change := await _resolve(tx, w, deps)) is not None]
        if not changes:
            return []
        await tx.lock([token for c in changes for token in c.person_tokens + c.callee_tokens])
        now = deps.clock.now()
        stored = [await tx.suppress(replace(c, changed_at=now, requested_at=min(c.requested_at, now))) for c in changes]
        await tx.announce(list(map(_emit, stored)))
        await tx.append(Chain.DECISIONS, list(map(_entry, stored)))
    return stored


async def _resolve(tx: Transaction, wanted: Wanted, deps: Deps) -> SuppressionChanged | None:
    """The tokens of who is meant: of an attempt both its person and its number."""
    persons, phones, seller = [wanted.person_id], [wanted.phone], wanted.seller_id
    if wanted.attempt_id:
        clearance = await tx.clearance(wanted.attempt_id)
        if clearance is None:
            return None
        persons.append(clearance.offer.person_id)
        phones.append(clearance.offer.phone)
        seller = seller or clearance.offer.seller_id
    return SuppressionChanged(
        suppression_id=wanted.suppression_id,
        seller_id=seller or EVERY_SELLER,
        source=wanted.source,
        requested_at=wanted.requested_at,
        changed_at=wanted.requested_at,
        callee_tokens=tuple(token for phone in phones if phone for token in deps.tokens.callee_tokens(phone)),
        person_tokens=tuple(token for person in persons if person for token in deps.tokens.person_tokens(person)),
    )


def _emit(change: SuppressionChanged) -> Emit:
    return Emit(event=change, cause=f"suppression:{change.suppression_id}")


def _entry(change: SuppressionChanged) -> Entry:
    body = {
        "suppression_id": change.suppression_id,
        "seller_id": change.seller_id,
        "source": change.source.value,
        "requested_at": change.requested_at.isoformat(),
        "at": change.changed_at.isoformat(),
        "callee_tokens": list(change.callee_tokens),
        "person_tokens": list(change.person_tokens),
    }
    return Entry(kind=RecordKind.SUPPRESSION, body=body)
