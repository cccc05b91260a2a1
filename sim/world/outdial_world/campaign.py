"""The campaign-hour: a team of ten agents, two campaigns that share some people, leads enough for 200 offers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from outdial_world.chance import Draws
from outdial_world.loop import START

OFFERS = 200
REDEEMED = 150
AGENTS = 10
LEADS = 105
SHARED_LEADS = 12
"""Of them, so many are people whom the second campaign wants too."""
"""Fewer than offers: people are tried again, up to what the retry budget allows."""
TEAM, CAMPAIGN, SELLER, ROUTE, TRUNK = "green", "spring-renewal", "S1", "world-carrier", "world-a"
"""The team's partition is the second one, so that a second pacer that joins takes the team over, and gives it back."""
SECOND = "autumn-upgrade"
"""Of the same seller and topic: one legal campaign with the first, so caps and drop budget are theirs together."""
CAMPAIGNS = (CAMPAIGN, SECOND)
SAFE_HARBOUR = "prompts/safe_harbour.wav"
SAFE_HARBOUR_SECONDS = 4.0
RING_TIMEOUT_SECONDS = 18
HOUR_SECONDS = 3600.0
AREAS = (("212", "NY"), ("312", "IL"), ("303", "CO"), ("404", "GA"), ("617", "MA"))
"""Area codes and states; none is at an hour when calls are not allowed."""
FIRST_LEADS = 50
"""They are submitted at once, the others while the campaign runs."""
TWO_NUMBERS_SHARE = 0.1
SAME_PERSON_SHARE = 0.06

CAMPAIGN_DOCUMENT: dict[str, Any] = {
    "schema": 1,
    "id": CAMPAIGN,
    "owner": "ops@example.test",
    "team": TEAM,
    "seller": {"id": SELLER, "name": "Example Ltd", "callback": "+12125550100"},
    "purpose": "marketing",
    "topic": "T1",
    "mode": "predictive",
    "kpi": "connect_rate",
    "rollback_trigger": "drop_rate > 0.03",
    "pacing": {"abandon_limit": 0.03, "max_lines_per_agent": 4, "small_team_below": 5},
    "ring_timeout_seconds": RING_TIMEOUT_SECONDS,
    "clearance_ttl_seconds": 60,
    "retry": {
        "max_per_person": 3,
        "window_hours": 24,
        "after": {"busy": 12, "no_answer": 15, "congestion": 8, "voicemail": 20},
    },
    "caller_ids": ["+12125550101", "+13125550102"],
    "route": ROUTE,
    "safe_harbour": SAFE_HARBOUR,
}
ROUTE_DOCUMENT: dict[str, Any] = {
    "kind": "ROUTE",
    "route_id": ROUTE,
    "trunks": [
        {
            "trunk_id": TRUNK,
            "host": "127.0.0.1",
            "port": 5080,
            "transport": "UDP",
            "weight": 1,
            "calls_per_second": 20,
            "channels": 100,
        }
    ],
    "countries": ["US"],
    "number_classes": ["geographic", "mobile"],
    "max_duration_seconds": 600,
}


@dataclass(frozen=True, kw_only=True)
class WorldLead:
    """A lead as the CRM holds it."""

    lead_id: str
    person_id: str
    phone: str
    phone_2: str
    state: str
    campaign_id: str = CAMPAIGN

    def document(self) -> dict[str, str]:
        """The body of POST /v1/leads."""
        granted = (START - timedelta(days=60)).isoformat().replace("+00:00", "Z")
        return {
            "campaign_id": self.campaign_id,
            "source": "crm",
            "lead_id": self.lead_id,
            "person_id": self.person_id,
            "phone": self.phone,
            **({"phone_2": self.phone_2} if self.phone_2 else {}),
            "default_region": "US",
            "line_type": "mobile",
            "consumer": "true",
            "country": "US",
            "region": self.state,
            "segment": "warm",
            "score": "0.5",
            "first_name": "Sam",
            "source_list": "web",
            "consent_level": "pewc",
            "consent_purpose": "marketing",
            "consent_granted_at": granted,
            "consent_source": "web-form",
            "consent_captured_at": granted,
            "consent_ip": "192.0.2.18",
            "consent_text_sha256": "be7611d0e1d4e7f1ec103e23a2ac0ca332c4cb911047ead9e74c4bb8491f5078",
        }


def leads(draws: Draws) -> list[WorldLead]:
    """All leads of a seed; some persons have two numbers, and some persons two leads (the second is refused).

    The second campaign's come among the first ones, so that both want the same people at the same time.
    """
    stream, found = draws.stream("leads"), []
    for n in range(LEADS):
        area, state = stream.choice(AREAS)
        second = f"+1{area}666{n:04d}" if stream.random() < TWO_NUMBERS_SHARE else ""
        person = n if stream.random() >= SAME_PERSON_SHARE or n == 0 else stream.randrange(n)
        found.append(
            WorldLead(
                lead_id=f"L{n:04d}",
                person_id=f"person-{person:04d}",
                phone=f"+1{area}555{n:04d}",
                phone_2=second,
                state=state,
            )
        )
    shared = draws.stream("shared-leads").sample(found[:FIRST_LEADS], SHARED_LEADS)
    second = [replace(lead, lead_id=f"S{lead.lead_id}", campaign_id=SECOND) for lead in shared]
    return [*found[: FIRST_LEADS - SHARED_LEADS], *second, *found[FIRST_LEADS - SHARED_LEADS :]]
