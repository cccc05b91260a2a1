"""Preflight: each lead's answer now and by hour, sums that add up, nothing stored, unlawful messages refused."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from compliance_gate.adapters.rule_pack import LAW, load_rule_pack, pin_time_zones, shipped
from compliance_gate.domain.facts import ListCopy, ListInForce
from compliance_gate.domain.preflight import hardest, marks_of
from compliance_gate.handlers.http import get_stats
from compliance_gate.handlers.preflight import post_preflight
from outdial_contracts.events import BlockReason

WEST = {"phone": "+12135550123", "address": {"country": "US", "region": "CA"}}


def row(lead_id: str, a: Any, **changes: Any) -> dict[str, Any]:
    consent = {k: v.isoformat() if hasattr(v, "isoformat") else v for k, v in a.consent().to_record().items()}
    lead = {
        "lead_id": lead_id,
        "row": 2,
        "person_id": lead_id,
        "phone": "+12125550123",
        "line_type": "MOBILE",
        "consumer": True,
        "address": {"country": "US", "region": "NY"},
        "consents": [consent],
        "segment": "COLD",
        "score": 0.5,
    }
    return {**lead, **changes}


async def asked(world: Any, campaign: Any, leads: Any, **more: Any) -> Any:
    body = json.dumps({"campaign": campaign, "leads": leads, **more}).encode()
    return (await post_preflight(world.request(body), world.deps)).reply


async def test_preflight_judges_every_lead_and_stores_nothing(world: Any, a: Any) -> None:
    leads = [row("l1", a), row("l2", a, consents=[]), row("l3", a, phone="+442071838750", consents=[])]
    answer = (await asked(world, a.campaign(), leads)).body
    assert (answer["callable"], answer["blocked_total"]) == (1, 2)
    assert answer["blocked"] == {"CONSENT_MISSING": 1, "JURISDICTION_UNSUPPORTED": 1}
    assert [result["lead_id"] for result in answer["results"]] == ["l1", "l2", "l3"]
    assert [result["next_allowed_at"] for result in answer["results"]][1:] == [None, None]
    assert (await get_stats(world.request(b""), world.deps)).reply.body["open_attempts"] == 0


async def test_every_hour_accounts_for_every_lead_once(fake: Any, a: Any) -> None:
    """Noon in New York: 9:00 in Los Angeles; both shut 21:00 to 8:00."""
    leads = [row("east", a), row("west", a, **WEST), row("none", a, consents=[])]
    answer = (await asked(fake, a.campaign(), leads)).body
    assert [hour["at"] for hour in answer["hours"]] == [(a.now + timedelta(hours=n)).isoformat() for n in range(25)]
    assert all(hour["callable"] + sum(hour["blocked"].values()) == len(leads) for hour in answer["hours"])
    assert [hour["callable"] for hour in answer["hours"]] == [2] * 9 + [1] * 3 + [0] * 8 + [1] * 3 + [2] * 2
    night = answer["hours"][14]["blocked"]
    assert night == {"HOURS": 2, "CONSENT_MISSING": 1}, "a lead that waits for more than the morning says so"
    assert answer["places"] == {
        "US-CA": {"leads": 1, "callable": 1, "blocked": {}},
        "US-NY": {"leads": 2, "callable": 1, "blocked": {"CONSENT_MISSING": 1}},
    }
    assert answer["zones"] == {"America/New_York": 2, "America/Los_Angeles": 1}


async def test_hours_begin_with_the_instant_asked_for_and_end_where_asked(fake: Any, a: Any) -> None:
    fake.clock.advance(90.5)
    at, until = fake.clock.at, a.now + timedelta(hours=2)
    answer = (await asked(fake, a.campaign(), [row("l1", a)], until=until.isoformat())).body
    assert [hour["at"] for hour in answer["hours"]] == [
        at.isoformat(), (a.now + timedelta(hours=1)).isoformat(), until.isoformat(),
    ]  # fmt: skip
    fake.clock.advance(3600)
    again = (await asked(fake, a.campaign(), [row("l1", a)], until=until.isoformat(), at=at.isoformat())).body
    assert again == answer, "the next batch of the file is judged at the same instants"


async def test_lists_that_are_missing_stale_or_fresh_are_told_with_their_age(fake: Any, a: Any) -> None:
    fake.deps = replace(fake.deps, pack=load_rule_pack(shipped(*LAW), tzdata=pin_time_zones()))
    old = ListInForce(as_of=a.now - timedelta(days=40), numbers=1, sha256="", source="x")
    fresh = replace(old, as_of=a.now - timedelta(days=1))

    class Lists:
        def copies(self, e164: str) -> dict[str, ListCopy]:
            return {n: ListCopy(as_of=one.as_of, listed=False) for n, one in self.in_force().items()}

        async def refresh(self) -> dict[str, ListInForce]:
            return {}

        def in_force(self) -> dict[str, ListInForce]:
            return {"US-NDNC": fresh, "US-FL-DNC": old}

    fake.deps = replace(fake.deps, lists=Lists())
    leads = [
        row("fl", a, phone="+13055550123", address={"country": "US", "region": "FL"}),
        row("tx", a, phone="+15125550123", address={"country": "US", "region": "TX"}),
        row("in", a, phone="+13175550123", address={"country": "US", "region": "IN"}),
    ]
    answer = (await asked(fake, a.campaign(), leads)).body
    told = {one["list"]: (one["state"], one["leads"], one["as_of"]) for one in answer["lists"]}
    assert told["US-NDNC"] == ("FRESH", 3, fresh.as_of.isoformat())
    assert told["US-FL-DNC"] == ("STALE", 1, old.as_of.isoformat())
    assert told["US-IN-DNC"] == ("MISSING", 1, None)
    reasons = {result["lead_id"]: result["reasons"] for result in answer["results"]}
    assert "SCRUB_STALE" in reasons["fl"]
    assert "SCRUB_MISSING" in reasons["in"]


async def test_campaign_without_a_lawful_message_is_refused_before_anything_else(fake: Any, a: Any) -> None:
    campaign = a.campaign(safe_harbour={"prompt": "m.wav", "text": "Hello, this is Example Ltd."})
    reply = await asked(fake, campaign, "no leads at all")
    assert (reply.status, reply.body["title"]) == (422, "UNLAWFUL_MESSAGE")
    assert reply.body["detail"].startswith("safe_harbour.text: must say seller.callback")
    for rule_id in ("SAFE-HARBOUR-NUMBER", "SAFE-HARBOUR-PURPOSE", "SAFE-HARBOUR-OPT-OUT"):
        assert rule_id in reply.body["detail"]


@pytest.mark.parametrize("body", [b"", b"[]", b'{"campaign": {}, "leads": []}', b'{"campaign": null}', b"[" * 100_000])
async def test_bad_preflight_is_a_problem(fake: Any, body: bytes) -> None:
    assert (await post_preflight(fake.request(body), fake.deps)).reply.status == 422


@pytest.mark.parametrize("more", [
    {"until": "2026-11-17T17:00:00Z"}, {"until": "2026-12-02T17:00:00Z"}, {"until": "2026-11-18T17:00:00"},
    {"until": 5}, {"at": "2026-11-17T17:02:00Z"}, {"at": "now"}, {"at": "0001-01-01T00:00:00+14:00"},
    {"leads": 7}, {"leads": [7]},
])  # fmt: skip
async def test_bad_times_and_leads_are_a_problem(fake: Any, a: Any, more: dict[str, Any]) -> None:
    reply = await asked(fake, a.campaign(), more.pop("leads", []), **more)
    assert (reply.status, reply.body["title"]) == (422, "BAD_PREFLIGHT")


@pytest.mark.parametrize("reasons, chosen", [
    ([], None), (["HOURS"], "HOURS"), (["HOURS", "HOLIDAY"], "HOLIDAY"), (["COOLDOWN", "HOURS"], "COOLDOWN"),
    (["ATTEMPT_CAP", "CONSENT_MISSING", "HOURS"], "CONSENT_MISSING"), (["INTERNAL_DNC", "DNC_LISTED"], "DNC_LISTED"),
])  # fmt: skip
def test_a_lead_counts_under_what_stands_longest_in_its_way(reasons: list[str], chosen: str | None) -> None:
    assert hardest(map(BlockReason, reasons)) == chosen
    assert hardest(map(BlockReason, reversed(reasons))) == chosen


def test_marks_are_now_and_the_whole_hours_up_to_the_end() -> None:
    at = datetime(2026, 11, 17, 17, 30, tzinfo=UTC)
    assert marks_of(at, at + timedelta(minutes=29)) == (at,)
    assert [mark.hour for mark in marks_of(at, at + timedelta(hours=2))] == [17, 18, 19]
    assert len(marks_of(at.replace(minute=0), at + timedelta(days=1))) == 25
