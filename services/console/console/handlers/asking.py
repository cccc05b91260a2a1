"""Asking the other services for a page: what came, and who was away, so that the page can say what it lacks."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from console.domain.seen import SeenAttempt
from console.domain.sources import Source
from console.domain.timeline import Phase, Timeline, phases_of, timeline_of
from console.handlers.html import Markup, join, tag
from console.ports import SourceAway, Sources
from outdial_contracts.identity import trace_id


@dataclass(kw_only=True)
class Gathered:
    """Answers, and the words of those who gave none."""

    away: list[str] = field(default_factory=list)

    async def get(self, sources: Sources, source: Source, path: str, query: dict[str, str] | None = None) -> Any:
        """The JSON; None when it is unknown there, or when the service is away, which is noted."""
        try:
            return await sources.get(source, path, query)
        except SourceAway as away:
            self.away.append(str(away))
            return None

    def notice(self) -> Markup:
        """What the page lacks; nothing when all answered."""
        if not self.away:
            return Markup("")
        words = " ".join(dict.fromkeys(self.away))
        return tag("p", join((words, " What it knows is missing here.")), class_="notice", role="status")


@dataclass(frozen=True, kw_only=True)
class KnownAttempt:
    """All that the services know of one attempt."""

    evidence: dict[str, Any] | None
    record: dict[str, Any] | None
    seen: SeenAttempt | None
    spans: Sequence[Phase]

    @property
    def anything(self) -> bool:
        """Whether somebody knows it."""
        return bool(self.evidence or self.record or self.seen)

    @property
    def timeline(self) -> Timeline:
        """Its stages."""
        return timeline_of(self.evidence, self.record, self.seen, self.spans)

    @property
    def lead_id(self) -> str | None:
        """Its lead, from whoever knows it."""
        head = (self.record or {}).get("head") or {}
        facts = (self.evidence or {}).get("facts") or {}
        named: str | None = (head.get("context") or {}).get("lead_id") or facts.get("lead_id")
        return named or (self.seen.lead_id if self.seen else None)

    @property
    def campaign_id(self) -> str | None:
        """Its campaign."""
        head, facts = (self.record or {}).get("head") or {}, (self.evidence or {}).get("facts") or {}
        named = head.get("campaign_id") or str(facts.get("campaign", "")).rpartition("/")[0]
        return named or (self.seen.campaign_id if self.seen else None)


async def known_attempt(
    attempt_id: str, sources: Sources, seen: SeenAttempt | None, shift: timedelta, gathered: Gathered
) -> KnownAttempt:
    """Asks the gate, disposition and, where there is one, the collector of traces, side by side."""
    evidence, record, spans = await asyncio.gather(
        gathered.get(sources, Source.GATE, f"/v1/evidence/{attempt_id}"),
        gathered.get(sources, Source.DISPOSITION, f"/v1/attempts/{attempt_id}"),
        _spans(attempt_id, sources, gathered),
    )
    return KnownAttempt(evidence=evidence, record=record, seen=seen, spans=phases_of(spans or (), shift))


async def _spans(attempt_id: str, sources: Sources, gathered: Gathered) -> Any:
    if not sources.configured(Source.TRACES):
        return None
    return await gathered.get(sources, Source.TRACES, f"/traces/{trace_id(attempt_id)}")
