"""Offers decided together get the answers they would get one by one, for a number of queries that does not grow."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from compliance_gate.adapters.memory import MemoryStore
from compliance_gate.adapters.postgres import PostgresStore
from compliance_gate.app import SUBSCRIPTIONS
from compliance_gate.domain.ledger import Chain
from compliance_gate.handlers.offers import on_lead_ready, on_lead_ready_batch
from compliance_gate.handlers.preflight import post_preflight
from compliance_gate.handlers.suppressions import on_suppression_submitted
from outdial_contracts.events import (
    BlockReason,
    CallMode,
    ComplianceBlocked,
    ComplianceCleared,
    LeadReady,
    SuppressionSource,
    SuppressionSubmitted,
)
from outdial_runtime.outcome import DeadLetter, Drop, Outcome, Publish, RetryLater

SEEDS = (1, 2, 3)


def phone(number: int) -> str:
    return f"+1212555{number:04d}"


async def decide(world: Any, *offers: LeadReady) -> Sequence[Outcome]:
    """One batch, as the runtime hands it over; causes are cause-0, cause-1, ..."""
    messages = [world.received(offer, f"cause-{n}") for n, offer in enumerate(offers)]
    batched = SUBSCRIPTIONS[LeadReady].batched
    assert batched is not None
    return await batched.handler(messages, world.deps)


def answers(outcomes: Sequence[Outcome]) -> list[Any]:
    """The events published, one for each outcome."""
    return [outcome.events[0] for outcome in outcomes if isinstance(outcome, Publish)]


def reasons(outcomes: Sequence[Outcome]) -> list[tuple[BlockReason, ...]]:
    return [event.reasons if isinstance(event, ComplianceBlocked) else () for event in answers(outcomes)]


async def test_offers_of_one_person_in_a_batch_see_each_others_reservations(world: Any, a: Any) -> None:
    """Three are allowed; without that all five would be cleared at once."""
    outcomes = await decide(world, *(a.offer(phone=phone(n)) for n in range(5)))
    assert reasons(outcomes) == [(), (), (), (BlockReason.ATTEMPT_CAP,), (BlockReason.ATTEMPT_CAP,)]
    later = await decide(world, a.offer(person_id="another", phone=phone(0)), a.offer(phone=phone(9)))
    assert reasons(later) == [(), (BlockReason.ATTEMPT_CAP,)]


async def test_offers_on_one_number_in_a_batch_see_each_others_reservations(world: Any, a: Any) -> None:
    world.publish(retry_max_per_person=1)
    outcomes = await decide(world, *(a.offer(person_id=f"p{n}") for n in range(3)))
    assert reasons(outcomes) == [(), (BlockReason.ATTEMPT_CAP,), (BlockReason.ATTEMPT_CAP,)]


async def test_an_attempt_twice_in_a_batch_is_decided_once(world: Any, a: Any) -> None:
    offer = a.offer()
    messages = [world.received(offer, cause) for cause in ("first", "first", "second")]
    first, again, other = await on_lead_ready_batch(messages, world.deps)
    assert isinstance(first, Publish)
    assert again == first
    assert other == Drop("ALREADY_DECIDED")
    assert await on_lead_ready_batch(messages, world.deps) == [first, first, other]
    assert len(await world.deps.store.records(world.deps.chains[Chain.DECISIONS])) == 2


async def test_each_of_a_batch_is_answered_for_itself(world: Any, a: Any) -> None:
    event = SuppressionSubmitted(
        suppression_id="s1",
        source=SuppressionSource.CRM,
        seller_id="*",
        requested_at=a.now - timedelta(days=1),
        phone=phone(2),
    )
    await on_suppression_submitted(world.received(event), world.deps)
    offers = [a.offer(person_id=f"p{n}", phone=phone(n)) for n in range(6)]
    offers[0] = replace(offers[0], modes=())
    offers[1] = replace(offers[1], campaign_version=9)
    offers[3] = replace(offers[3], consents=())
    offers[4] = replace(offers[4], expires_at=a.now)
    outcomes = await decide(world, *offers)
    assert isinstance(outcomes[0], DeadLetter)
    assert isinstance(outcomes[1], RetryLater)
    wanted = [BlockReason.INTERNAL_DNC], [BlockReason.CONSENT_MISSING], [BlockReason.OFFER_EXPIRED], []
    assert reasons(outcomes[2:]) == [tuple(found) for found in wanted]
    names = [event.attempt_id for event in answers(outcomes)]
    assert names == [offer.attempt_id for offer in offers[2:]]


async def test_a_revocation_is_known_to_every_offer_of_the_batch(world: Any, a: Any) -> None:
    revoked = a.consent(revoked_at=a.now - timedelta(days=1))
    outcomes = await decide(world, a.offer(), a.offer(consents=(revoked,), person_id="p2", phone=phone(2)))
    assert reasons(outcomes) == [(BlockReason.CONSENT_REVOKED,)] * 2


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_batch_answers_what_one_by_one_would(world: Any, a: Any, make_deps: Any, seed: int) -> None:
    """Few persons, numbers and sellers, so that caps, consents and repeats of the batch meet."""
    chance = random.Random(seed)
    offers = [
        a.offer(
            person_id=f"p{chance.randrange(6)}",
            phone=phone(chance.randrange(6)),
            consents=chance.choice([(), (a.consent(consent_id=f"c{n}"),)]),
            modes=chance.choice([(CallMode.LIVE_AUTODIALED,), (CallMode.LIVE_MANUAL, CallMode.PRERECORDED)]),
        )
        for n in range(40)
    ]
    batch = answers(await decide(world, *offers))
    alone = make_deps(MemoryStore(world.deps.chains), world.deps.chains)
    alone.publish()
    for event, offer in zip(batch, offers, strict=True):
        [single] = answers([await on_lead_ready(alone.received(offer), alone.deps)])
        assert type(single) is type(event)
        if isinstance(event, ComplianceCleared):
            assert replace(event, token="") == replace(single, token="")
        else:
            assert event == single


class Counting(asyncpg.Connection):  # type: ignore[misc]
    """Counts what it asks the database: statements, and copies, which its own query logger does not see."""

    asked: list[str]

    async def copy_records_to_table(self, table_name: str, **rest: Any) -> str:
        self.asked.append(f"COPY {table_name}")
        return str(await super().copy_records_to_table(table_name, **rest))


async def count(connection: Counting) -> None:
    """Makes a new connection of the pool count."""
    connection.asked = []
    connection.add_query_logger(lambda record: connection.asked.append(record.query))


@asynccontextmanager
async def counted(real: Any, dsn: str) -> AsyncIterator[list[str]]:
    """The gate on one connection whose statements are counted."""
    real.publish()
    settings = {"search_path": await real.pool.fetchval("SELECT current_schema()")}
    async with asyncpg.create_pool(
        dsn, min_size=1, max_size=1, server_settings=settings, connection_class=Counting, init=count
    ) as pool:
        real.deps = replace(real.deps, store=PostgresStore(pool, real.rows, real.deps.chains))
        async with pool.acquire() as connection:
            asked_of: list[str] = connection.asked
        yield asked_of


@pytest.mark.stack
async def test_preflight_costs_the_same_queries_however_many_leads_it_is_asked(
    real: Any, a: Any, postgres_dsn: str
) -> None:
    asked = {}
    async with counted(real, postgres_dsn) as asked_of:
        for size in (1, 10, 300):
            asked_of.clear()
            leads = [{"lead_id": f"L{n}", "person_id": f"p{n}", "phone": phone(n)} for n in range(size)]
            body = json.dumps({"campaign": a.campaign(), "leads": leads}).encode()
            assert (await post_preflight(real.request(body), real.deps)).reply.body["blocked_total"] == size
            asked[size] = list(asked_of)
    assert asked[10] == asked[300]


@pytest.mark.stack
async def test_a_batch_costs_the_same_queries_however_many_offers_it_holds(
    real: Any, a: Any, postgres_dsn: str
) -> None:
    asked = {}
    async with counted(real, postgres_dsn) as asked_of:
        await decide(real, a.offer(person_id="first of the connection"))
        for size in (10, 200):
            asked_of.clear()
            offers = [a.offer(person_id=f"p{size}-{n}", phone=phone(size + n)) for n in range(size)]
            outcomes = await on_lead_ready_batch([real.received(offer) for offer in offers], real.deps)
            assert all(isinstance(event, ComplianceCleared) for event in answers(outcomes))
            asked[size] = list(asked_of)
    assert asked[10] == asked[200]
    assert "COPY clearances" in asked[10]


@pytest.mark.stack
async def test_one_that_can_never_be_stored_does_not_take_the_others_with_it(real: Any, a: Any) -> None:
    real.publish()
    offers = [a.offer(person_id=f"p{n}", phone=phone(n)) for n in range(4)]
    offers[2] = replace(offers[2], attempt_id="a\x00b")
    outcomes = await decide(real, *offers)
    assert isinstance(outcomes[2], DeadLetter)
    assert outcomes[2].reason == "UNSTORABLE"
    assert reasons(outcomes) == [()] * 3


@pytest.mark.stack
async def test_nothing_of_a_batch_is_decided_while_the_ledger_cannot_be_written(real: Any, a: Any) -> None:
    real.publish()
    offers = [a.offer(person_id=f"p{n}", phone=phone(n)) for n in range(4)]
    await real.pool.execute("ALTER TABLE ledger_records RENAME TO gone")
    assert await decide(real, *offers) == [RetryLater("STORE_UNAVAILABLE", 1.0)] * 4
    await real.pool.execute("ALTER TABLE gone RENAME TO ledger_records")
    assert await real.pool.fetchval("SELECT count(*) FROM clearances") == 0
    assert reasons(await decide(real, *offers)) == [()] * 4
