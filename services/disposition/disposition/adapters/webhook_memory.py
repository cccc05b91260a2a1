"""Webhooks in memory for tests and the deterministic world; tests/test_webhook_store.py holds it to PostgreSQL's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from disposition.domain.delivery import (
    DEAD_KEPT,
    DELIVERED_KEPT,
    GONE,
    DeliveryEvent,
    DeliveryState,
    Ruling,
    Trouble,
    moved,
)
from disposition.domain.payloads import Webhook
from disposition.ports import Claimed, DeadWebhook, Endpoint


@dataclass(kw_only=True)
class Row:
    """A webhook and where it stands."""

    webhook: Webhook
    queued_at: datetime
    due_at: datetime
    state: DeliveryState = DeliveryState.PENDING
    tries: int = 0
    settled_at: datetime | None = None
    trouble: Trouble | None = None
    status: int | None = None

    @property
    def order(self) -> tuple[str, str]:
        """What it keeps its order with."""
        return self.webhook.campaign_id, self.webhook.subject


class MemoryWebhooks:
    """Implements ports.Webhooks; no method waits, so each is a transaction."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        """By webhook_id, in the order they were queued."""
        self.known: dict[str, Endpoint] = {}
        self._disabled: set[str] = set()
        self._paused: dict[str, datetime] = {}

    async def publish(self, endpoint: Endpoint) -> None:
        """The newest version wins."""
        known = self.known.get(endpoint.campaign_id)
        if known is None or known.version < endpoint.version:
            self.known[endpoint.campaign_id] = endpoint
            self._enable(endpoint.campaign_id)

    async def endpoints_of(self, seller_id: str) -> list[Endpoint]:
        """One per URL."""
        first: dict[str, Endpoint] = {}
        for endpoint in sorted(self.known.values(), key=lambda e: e.campaign_id):
            if endpoint.url is not None and seller_id in ("*", endpoint.seller_id):
                first.setdefault(endpoint.url, endpoint)
        return list(first.values())

    async def queue(self, webhooks: Sequence[Webhook], now: datetime) -> None:
        """Once for each id."""
        for webhook in webhooks:
            endpoint = self.known.get(webhook.campaign_id)
            if endpoint is None or endpoint.url is not None:
                self.rows.setdefault(webhook.webhook_id, Row(webhook=webhook, queued_at=now, due_at=now))

    async def due(self, now: datetime) -> list[Endpoint]:
        """Where something can be sent now."""
        waiting = {row.webhook.campaign_id for row in self._pending() if row.due_at <= now}
        return [e for name, e in sorted(self.known.items()) if name in waiting and self._open(e, now)]

    async def claim(self, campaign_id: str, now: datetime, until: datetime, limit: int) -> list[Claimed]:
        """Under a lease until `until`."""
        firsts: dict[tuple[str, str], Row] = {}
        for row in self._pending():
            firsts.setdefault(row.order, row)
        mine = [r for r in firsts.values() if r.webhook.campaign_id == campaign_id and r.due_at <= now][:limit]
        for row in mine:
            row.due_at, row.tries = until, row.tries + 1
        return [Claimed(webhook=row.webhook, tries=row.tries) for row in mine]

    async def settle(self, claimed: Claimed, url: str, ruling: Ruling, now: datetime) -> None:
        """What came of a try."""
        row = self.rows.get(claimed.webhook.webhook_id)
        if row is not None and self._counts(row, claimed, ruling):
            row.state = moved(row.state, ruling.event)
            row.status, row.trouble = ruling.answer.status, ruling.answer.trouble
            row.due_at = ruling.due_at or row.due_at
            row.settled_at = None if row.state is DeliveryState.PENDING else now
        for campaign_id, endpoint in self.known.items():
            if endpoint.url == url:
                if ruling.pause_until is not None:
                    self._paused[campaign_id] = max(self._paused.get(campaign_id, now), ruling.pause_until)
                if ruling.answer.trouble is Trouble.GONE:
                    self._disabled.add(campaign_id)

    async def sweep(self, now: datetime, limit: int) -> int:
        """`limit` is for databases."""
        swept = 0
        for webhook_id, row in list(self.rows.items()):
            if self._given_up(row):
                row.state, row.settled_at = moved(row.state, DeliveryEvent.GIVEN_UP), now
                row.trouble, row.status = Trouble.GONE, GONE
                swept += 1
            elif self._forgotten(row, now):
                del self.rows[webhook_id]
                swept += 1
        return swept

    async def dead(self, campaign_id: str | None, limit: int) -> list[DeadWebhook]:
        """Oldest first."""
        found = [_dead(r) for r in self.rows.values() if r.state is DeliveryState.DEAD]
        chosen = [d for d in found if campaign_id in (None, d.campaign_id)]
        return sorted(chosen, key=lambda d: d.dead_at)[:limit]

    async def replay(self, campaign_id: str, webhook_id: str | None, now: datetime) -> int:
        """From the first try."""
        self._enable(campaign_id)
        chosen = [
            r
            for r in self.rows.values()
            if r.state is DeliveryState.DEAD
            and r.webhook.campaign_id == campaign_id
            and webhook_id in (None, r.webhook.webhook_id)
        ]
        for row in chosen:
            row.state, row.tries = moved(row.state, DeliveryEvent.REPLAYED), 0
            row.due_at, row.settled_at = now, None
        return len(chosen)

    async def counts(self) -> Mapping[str, Mapping[DeliveryState, int]]:
        """What is kept."""
        counted: dict[str, dict[DeliveryState, int]] = {}
        for row in self.rows.values():
            of_campaign = counted.setdefault(row.webhook.campaign_id, {})
            of_campaign[row.state] = of_campaign.get(row.state, 0) + 1
        return counted

    def _pending(self) -> list[Row]:
        return [row for row in self.rows.values() if row.state is DeliveryState.PENDING]

    def _open(self, endpoint: Endpoint, now: datetime) -> bool:
        paused = self._paused.get(endpoint.campaign_id)
        return (
            endpoint.url is not None
            and endpoint.campaign_id not in self._disabled
            and (paused is None or paused <= now)
        )

    def _enable(self, campaign_id: str) -> None:
        self._disabled.discard(campaign_id)
        self._paused.pop(campaign_id, None)

    @staticmethod
    def _counts(row: Row, claimed: Claimed, ruling: Ruling) -> bool:
        """A 2xx is a fact; any other word counts only from whoever claimed it last."""
        if ruling.event is DeliveryEvent.ACCEPTED:
            return row.state is not DeliveryState.DELIVERED
        return row.state is DeliveryState.PENDING and row.tries == claimed.tries

    def _given_up(self, row: Row) -> bool:
        return row.state is DeliveryState.PENDING and row.webhook.campaign_id in self._disabled

    def _forgotten(self, row: Row, now: datetime) -> bool:
        if row.settled_at is not None:
            kept = DELIVERED_KEPT if row.state is DeliveryState.DELIVERED else DEAD_KEPT
            return row.settled_at <= now - kept
        endpoint = self.known.get(row.webhook.campaign_id)
        if endpoint is None:
            return row.due_at <= now - DEAD_KEPT
        return endpoint.url is None and row.due_at <= now


def _dead(row: Row) -> DeadWebhook:
    assert row.trouble is not None
    assert row.settled_at is not None
    return DeadWebhook(
        webhook_id=row.webhook.webhook_id,
        campaign_id=row.webhook.campaign_id,
        type=row.webhook.type,
        subject=row.webhook.subject,
        tries=row.tries,
        trouble=row.trouble,
        status=row.status,
        queued_at=row.queued_at,
        dead_at=row.settled_at,
    )
