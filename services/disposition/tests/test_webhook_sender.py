"""The sender in virtual time: what is due goes out, what fails comes again, nobody waits for a slow endpoint."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from disposition.adapters.webhook_memory import MemoryWebhooks
from disposition.domain.delivery import STANDARD_SECONDS, Answer, DeliveryState, Trouble
from disposition.domain.payloads import Webhook
from disposition.ports import Claimed, Endpoint, SecretAbsent
from disposition.sender import Pace, Sender, SendingTask
from outdial_testing import SeededChance, VirtualClock

URL, OTHER = "https://crm.example.test/hook?token=hush", "https://other.example.test/"
SECRET = "OUTDIAL_WEBHOOK_SECRET"
S = DeliveryState


class FakeSigner:
    def headers(self, secret_env: str | None, webhook_id: str, body: str) -> dict[str, str]:
        if secret_env != SECRET:
            raise SecretAbsent(str(secret_env))
        return {"webhook-id": webhook_id}


@dataclass
class FakeCrm:
    """Answers as told, per URL; keeps the ids that it took and every try."""

    answers: dict[str, Answer] = field(default_factory=dict)
    holds: dict[str, asyncio.Event] = field(default_factory=dict)
    taken: list[str] = field(default_factory=list)
    tries: list[tuple[str, str]] = field(default_factory=list)
    now: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    most: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))

    async def post(self, url: str, headers: Mapping[str, str], body: str) -> Answer:
        self.tries.append((url, headers["webhook-id"]))
        self.now[url] += 1
        self.most[url] = max(self.most[url], self.now[url])
        if url in self.holds:
            await self.holds[url].wait()
        self.now[url] -= 1
        answer = self.answers.get(url, Answer(status=204))
        if answer.trouble is None:
            self.taken.append(headers["webhook-id"])
        return answer


@dataclass
class Desk:
    """A sender with all that it works with."""

    clock: VirtualClock = field(default_factory=VirtualClock)
    crm: FakeCrm = field(default_factory=FakeCrm)
    webhooks: MemoryWebhooks = field(default_factory=MemoryWebhooks)
    pace: Pace = field(default_factory=Pace)

    def sender(self) -> Sender:
        return Sender(
            webhooks=self.webhooks,
            signer=FakeSigner(),
            poster=self.crm,
            clock=self.clock,
            chance=SeededChance(),
            pace=self.pace,
        )

    async def publish(self, campaign_id: str, url: str, secret_env: str | None = SECRET, version: int = 1) -> None:
        await self.webhooks.publish(
            Endpoint(campaign_id=campaign_id, version=version, seller_id="S1", url=url, secret_env=secret_env)
        )

    async def queue(self, campaign_id: str, *names: str, subject: str | None = None) -> None:
        made = [
            Webhook(webhook_id=name, campaign_id=campaign_id, type="t", subject=subject or name, body="{}")
            for name in names
        ]
        await self.webhooks.queue(made, self.clock.now())

    def states(self) -> dict[str, DeliveryState]:
        return {name: row.state for name, row in self.webhooks.rows.items()}


@pytest.fixture
async def desk() -> Desk:
    made = Desk()
    await made.publish("c1", URL)
    await made.publish("c2", OTHER)
    return made


async def live(sender: Sender, desk: Desk, seconds: float, step: float) -> None:
    for _ in range(round(seconds / step)):
        desk.clock.advance(step)
        await sender.once()


async def test_a_crm_that_is_away_for_a_day_gets_everything_afterwards_in_order(desk: Desk) -> None:
    sender = desk.sender()
    await desk.queue("c1", "a1", "a2", "a3", subject="lead-a")
    await desk.queue("c1", "b1")
    desk.crm.answers[URL] = Answer(trouble=Trouble.NOT_REACHED)
    await live(sender, desk, 86400, 900)
    assert desk.crm.taken == []
    assert len(desk.crm.tries) < 2 * len(STANDARD_SECONDS), "a lead's later ones are not even tried"
    del desk.crm.answers[URL]
    await live(sender, desk, 2 * 86400, 900)
    assert [name for name in desk.crm.taken if name != "b1"] == ["a1", "a2", "a3"]
    assert sorted(desk.crm.taken) == ["a1", "a2", "a3", "b1"]


async def test_after_the_last_try_it_is_dead_and_a_replay_delivers_it(desk: Desk) -> None:
    sender = desk.sender()
    await desk.queue("c1", "a")
    desk.crm.answers[URL] = Answer.of_status(500)
    await live(sender, desk, 1.3 * sum(STANDARD_SECONDS), 3600)
    assert desk.states() == {"a": S.DEAD}
    assert len(desk.crm.tries) == len(STANDARD_SECONDS) + 1
    del desk.crm.answers[URL]
    await desk.webhooks.replay("c1", None, desk.clock.now())
    await sender.once()
    assert desk.crm.taken == ["a"]


async def test_what_the_crm_refuses_is_dead_and_holds_up_nobody(desk: Desk) -> None:
    await desk.queue("c1", "a1", "a2", subject="lead-a")
    desk.crm.answers[URL] = Answer.of_status(422)
    sender = desk.sender()
    await sender.once()
    del desk.crm.answers[URL]
    await sender.once()
    assert desk.states() == {"a1": S.DEAD, "a2": S.DELIVERED}


async def test_killed_between_post_and_settlement_it_sends_the_same_id_again(desk: Desk) -> None:
    class Killed(Exception):
        """The process ended."""

    class DyingWebhooks(MemoryWebhooks):
        async def settle(self, claimed: Claimed, url: str, ruling: object, now: object) -> None:
            raise Killed

    await desk.queue("c1", "a")
    dying = DyingWebhooks()
    dying.rows, dying.known = desk.webhooks.rows, desk.webhooks.known
    with pytest.raises(Killed):
        await Desk(clock=desk.clock, crm=desk.crm, webhooks=dying).sender().once()
    await desk.sender().once()
    assert desk.crm.taken == ["a"], "the lease holds"
    desk.clock.advance(desk.pace.lease_seconds)
    await desk.sender().once()
    assert desk.crm.taken == ["a", "a"]
    assert desk.states() == {"a": S.DELIVERED}


async def test_nothing_is_ever_sent_unsigned(desk: Desk) -> None:
    await desk.publish("c1", URL, secret_env=None, version=2)
    await desk.publish("c2", OTHER, secret_env="OUTDIAL_WEBHOOK_SECRET_OTHER", version=2)
    await desk.queue("c1", "a")
    await desk.queue("c2", "b")
    await desk.sender().once()
    assert desk.crm.tries == []
    assert desk.webhooks.rows["a"].trouble is desk.webhooks.rows["b"].trouble is Trouble.SECRET_ABSENT
    await desk.publish("c1", URL, version=3)
    desk.clock.advance(10)
    await desk.sender().once()
    assert desk.crm.taken == ["a"], "a newer version that names a secret heals it"


async def test_a_slow_endpoint_holds_up_no_other_and_gets_its_few_tries_only(desk: Desk) -> None:
    desk.pace = Pace(slots=3)
    desk.crm.holds[URL] = asyncio.Event()
    await desk.queue("c1", *(f"slow-{n}" for n in range(20)))
    await desk.queue("c2", *(f"fast-{n}" for n in range(20)))
    sender = desk.sender()
    task = asyncio.create_task(sender.run())
    async with asyncio.timeout(10):
        while len(desk.crm.taken) < 20:
            await asyncio.sleep(0.001)
    assert all(name.startswith("fast") for name in desk.crm.taken)
    desk.crm.holds[URL].set()
    async with asyncio.timeout(10):
        while len(desk.crm.taken) < 40:
            await asyncio.sleep(0.001)
    sender.stop()
    await task
    assert desk.crm.most[URL] == 3


async def test_a_drain_settles_what_is_on_the_wire_and_claims_nothing_more(desk: Desk) -> None:
    desk.crm.holds[URL] = asyncio.Event()
    await desk.queue("c1", "a")
    sender = desk.sender()
    task = asyncio.create_task(sender.run())
    async with asyncio.timeout(10):
        while not desk.crm.tries:
            await asyncio.sleep(0.001)
    sender.stop()
    await desk.queue("c1", "b")
    desk.crm.holds[URL].set()
    await task
    assert desk.states() == {"a": S.DELIVERED, "b": S.PENDING}


async def test_a_sender_that_failed_ends_the_loop(desk: Desk) -> None:
    class BrokenWebhooks(MemoryWebhooks):
        async def due(self, now: object) -> list[Endpoint]:
            raise ConnectionError

    desk.webhooks = BrokenWebhooks()
    task = asyncio.create_task(desk.sender().run())
    sending = SendingTask(task)
    sending.check()
    await asyncio.wait({task})
    with pytest.raises(ExceptionGroup) as fault:
        sending.check()
    assert isinstance(fault.value.exceptions[0], ConnectionError)


async def test_a_dead_one_is_said_aloud_without_url_and_body(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    await desk.queue("c1", "a")
    desk.crm.answers[URL] = Answer.of_status(410)
    with caplog.at_level(logging.INFO):
        await desk.sender().once()
    assert "dead" in caplog.text
    assert "410" in caplog.text
    assert "hush" not in caplog.text
    assert "crm.example.test" not in caplog.text
