"""What every store of webhooks does: the fake in memory and PostgreSQL under one suite."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from disposition.adapters.memory import MemoryStore
from disposition.adapters.postgres import PostgresStore
from disposition.adapters.webhook_postgres import _CLAIM, _DUE, PostgresWebhooks
from disposition.domain.delivery import DEAD_KEPT, DELIVERED_KEPT, Answer, DeliveryState, Ruling, Trouble, judge
from disposition.domain.payloads import Webhook
from disposition.ports import Claimed, Endpoint, Webhooks
from outdial_testing import VirtualClock

NOW = VirtualClock().now()
URL = "https://crm.example.test/hook"
LEASE_SECONDS = 30.0
S = DeliveryState


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def endpoint(campaign_id: str = "c1", **changes: Any) -> Endpoint:
    made = Endpoint(campaign_id=campaign_id, version=1, seller_id="S1", url=URL, secret_env="OUTDIAL_WEBHOOK_SECRET")
    return replace(made, **changes)


def webhook(subject: str = "lead-1", campaign_id: str = "c1") -> Webhook:
    return Webhook(
        webhook_id=str(uuid.uuid4()), campaign_id=campaign_id, type="lead.state", subject=subject, body='{"n":"ü"}'
    )


@pytest.fixture
async def webhooks(store: MemoryStore | PostgresStore, request: pytest.FixtureRequest) -> Webhooks:
    """Of either store, with the endpoint of c1."""
    if isinstance(store, MemoryStore):
        chosen: Webhooks = store.webhooks
    else:
        chosen = PostgresWebhooks(request.getfixturevalue("pool"))
    await chosen.publish(endpoint())
    return chosen


async def claim(webhooks: Webhooks, seconds: float = 0.0, limit: int = 10, campaign_id: str = "c1") -> list[Claimed]:
    return await webhooks.claim(campaign_id, after(seconds), after(seconds + LEASE_SECONDS), limit)


def ruling(status: int, tries: int = 1, seconds: float = 0.0, retry_after: float | None = None) -> Ruling:
    return judge(tries, Answer.of_status(status, retry_after), after(seconds), 0.0)


async def counts(webhooks: Webhooks, campaign_id: str = "c1") -> dict[DeliveryState, int]:
    return dict((await webhooks.counts()).get(campaign_id, {}))


async def test_it_is_claimed_word_for_word_and_delivered_once(webhooks: Webhooks) -> None:
    wanted = webhook()
    await webhooks.queue([wanted], NOW)
    [claimed] = await claim(webhooks)
    assert claimed == Claimed(webhook=wanted, tries=1)
    await webhooks.settle(claimed, URL, ruling(204), after(1))
    assert await claim(webhooks, 3600) == []
    assert await webhooks.due(after(3600)) == []
    assert await counts(webhooks) == {S.DELIVERED: 1}


async def test_what_is_queued_again_is_not_sent_again(webhooks: Webhooks) -> None:
    wanted = webhook()
    for seconds in (0, 1):
        await webhooks.queue([wanted], after(seconds))
    [claimed] = await claim(webhooks, 2)
    await webhooks.settle(claimed, URL, ruling(204), after(3))
    await webhooks.queue([wanted], after(4))
    assert await claim(webhooks, 5) == []


async def test_nothing_is_queued_for_a_campaign_that_wants_none(webhooks: Webhooks) -> None:
    await webhooks.publish(endpoint("mute", url=None))
    await webhooks.queue([webhook(campaign_id="mute")], NOW)
    assert await counts(webhooks, "mute") == {}


async def test_what_comes_before_its_campaign_waits_for_it(webhooks: Webhooks) -> None:
    await webhooks.queue([webhook(campaign_id="late"), webhook(campaign_id="never")], NOW)
    assert await webhooks.due(after(1)) == []
    await webhooks.publish(endpoint("late"))
    assert [e.campaign_id for e in await webhooks.due(after(1))] == ["late"]
    await webhooks.sweep(after(1) + DEAD_KEPT, 100)
    assert await counts(webhooks, "never") == {}, "nobody will publish it any more"


async def test_two_senders_never_have_the_same_webhook(webhooks: Webhooks) -> None:
    await webhooks.queue([webhook(f"lead-{n}") for n in range(40)], NOW)
    found = await asyncio.gather(*(claim(webhooks, limit=7) for _ in range(8)))
    ids = [c.webhook.webhook_id for claims in found for c in claims]
    assert len(ids) == len(set(ids))
    rest = [c.webhook.webhook_id for c in await claim(webhooks, limit=100)]
    assert len(set(ids) | set(rest)) == 40


async def test_a_sender_that_died_leaves_it_to_the_next_after_the_lease(webhooks: Webhooks) -> None:
    await webhooks.queue([webhook()], NOW)
    [dead] = await claim(webhooks)
    assert await claim(webhooks, LEASE_SECONDS - 0.1) == []
    [again] = await claim(webhooks, LEASE_SECONDS)
    assert (again.webhook, again.tries) == (dead.webhook, 2), "under the same id"


async def test_a_late_failure_of_a_lost_lease_is_void_but_a_late_success_counts(webhooks: Webhooks) -> None:
    await webhooks.queue([webhook()], NOW)
    [slow] = await claim(webhooks)
    [fast] = await claim(webhooks, LEASE_SECONDS)
    await webhooks.settle(slow, URL, ruling(422, 1), after(LEASE_SECONDS + 1))
    assert await counts(webhooks) == {S.PENDING: 1}
    await webhooks.settle(slow, URL, ruling(204, 1), after(LEASE_SECONDS + 2))
    await webhooks.settle(fast, URL, ruling(500, 2), after(LEASE_SECONDS + 3))
    assert await counts(webhooks) == {S.DELIVERED: 1}


async def test_of_one_lead_the_later_never_overtakes_the_earlier(webhooks: Webhooks) -> None:
    first, second, other = webhook("lead-1"), webhook("lead-1"), webhook("lead-2")
    await webhooks.queue([first, second, other], NOW)
    claims = await claim(webhooks)
    assert [c.webhook for c in claims] == [first, other]
    assert await claim(webhooks, 1) == [], "the first is on the wire"
    await webhooks.settle(claims[0], URL, ruling(500), after(2))
    assert await claim(webhooks, 3) == [], "the first waits for its next try"
    [again] = await claim(webhooks, 8)
    assert (again.webhook, again.tries) == (first, 2)
    await webhooks.settle(again, URL, ruling(422, 2), after(9))
    assert [c.webhook for c in await claim(webhooks, 10)] == [second], "a dead one holds up nobody"


async def test_retry_after_leaves_the_whole_endpoint_alone(webhooks: Webhooks) -> None:
    await webhooks.publish(endpoint("c2"))
    await webhooks.publish(endpoint("c3", url="https://other.example.test/"))
    await webhooks.queue([webhook(), webhook("lead-2"), webhook(campaign_id="c2"), webhook(campaign_id="c3")], NOW)
    claimed, _ = await claim(webhooks)
    await webhooks.settle(claimed, URL, ruling(429, retry_after=60), after(1))
    assert [e.campaign_id for e in await webhooks.due(after(50))] == ["c3"]
    assert [e.campaign_id for e in await webhooks.due(after(61))] == ["c1", "c2", "c3"]


async def test_410_disables_the_endpoint_until_a_newer_version(webhooks: Webhooks) -> None:
    await webhooks.queue([webhook(), webhook("lead-2")], NOW)
    [claimed] = await claim(webhooks, limit=1)
    await webhooks.settle(claimed, URL, ruling(410), after(1))
    assert await webhooks.due(after(2)) == []
    await webhooks.sweep(after(2), 100)
    assert {(d.trouble, d.status) for d in await webhooks.dead("c1", 10)} == {(Trouble.GONE, 410)}
    assert await counts(webhooks) == {S.DEAD: 2}, "what waited is dead and can be replayed; nothing is lost"
    await webhooks.queue([webhook("lead-3")], after(3))
    await webhooks.publish(endpoint())
    assert await webhooks.due(after(4)) == [], "the same version read again enables nothing"
    await webhooks.publish(endpoint(version=2))
    assert [e.version for e in await webhooks.due(after(4))] == [2]


async def test_an_older_version_read_again_changes_nothing(webhooks: Webhooks) -> None:
    await webhooks.publish(endpoint(version=3, url="https://new.example.test/"))
    await webhooks.publish(endpoint(version=2))
    await webhooks.queue([webhook()], NOW)
    assert [e.url for e in await webhooks.due(NOW)] == ["https://new.example.test/"]


async def test_what_waits_for_a_withdrawn_endpoint_is_forgotten(webhooks: Webhooks) -> None:
    await webhooks.queue([webhook()], NOW)
    await webhooks.publish(endpoint(version=2, url=None))
    await webhooks.sweep(after(1), 100)
    assert await counts(webhooks) == {}


async def test_a_dead_one_says_why_and_is_replayed_from_its_first_try(webhooks: Webhooks) -> None:
    one, two = webhook(), webhook("lead-2")
    await webhooks.queue([one, two], NOW)
    for claimed in await claim(webhooks):
        await webhooks.settle(claimed, URL, ruling(422), after(1))
    [dead, _] = await webhooks.dead("c1", 10)
    assert (dead.webhook_id, dead.tries, dead.trouble, dead.status) == (one.webhook_id, 1, Trouble.STATUS, 422)
    assert (dead.queued_at, dead.dead_at) == (NOW, after(1))
    assert len(await webhooks.dead(None, 1)) == 1
    assert await webhooks.dead("c2", 10) == []
    assert await webhooks.replay("c2", None, after(2)) == 0
    assert await webhooks.replay("c1", two.webhook_id, after(2)) == 1
    assert await claim(webhooks, 3) == [Claimed(webhook=two, tries=1)]
    assert await webhooks.replay("c1", None, after(4)) == 1
    assert await claim(webhooks, 5) == [Claimed(webhook=one, tries=1)]


async def test_a_replay_enables_an_endpoint_that_was_gone(webhooks: Webhooks) -> None:
    await webhooks.queue([webhook()], NOW)
    [claimed] = await claim(webhooks)
    await webhooks.settle(claimed, URL, ruling(410), after(1))
    await webhooks.replay("c1", None, after(2))
    assert [e.campaign_id for e in await webhooks.due(after(2))] == ["c1"]


async def test_what_is_settled_is_forgotten_in_time_and_no_sooner(webhooks: Webhooks) -> None:
    await webhooks.queue([webhook("lead-1"), webhook("lead-2"), webhook("lead-3")], NOW)
    good, bad, _ = await claim(webhooks)
    await webhooks.settle(good, URL, ruling(200), NOW)
    await webhooks.settle(bad, URL, ruling(400), NOW)
    await webhooks.sweep(NOW + DELIVERED_KEPT - timedelta(seconds=1), 100)
    assert await counts(webhooks) == {S.DELIVERED: 1, S.DEAD: 1, S.PENDING: 1}
    assert await webhooks.sweep(NOW + DELIVERED_KEPT, 100) == 1
    assert await webhooks.sweep(NOW + DEAD_KEPT, 100) == 1
    assert await counts(webhooks) == {S.PENDING: 1}, "what waits for a known campaign is never forgotten"


async def test_a_seller_is_told_once_for_each_url(webhooks: Webhooks) -> None:
    await webhooks.publish(endpoint("c0", url="https://other.example.test/"))
    await webhooks.publish(endpoint("c2"))
    await webhooks.publish(endpoint("theirs", seller_id="S2", url="https://s2.example.test/"))
    await webhooks.publish(endpoint("mute", url=None))
    assert {(e.campaign_id, e.url) for e in await webhooks.endpoints_of("S1")} == {
        ("c0", "https://other.example.test/"),
        ("c1", URL),
    }
    assert [e.campaign_id for e in await webhooks.endpoints_of("S2")] == ["theirs"]
    assert len(await webhooks.endpoints_of("*")) == 3
    assert await webhooks.endpoints_of("S3") == []


async def test_a_webhook_is_kept_exactly_when_what_it_tells_is(
    store: MemoryStore | PostgresStore, webhooks: Webhooks, attempt: Any
) -> None:
    async def fail_after_telling() -> None:
        async with store.attempt(attempt.attempt_id) as unit:
            await unit.tell(webhook(), NOW)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail_after_telling()
    assert await counts(webhooks) == {}
    async with store.attempt(attempt.attempt_id) as unit:
        await unit.tell(webhook(), NOW)
    assert await counts(webhooks) == {S.PENDING: 1}


@pytest.mark.stack
async def test_looking_for_work_reads_indexes_of_what_waits(pool: Any) -> None:
    real = PostgresWebhooks(pool)
    await real.publish(endpoint())
    await pool.execute(
        """INSERT INTO webhooks (webhook_id, campaign_id, type, subject, body, state, due_at, queued_at, settled_at)
           SELECT gen_random_uuid(), 'c1', 't', n::text, '', 'DELIVERED', $1, $1, $1
           FROM generate_series(1, 20000) n""",
        NOW,
    )
    await real.queue([webhook(f"lead-{n}") for n in range(50)], NOW)
    await pool.execute("ANALYZE webhooks")
    for query, arguments in ((_DUE, [NOW]), (_CLAIM, ["c1", NOW, after(30), 8])):
        plan = "\n".join(row[0] for row in await pool.fetch(f"EXPLAIN {query}", *arguments))
        assert "webhooks_due" in plan or "webhooks_order" in plan, plan
        assert "Seq Scan on webhooks" not in plan.replace("Seq Scan on webhook_endpoints", ""), plan


@pytest.mark.stack
async def test_the_backlog_of_a_crm_that_is_down_is_not_read_at_every_look(pool: Any) -> None:
    real = PostgresWebhooks(pool)
    await real.publish(endpoint())
    await real.queue([webhook("lead-1"), webhook("lead-1")], NOW)
    [claimed] = await claim(real)
    await real.settle(claimed, URL, ruling(500, tries=2), after(1))
    await real.queue([webhook("lead-1")], after(2))
    due = "SELECT count(*) FROM webhooks WHERE state = 'PENDING' AND due_at <= $1"
    assert await pool.fetchval(due, after(200)) == 0
    assert await real.due(after(200)) == []
    [again] = await claim(real, 300)
    await real.settle(again, URL, ruling(200), after(301))
    assert len(await claim(real, 301)) == 1, "once the first is delivered, the next goes at once"


async def test_what_is_queued_while_one_is_on_the_wire_goes_right_after_it(webhooks: Webhooks) -> None:
    await webhooks.queue([webhook()], NOW)
    [claimed] = await claim(webhooks)
    await webhooks.queue([webhook()], after(1))
    assert await claim(webhooks, 1) == []
    await webhooks.settle(claimed, URL, ruling(200), after(2))
    assert len(await claim(webhooks, 2)) == 1
