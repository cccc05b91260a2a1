"""The live board: rates with both numbers, repeats counted once, nothing claimed that nobody says any more."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from console.domain.board import Board
from console.domain.seen import KEPT_ATTEMPTS, SeenAttempt, Stage
from outdial_contracts import events as ev
from outdial_testing.campaigns import campaign_document

NOW = datetime(2026, 11, 17, 15, 0, 30, tzinfo=UTC)
WHY = {
    "binding": "AGENTS_BUSY",
    "sentence": "Every agent is busy.",
    "facts": {"live_calls": 3, "queued_offers": 1, "humans": 50, "abandoned": 1, "budget_left_calls": 3},
}


def published(campaign_id: str = "c1", version: int = 1, state: str | None = None) -> ev.CampaignPublished:
    return ev.CampaignPublished(
        campaign_id=campaign_id,
        slot="state" if state else str(version),
        version=version,
        team_id="blue",
        state=ev.CampaignState(state or "UNKNOWN"),
        document=None if state else document(),
        published_at=NOW,
        published_by="test",
    )


def document() -> ev.CampaignDocument:
    return campaign_document(retry_after_seconds={}, caller_ids=("+12125550101",))


def progress(attempt: str, stage: str, at: datetime = NOW, **more: Any) -> ev.CallProgress:
    context = ev.Context(lead_id="lead-1", attempt_no=1, segment=ev.Segment.COLD, score_band="0.4-0.6")
    return ev.CallProgress(
        attempt_id=attempt, team_id="blue", campaign_id="c1", campaign_version=1, context=context,
        stage=ev.ProgressStage(stage), leg_no=1, gateway_id="gw-0", at=at, **more,
    )  # fmt: skip


def board() -> Board:
    made = Board()
    made.campaign_published(published())
    return made


def shown(made: Board, now: datetime = NOW) -> dict[str, Any]:
    snapshot = made.snapshot(now)
    json.dumps(snapshot)
    first: dict[str, Any] = snapshot["campaigns"][0]
    return first


def test_a_stage_told_twice_counts_once() -> None:
    made = board()
    for _ in range(2):
        made.call_progress(progress("a1", "INVITED"))
        made.call_progress(progress("a1", "VERDICT", verdict=ev.Verdict.HUMAN))
        made.call_progress(progress("a1", "BRIDGED", agent_id="x"))
    assert {k: v for k, v in shown(made)["minutes"][-1].items() if k != "at"} == {
        "calls": 1,
        "answers": 1,
        "connects": 1,
    }


def test_a_machine_is_no_human_answer() -> None:
    made = board()
    made.call_progress(progress("a1", "VERDICT", verdict=ev.Verdict.MACHINE))
    assert sum(minute["answers"] for minute in shown(made)["minutes"]) == 0


def test_the_plot_holds_fifteen_minutes_also_those_without_a_call() -> None:
    made = board()
    made.call_progress(progress("old", "INVITED", NOW - timedelta(minutes=15)))
    made.call_progress(progress("new", "INVITED", NOW - timedelta(minutes=14)))
    minutes = shown(made)["minutes"]
    assert [m["calls"] for m in minutes] == [1] + [0] * 14
    assert minutes[-1]["at"] == "2026-11-17T15:00:00+00:00"


def test_rates_have_numerator_and_denominator_and_the_rate_of_nothing_is_none() -> None:
    made = board()
    campaign = made.campaigns["c1"]
    campaign.why_answered(WHY, NOW)
    campaign.today.answered({"attempts": 4, "connects": 1, "human_answers": 0, "abandoned": 0}, NOW)
    found = shown(made)
    assert found["connect"] == {"part": 1, "whole": 4, "rate": 0.25}
    assert found["drop"]["today"] == {"part": 0, "whole": 0, "rate": None}
    assert found["drop"]["window"] == {"part": 1, "whole": 50, "rate": 0.02}


def test_a_pacer_that_went_away_is_not_quoted_as_if_it_still_spoke() -> None:
    made = board()
    made.campaigns["c1"].why_answered(WHY, NOW)
    made.campaigns["c1"].why.missed("pacer does not answer.", NOW)
    found = shown(made)
    assert found["health"]["level"] == "unknown"
    assert found["health"]["sentence"].startswith("pacer does not answer. It last said: ")
    assert found["live_calls"] == 3
    assert found["sources"]["pacer"]["away_since"] == NOW.isoformat()


def test_the_budgets_history_notes_every_change_and_else_a_point_now_and_then() -> None:
    made = board()
    for second, left in ((0, 3), (1, 3), (2, 2), (3, 2), (11, 2)):
        at = NOW + timedelta(seconds=second)
        made.campaigns["c1"].why_answered({**WHY, "facts": {**WHY["facts"], "budget_left_calls": left}}, at)  # type: ignore[dict-item]
    assert [point["left"] for point in shown(made, NOW + timedelta(seconds=12))["budget"]] == [3, 2, 2]


def test_running_campaigns_come_first_and_the_newest_document_counts() -> None:
    made = board()
    made.campaign_published(published("a0"))
    made.campaign_published(published("a0", state="STOPPED"))
    made.campaign_published(published("c1", state="RUNNING"))
    made.campaign_published(published("c1", version=2))
    made.campaign_published(published("c1", version=1))
    snapshot = made.snapshot(NOW)["campaigns"]
    assert [(c["campaign_id"], c["version"], c["state"]) for c in snapshot] == [
        ("c1", 2, "RUNNING"),
        ("a0", 1, "STOPPED"),
    ]


def test_today_begins_at_midnight_of_the_boards_zone() -> None:
    assert Board(zone="America/New_York").since(NOW) == datetime(2026, 11, 17, 5, 0, tzinfo=UTC)
    assert Board(zone="America/New_York").since(datetime(2026, 11, 17, 4, tzinfo=UTC)).day == 16


def test_memory_of_calls_is_bounded() -> None:
    made = board()
    for number in range(KEPT_ATTEMPTS + 5):
        attempt = SeenAttempt(attempt_id=str(number), campaign_id="c1", lead_id="l")
        made.calls.saw(attempt, Stage.INVITED, NOW + timedelta(seconds=number))
    assert len(made.calls.attempts) == KEPT_ATTEMPTS
    assert made.calls.newest(1)[0].attempt_id == str(KEPT_ATTEMPTS + 4)
