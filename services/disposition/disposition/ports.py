"""What handlers and sender need: attempts, the gate for an opt-out, the watch on gateways, webhooks and a way out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from disposition.domain.delivery import Answer, DeliveryState, Ruling, Trouble
from disposition.domain.payloads import Webhook
from disposition.domain.record import AttemptRecord, Wrapup
from disposition.domain.watch import GatewayWatch
from outdial_contracts.events import CallDisposition
from outdial_runtime.reading_back import Guard, Source


class Unit(Protocol):
    """One database transaction on one attempt."""

    record: AttemptRecord | None

    async def save(self, record: AttemptRecord) -> None: ...
    async def say(self, event: CallDisposition, cause: str) -> None:
        """Into the outbox, for what no consumed message caused."""

    async def tell(self, webhook: Webhook, now: datetime) -> None:
        """Queues a webhook, once for its id."""


class Store(Protocol):
    """Attempts."""

    def attempt(self, attempt_id: str) -> AbstractAsyncContextManager[Unit]:
        """Locks the attempt, new or not; commits at the end of the block."""

    async def due(self, now: datetime, limit: int) -> list[str]:
        """Attempts whose deadline passed, oldest first."""

    async def boots(self) -> list[tuple[str | None, str | None]]:
        """(gateway_id, boot_id) of all attempts that wait for their call's end."""

    async def of_boot(self, gateway_id: str, boot_id: str | None, until: datetime, limit: int) -> list[str]:
        """Attempts that have waited there since `until` or longer, oldest first."""

    async def get(self, attempt_id: str) -> AttemptRecord | None: ...


class Suppressor(Protocol):
    """compliance-gate."""

    async def suppress(self, attempt_id: str, wrapup: Wrapup) -> None:
        """An agent recorded an opt-out; returns once the gate holds it. Raises GateAway."""


class GateAway(Exception):
    """The gate did not confirm; it is tried again later."""


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Where a campaign's outcomes go, by its newest version."""

    campaign_id: str
    version: int
    seller_id: str
    url: str | None
    """None: nothing is queued."""
    secret_env: str | None
    """Name of the variable that holds the secret."""


@dataclass(frozen=True, kw_only=True)
class Claimed:
    """A webhook that is ours to send until the lease ends."""

    webhook: Webhook
    tries: int
    """This one included; a settlement of an older one is void unless it was accepted."""


@dataclass(frozen=True, kw_only=True)
class DeadWebhook:
    """One that was given up; without its body."""

    webhook_id: str
    campaign_id: str
    type: str
    subject: str
    tries: int
    trouble: Trouble
    status: int | None
    queued_at: datetime
    dead_at: datetime


class Webhooks(Protocol):
    """Endpoints, and what is to be told to them."""

    async def publish(self, endpoint: Endpoint) -> None:
        """Keeps the newest version; a newer one also ends a pause and enables what was disabled."""

    async def endpoints_of(self, seller_id: str) -> list[Endpoint]:
        """One for every URL that a campaign of the seller names (of every seller for *)."""

    async def queue(self, webhooks: Sequence[Webhook], now: datetime) -> None:
        """Once for each id; nothing for a campaign that is known and wants none."""

    async def due(self, now: datetime) -> list[Endpoint]:
        """Those with a URL that may be sent to and have something due."""

    async def claim(self, campaign_id: str, now: datetime, until: datetime, limit: int) -> list[Claimed]:
        """The oldest that are due, of each subject only the first; nobody else gets them before `until`."""

    async def settle(self, claimed: Claimed, url: str, ruling: Ruling, now: datetime) -> None:
        """Writes what came of a try, and of its endpoint: every campaign with that URL pauses or is disabled."""

    async def sweep(self, now: datetime, limit: int) -> int:
        """Gives up what waits for a disabled endpoint, forgets what nobody wants or is long settled; how many rows."""

    async def dead(self, campaign_id: str | None, limit: int) -> list[DeadWebhook]:
        """Oldest first."""

    async def replay(self, campaign_id: str, webhook_id: str | None, now: datetime) -> int:
        """Makes dead ones due again from their first try, and enables the campaign's endpoint; how many."""

    async def counts(self) -> Mapping[str, Mapping[DeliveryState, int]]:
        """campaign_id -> state -> how many are kept."""


class SecretAbsent(Exception):
    """Nothing to sign with; the text names the variable only."""


class Signer(Protocol):
    """Signs bodies."""

    def headers(self, secret_env: str | None, webhook_id: str, body: str) -> dict[str, str]:
        """webhook-id, webhook-timestamp (real time) and webhook-signature. Raises SecretAbsent."""


class Poster(Protocol):
    """Sends to an endpoint."""

    async def post(self, url: str, headers: Mapping[str, str], body: str) -> Answer:
        """One POST within its time-out; never raises for what the endpoint or the network does."""


class Sending(Protocol):
    """The sender's task, seen from the loop."""

    def check(self) -> None:
        """Raises the fault that ended it."""


@dataclass(frozen=True, kw_only=True)
class Deps:
    """Given to every handler."""

    store: Store
    gate: Suppressor
    watch: GatewayWatch
    webhooks: Webhooks
    sending: Sending
    source: Source | None = None
    """None where nothing is read back, as in tests of a single handler."""
    guard: Guard = field(default_factory=Guard)
