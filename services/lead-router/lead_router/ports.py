"""What the handlers need: a store that works in transactions, the token keys, and the zones that exist."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from lead_router.domain.admission import Taken
from lead_router.domain.floors import Floor
from lead_router.domain.leads import Campaign, Lead, Offer
from lead_router.domain.supply import Backlog, Demand
from outdial_contracts.events import CampaignPublished, LeadStatus, StopChanged
from outdial_contracts.identity import TokenKeys
from outdial_runtime.broker import TopicPartition
from outdial_runtime.clock import Clock
from outdial_runtime.outcome import Emit
from outdial_runtime.past import TopicPast


@dataclass(frozen=True, kw_only=True)
class StoredReply:
    """What an Idempotency-Key was answered with; status 0 while its first request still works."""

    body_sha256: str
    status: int
    reply: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class CampaignCounts:
    """How a campaign's leads stand."""

    by_status: Mapping[LeadStatus, int]
    never_offered: int


class Work(Protocol):
    """One transaction. Rows it reads with a lock stay as read until it ends; what it emits leaves after the commit.

    Order of locks: demand, then leads, then the person; demand and due leads of one campaign are locked in one order.
    """

    async def emit(self, events: Sequence[Emit]) -> None: ...

    async def campaign(self, campaign_id: str) -> Campaign | None:
        """The running version, else the newest published one (state UNKNOWN); None without a document."""

    async def save_campaign(self, event: CampaignPublished) -> None: ...

    async def stops(self) -> frozenset[str]:
        """Scopes whose stop button is pressed."""

    async def save_stop(self, event: StopChanged) -> None: ...

    async def lock_admission(self, campaign_id: str) -> None:
        """One admission at a time for the campaign, until the end of the transaction."""

    async def taken(self, campaign_id: str, lead_ids: Collection[str], tokens: Collection[str]) -> Taken:
        """Which of these lead ids (of any campaign) and tokens (of the campaign) are held already."""

    async def insert_leads(self, leads: Sequence[Lead]) -> None: ...

    async def lead(self, lead_id: str) -> Lead | None:
        """Locked."""

    async def leads_with_tokens(self, tokens: Collection[str], seller_id: str) -> list[Lead]:
        """Locked, in order of id; seller * means all sellers."""

    async def expired_leads(self, now: datetime, limit: int) -> list[Lead]:
        """Locked; leads that wait past their expiry, none that another transaction holds."""

    async def due_leads(self, campaign_id: str, now: datetime, limit: int) -> list[Lead]:
        """Locked with their persons; best first; no person with an offer or attempt in flight anywhere."""

    async def save_lead(self, lead: Lead) -> None: ...

    async def release_tokens(self, lead_id: str) -> None:
        """The person and numbers of a cancelled or expired lead may be submitted again."""

    async def backlog(self, campaign_id: str, now: datetime) -> Backlog: ...

    async def counts(self, campaign_id: str) -> CampaignCounts: ...

    async def offer(self, attempt_id: str) -> Offer | None:
        """Locked."""

    async def save_offer(self, offer: Offer) -> None: ...

    async def unanswered_offers(self, now: datetime, limit: int) -> list[Offer]:
        """OPEN offers past answer_due_at; not locked."""

    async def hold_person(self, person_id: str, attempt_id: str) -> None:
        """The person has this offer or attempt in flight."""

    async def free_person(self, person_id: str, attempt_id: str) -> None:
        """It ended; another attempt's hold stays."""

    async def charged_at(self, person_id: str, window: timedelta, now: datetime) -> list[datetime]:
        """When the person's charged attempts within the window before `now` were redeemed, in every campaign."""

    async def demand(self, campaign_id: str) -> Demand | None:
        """Locked, also where there is none yet."""

    async def save_demand(self, demand: Demand) -> None: ...

    async def short_campaigns(self) -> list[str]:
        """Campaigns whose demand is not satisfied; not locked."""

    async def claim_key(self, key: str, body_sha256: str, now: datetime) -> StoredReply | None:
        """None when the key is new and now ours; else what it was answered with. Waits for a request in flight."""

    async def save_reply(self, key: str, status: int, reply: Mapping[str, Any]) -> None: ...

    async def forget_keys(self, before: datetime) -> None: ...

    async def marks(self) -> Mapping[TopicPartition, int]:
        """Before these offsets the database holds what the topics say (docs/restore.md)."""

    async def save_marks(self, marks: Mapping[TopicPartition, int]) -> None:
        """A mark never goes back."""

    async def floor(self, lead_id: str) -> Floor | None:
        """What the topics know of a lead that is not here."""

    async def floors(self, lead_ids: list[str]) -> Mapping[str, Floor]: ...

    async def save_floor(self, floor: Floor) -> None: ...

    async def hold_again(self) -> None:
        """Every person with a redeemed or open offer has it in flight."""


class Store(Protocol):
    """Opens transactions."""

    def work(self) -> AbstractAsyncContextManager[Work]:
        """Commits at the end; rolls back when the block raises."""


@dataclass
class Guard:
    """What this process knows of a restore; memory."""

    verified: bool = True
    """The topics were read from the marks to their ends since the start; app.py starts with False."""
    restored: bool = False
    """The database had forgotten something."""
    marked_at: float = float("-inf")
    """Monotonic seconds of the last marks."""


@dataclass(frozen=True, kw_only=True)
class Deps:
    """What every handler gets."""

    store: Store
    keys: TokenKeys
    zones: frozenset[str]
    """IANA zone names."""
    idempotency_hours: int = 24
    """How long an Idempotency-Key is remembered."""
    past: TopicPast | None = None
    """None where nothing is read back, as in tests of a single handler."""
    clock: Clock | None = None
    guard: Guard = field(default_factory=Guard)
