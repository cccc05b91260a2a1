"""report.html: one file that asks nobody for anything, and says first whether the books balance."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from outdial_cli.report.page import KEPT_RUNS, keep, report_page

NOW = datetime(2026, 11, 24, 23, 0, tzinfo=UTC)
SPANS = [
    {"service": "pacer", "name": "call.dial <publish>", "start_ns": 2_000_000, "end_ns": 3_000_000},
    {"service": "lead-router", "name": "lead.ready publish", "start_ns": 0, "end_ns": 1_000_000},
]


def report(**changes: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "rows": 300, "leads": 285, "offers": 252, "cleared": 214, "redeemed": 192, "invites_seen_by_carrier": 191,
        "humans_answered": 64, "connected": 59, "abandoned": 0, "hung_up_as_machine": 0, "hung_up_first": 5,
        "drop_rate": 0.0, "drop_budget": {"limit": 0.03, "left_calls": 4.92}, "agent_utilisation": 0.65,
        "lines_per_agent": 1.371, "dispositions": {"MACHINE": 49}, "blocked": {},
        "connect_rate_by_local_hour": {"08": {"attempts": 10, "connects": 3, "connect_rate": 0.3}},
        "latency_ms": {"decision_to_invite": {"n": 191, "p50": 95.4, "p99": 968.7}, "verdict_to_agent_audio": None},
        "ledger": {"records": 875, "verified": True}, "ledger_altered_byte": {"said": "record 7"},
        "traces": {"checked": 192, "complete": 192}, "invites_without_redemption": 0, "duplicate_invites": 0,
        "attempts_without_disposition": 0, "opt_out": {"attempt_id": None}, "phase_seconds": {"dial": 90.1},
        "broken": [], "shown_attempt": "a1",
    }  # fmt: skip
    return {**plain, **changes}


def test_it_asks_nobody_for_anything() -> None:
    page = report_page(report(), SPANS, NOW)
    assert not re.search(r"<script|<link|<img|https?://|url\(|@import", page)


def test_a_broken_identity_is_said_before_any_figure() -> None:
    page = report_page(report(broken=["rows = leads + rejected"]), SPANS, NOW)
    assert page.index("rows = leads + rejected") < page.index("Funnel")
    assert "books balance" not in page
    assert "books balance" in report_page(report(), SPANS, NOW)


def test_spans_stand_in_order_of_start_and_are_escaped() -> None:
    page = report_page(report(), SPANS, NOW)
    assert page.index("lead.ready publish") < page.index("call.dial &lt;publish&gt;")


def test_only_the_newest_runs_are_kept(tmp_path: Path) -> None:
    for minute in range(KEPT_RUNS + 3):
        newest = keep("<p>", tmp_path, NOW + timedelta(minutes=minute))
    assert len(list(tmp_path.iterdir())) == KEPT_RUNS
    assert newest.exists()
