"""What the console's handlers need."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from console.domain.desk import Desk
from console.domain.sources import Source
from outdial_contracts.events import CampaignPublished


class GateAway(Exception):
    """The gate did not answer: an opt-out is not acknowledged before it is durable."""


class AttemptUnknown(Exception):
    """The gate knows no such attempt, so it can't know whom not to call."""


class GatewayAway(Exception):
    """The gateway of the agent's leg did not answer."""


class SourceAway(Exception):
    """A service did not answer, or nobody said where it is; the text says which of both, for a person."""


class Sources(Protocol):
    """The other services' HTTP."""

    def configured(self, source: Source) -> bool:
        """Whether somebody said where it is."""

    async def get(self, source: Source, path: str, query: Mapping[str, str] | None = None) -> Any:
        """The JSON at a path; None for 404. Raises SourceAway."""


@dataclass(frozen=True, kw_only=True)
class ReportFile:
    """One report.html."""

    name: str
    """For a URL: letters, digits, dot, dash and underscore."""
    written_at: datetime


class Reports(Protocol):
    """The reports that the demo wrote."""

    def newest_first(self) -> Sequence[ReportFile]:
        """All reports; none while the folder is absent."""

    def read(self, name: str) -> bytes | None:
        """A report's HTML; None for a name that `newest_first` does not list."""


@dataclass(frozen=True, kw_only=True)
class Asset:
    """One file of the pages, read at start."""

    content: bytes
    content_type: str
    etag: str


class Gate(Protocol):
    """compliance-gate."""

    async def suppress(self, suppression_id: str, attempt_id: str, requested_at: datetime) -> None:
        """Returns once it is in force. Raises GateAway, AttemptUnknown."""


class Calls(Protocol):
    """media-gateway's CallControl."""

    async def hang_up(self, address: str, attempt_id: str, agent_id: str) -> bool:
        """False when the call is not there (any more). Raises GatewayAway."""


@dataclass(kw_only=True)
class Floor:
    """Who sits where, and the newest campaigns; rebuilt from topics and heartbeats after a restart."""

    desks: dict[tuple[str, str], Desk] = field(default_factory=dict)
    """(team_id, agent_id) -> desk."""
    campaigns: dict[str, CampaignPublished] = field(default_factory=dict)
    """campaign_id -> its newest version, as read from Kafka."""
    publishing: dict[str, CampaignPublished] = field(default_factory=dict)
    """campaign_id -> the version numbered last by this process, read back or not."""
    documents: dict[str, int] = field(default_factory=dict)
    """document_id -> the version published last by this process."""
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    """Notified whenever a screen was told something."""

    def newest(self, campaign_id: str) -> CampaignPublished | None:
        """The newest version of a campaign, read back or not."""
        both = [c for c in (self.campaigns.get(campaign_id), self.publishing.get(campaign_id)) if c is not None]
        return max(both, key=lambda c: c.version, default=None)
