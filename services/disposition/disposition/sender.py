"""Sends what is due: a task of its own beside the loop, so that a slow endpoint holds up no message.

Theory of operation. Rows are claimed under a lease that outlives the time-out, posted, and settled. A crash between
post and settlement leaves the lease to end, and the webhook goes out again under its id: at least once. Of each
campaign and subject only the first pending row can be claimed, so a later one never overtakes it, however many senders
there are. Each URL has a few slots of its own; one that times out costs the others nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from disposition.domain.delivery import STANDARD_SECONDS, Answer, DeliveryEvent, Ruling, Trouble, judge
from disposition.ports import Claimed, Endpoint, Poster, SecretAbsent, Signer, Webhooks
from outdial_runtime.clock import Chance, Clock

LOOK_EVERY_SECONDS = 0.2
SWEEP_EVERY_SECONDS = 10.0
SWEEP_ROWS = 5000
log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How patient and how busy a sender is."""

    delays_seconds: tuple[float, ...] = STANDARD_SECONDS
    """After the first, second, … try."""
    lease_seconds: float = 30.0
    """Longer than a try can take."""
    slots: int = 8
    """Tries at once for each URL, of this process."""


class Sender:
    """One replica's sender."""

    def __init__(
        self, *, webhooks: Webhooks, signer: Signer, poster: Poster, clock: Clock, chance: Chance, pace: Pace
    ) -> None:
        self._webhooks, self._signer, self._poster = webhooks, signer, poster
        self._clock, self._chance, self._pace = clock, chance, pace
        self._busy: Counter[str] = Counter()
        self._wake = asyncio.Event()
        self._stopping = False
        self._swept_at: datetime | None = None

    async def run(self) -> None:
        """Until `stop`, then until what is on the wire is settled."""
        async with asyncio.TaskGroup() as tries:
            while not self._stopping:
                self._wake.clear()
                for endpoint, claimed in await self._claim():
                    tries.create_task(self._send(endpoint, claimed))
                await self._sweep()
                await self._pause()

    async def once(self) -> int:
        """Sends all that is due now and waits for it; how many tries. For whoever keeps time himself."""
        claims = await self._claim()
        await asyncio.gather(*(self._send(endpoint, claimed) for endpoint, claimed in claims))
        await self._sweep()
        return len(claims)

    def stop(self) -> None:
        """Claims nothing more."""
        self._stopping = True
        self._wake.set()

    async def _pause(self) -> None:
        try:
            await asyncio.wait_for(self._wake.wait(), LOOK_EVERY_SECONDS)
        except TimeoutError:
            return

    async def _claim(self) -> list[tuple[Endpoint, Claimed]]:
        now = self._clock.now()
        until = now + timedelta(seconds=self._pace.lease_seconds)
        claims = []
        for endpoint in await self._webhooks.due(now):
            url = endpoint.url or ""
            free = self._pace.slots - self._busy[url]
            if free <= 0:
                continue
            for claimed in await self._webhooks.claim(endpoint.campaign_id, now, until, free):
                self._busy[url] += 1
                claims.append((endpoint, claimed))
        return claims

    async def _send(self, endpoint: Endpoint, claimed: Claimed) -> None:
        url = endpoint.url or ""
        try:
            answer = await self._try(url, endpoint.secret_env, claimed)
            now = self._clock.now()
            ruling = judge(claimed.tries, answer, now, self._chance.random(), self._pace.delays_seconds)
            await self._webhooks.settle(claimed, url, ruling, now)
            _note(claimed, ruling)
        finally:
            self._busy[url] -= 1
            self._wake.set()

    async def _try(self, url: str, secret_env: str | None, claimed: Claimed) -> Answer:
        webhook = claimed.webhook
        try:
            headers = self._signer.headers(secret_env, webhook.webhook_id, webhook.body)
        except SecretAbsent:
            return Answer(trouble=Trouble.SECRET_ABSENT)
        return await self._poster.post(url, headers, webhook.body)

    async def _sweep(self) -> None:
        now = self._clock.now()
        if self._swept_at is not None and now - self._swept_at < timedelta(seconds=SWEEP_EVERY_SECONDS):
            return
        self._swept_at = now
        await self._webhooks.sweep(now, SWEEP_ROWS)


class SendingTask:
    """Implements ports.Sending: lets the loop's next tick raise what ended the sender."""

    def __init__(self, task: asyncio.Task[None]) -> None:
        self._task = task

    def check(self) -> None:
        """Raises the fault that ended the task."""
        if self._task.done() and not self._task.cancelled():
            fault = self._task.exception()
            if fault is not None:
                raise fault


def _note(claimed: Claimed, ruling: Ruling) -> None:
    """A dead one is said aloud; never URL, secret or body."""
    if ruling.event is DeliveryEvent.GIVEN_UP:
        log.warning(
            "webhook is dead after %d tries: %s %s", claimed.tries, ruling.answer.trouble, ruling.answer.status or ""
        )
