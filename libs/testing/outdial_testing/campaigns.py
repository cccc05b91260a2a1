"""A campaign document for tests and benches: what a small predictive campaign in the United States says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from outdial_contracts.events import CampaignDocument, DialMode, Purpose

PLAIN = CampaignDocument(
    owner="ops@example.test",
    seller_id="S1",
    seller_name="Example Ltd",
    seller_callback="+12125550100",
    purpose=Purpose.MARKETING,
    topic_id="T1",
    mode=DialMode.PREDICTIVE,
    kpi="connect_rate",
    rollback_trigger="drop_rate > 0.03",
    abandon_limit=0.03,
    max_lines_per_agent=4.0,
    small_team_below=5,
    ring_timeout_seconds=18,
    clearance_ttl_seconds=60,
    retry_max_per_person=3,
    retry_window_hours=24,
    route_id="demo-carrier",
    safe_harbour="prompts/safe_harbour.wav",
)


def campaign_document(**changes: Any) -> CampaignDocument:
    """The plain one, changed where the test cares."""
    return replace(PLAIN, **changes)
