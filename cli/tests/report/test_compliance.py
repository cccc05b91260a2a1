"""The month's report: what the gate says stands in it, and nothing that it says can leave its cell."""

from __future__ import annotations

import csv
import io
from typing import Any

from outdial_cli.report.compliance import compliance_csv, compliance_page, drop_plot

WINDOW = {
    "legal_campaign": "S1/<T1>", "jurisdiction": "US", "starts_at": "2026-11-17T00:00:00+00:00",
    "ends_at": "2026-12-17T00:00:00+00:00", "over": False, "humans": 200, "abandoned": 7, "machine_hangups": 9,
    "machine_sample": "no sample", "machine_people_estimated": None, "rate": 0.035, "limit": 0.03,
    "within_limit": False, "left_calls": 2.0, "citation": "c",
}  # fmt: skip
DAYS = [
    {"day": "2026-11-17", "humans": 100, "abandoned": 7, "machine_people_estimated": None, "rate": 0.07},
    {"day": "2026-11-18", "humans": 0, "abandoned": 0, "machine_people_estimated": None, "rate": None},
]


def report(**changes: Any) -> dict[str, Any]:
    return {
        "not_legal_advice": "Not legal advice: counsel must review.",
        "seller_id": "S1",
        "month": "2026-11",
        "complete": True,
        "drop_limits": "drop-limits-1",
        "windows": [WINDOW],
        "days": DAYS,
        "safe_harbour": {
            "message": {"rule": "r", "abandoned": 7, "message_began": 6, "without_message": 1},
            "ring": {"rule": "r", "given_up": 3, "sooner": 0, "kept": True},
            "records": {"rule": "r", "kept_in": "the ledger"},
        },
        "dnc_requests": {
            "requests": 2,
            "by_source": {"AGENT": 2},
            "seconds_to_honour": {"median": 0.4, "longest": 1.25},
        },
        "lists": [],
        "rule_packs": [{"rule_pack": "us-1", "tzdata": "2026a"}],
        "overrides": [{"kind": "DROP_LIMIT", "limit": "0.03"}],
        "checkpoints": [],
        **changes,
    }


def test_a_window_over_its_limit_is_the_first_thing_said_and_no_text_becomes_markup() -> None:
    page = compliance_page(report())
    assert "Over the limit of a legal window" in page
    assert "S1/&lt;T1&gt;" in page
    assert "<T1>" not in page
    assert "Not legal advice" in page
    assert "1.2 s" in page


def test_a_month_within_its_limits_says_so_and_whether_it_is_over() -> None:
    page = compliance_page(report(windows=[WINDOW | {"within_limit": True}], complete=False))
    assert "No legal window is over its limit. The month is not over." in page


def test_the_plot_draws_each_day_against_the_limit() -> None:
    plot = drop_plot(DAYS, [0.05, 0.03])
    assert plot.count("<rect") == len(DAYS)
    assert "3.0%" in plot
    assert "17: 7 dropped of 100 human answers" in plot
    assert "Nobody was called" in drop_plot([], [])


def test_csv_has_a_row_per_window_and_per_day() -> None:
    rows = list(csv.DictReader(io.StringIO(compliance_csv(report()))))
    assert [row["row"] for row in rows] == ["window", "day", "day"]
    assert (rows[0]["legal_campaign"], rows[0]["rate"], rows[1]["day"]) == ("S1/<T1>", "0.035", "2026-11-17")
