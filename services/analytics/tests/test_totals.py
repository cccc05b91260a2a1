"""The day's totals: what the console's drop rate "today" is made of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from analytics.domain.totals import totals_since
from analytics.handlers.facts import on_get_totals
from outdial_runtime.service import Request

MIDNIGHT = datetime(2026, 11, 17, tzinfo=UTC)


def row(at: datetime | None, **changes: Any) -> dict[str, Any]:
    plain = {"charged": True, "human_answer": True, "connected": False, "abandoned": False}
    return {**plain, "redeemed_at": at, "ended_at": None, **changes}


def test_totals_leave_out_yesterday_and_what_was_not_charged() -> None:
    rows = [
        row(MIDNIGHT, connected=True),
        row(MIDNIGHT + timedelta(hours=3), abandoned=True),
        row(MIDNIGHT + timedelta(hours=3), human_answer=False),
        row(MIDNIGHT - timedelta(microseconds=1), abandoned=True),
        row(MIDNIGHT, charged=False, abandoned=True),
        row(None, ended_at=MIDNIGHT),
        row(None),
    ]
    assert totals_since(rows, MIDNIGHT) == {"attempts": 4, "human_answers": 3, "connects": 1, "abandoned": 1}


async def test_a_time_without_a_zone_is_refused() -> None:
    for query in ({"campaign_id": "c1", "since": "2026-11-17T00:00:00"}, {"campaign_id": "c1"}, {"since": "x"}):
        request = Request(message=b"", now=MIDNIGHT, cause="c", query=query)
        assert (await on_get_totals(request, None)).reply.status == 400  # type: ignore[arg-type]
