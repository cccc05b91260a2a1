"""One row per attempt by its newest revision; rates with numerator and denominator; the callee's own hour."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.adapters.memory import MemoryWindows
from analytics.app import SUBSCRIPTIONS
from analytics.config import Config, ConfigError
from analytics.domain.facts import SAME, AttemptFact, connect_rate_by_local_hour, fact_of
from outdial_contracts.events import DispositionCode, EndClass, Fault, Verdict
from outdial_contracts.topics import TOPICS
from outdial_runtime.outcome import NOTHING, DeadLetter, Drop

Make = Callable[..., Any]


def test_it_subscribes_to_what_the_contract_says() -> None:
    assert {kind.TOPIC for kind in SUBSCRIPTIONS} == {t.name for t in TOPICS.values() if "analytics" in t.consumers}


def test_an_absent_variable_is_named() -> None:
    with pytest.raises(ConfigError, match="OUTDIAL_POSTGRES_DSN"):
        Config.from_env({})


@given(st.permutations([1, 1, 2, 3, 3]))
async def test_the_newest_revision_wins_in_any_order(
    new_facts: Make, disposed: Make, take: Make, revisions: list[int]
) -> None:
    facts, windows = new_facts(), MemoryWindows()
    codes = {1: DispositionCode.UNKNOWN, 2: DispositionCode.CONNECTED, 3: DispositionCode.INTERESTED}
    kept = 0
    for revision in revisions:
        outcome = await take(disposed(revision=revision, code=codes[revision]), facts, windows)
        assert outcome == (NOTHING if revision > kept else Drop("OLDER_REVISION"))
        kept = max(kept, revision)
    [fact] = facts.facts.values()
    assert (fact.revision, fact.code) == (3, "INTERESTED")


def test_a_fact_has_every_field_from_its_disposition(disposed: Make) -> None:
    start = datetime(2026, 11, 17, 15, 0, tzinfo=UTC)
    event = disposed(
        verdict=Verdict.HUMAN,
        end_class=EndClass.CONNECTED,
        fault=Fault.AGENT,
        sip_status=200,
        q850_cause=16,
        invited_at=start,
        alerting_at=start + timedelta(milliseconds=420),
        talk_seconds=33.0,
        agent_id="a1",
    )
    fact = fact_of(event)
    assert (fact.attempt_no, fact.segment, fact.list_source, fact.region) == (2, "WARM", "web", "US-NY")
    assert (fact.end_class, fact.fault, fact.verdict, fact.pdd_seconds) == ("CONNECTED", "AGENT", "HUMAN", 0.42)
    assert all(getattr(fact, name) == getattr(event, name) for name in SAME)
    assert set(SAME) < set(AttemptFact.__dataclass_fields__)


@pytest.mark.parametrize(
    "at, zone, hour",
    [
        ("2026-11-17T15:00:00", "America/New_York", 10),
        ("2026-07-17T15:00:00", "America/New_York", 11),
        ("2026-11-01T05:59:59", "America/New_York", 1),  # still EDT: the first 01 o'clock
        ("2026-11-01T06:00:00", "America/New_York", 1),  # EST: the second 01 o'clock
        ("2026-03-08T06:59:59", "America/New_York", 1),
        ("2026-03-08T07:00:00", "America/New_York", 3),  # 02 o'clock does not exist
        ("2026-11-17T15:00:00", "America/Phoenix", 8),
        ("2026-07-17T15:00:00", "America/Phoenix", 8),  # no summer time
        ("2026-11-17T15:00:00", "America/St_Johns", 11),  # UTC-3:30
        ("2026-11-17T03:00:00", "Pacific/Honolulu", 17),
        ("2026-11-17T15:00:00", None, None),
    ],
)
def test_the_hour_is_the_callees(disposed: Make, at: str, zone: str | None, hour: int | None) -> None:
    event = disposed(zone=zone, redeemed_at=datetime.fromisoformat(at).replace(tzinfo=UTC))
    assert fact_of(event).local_hour == hour


def test_an_attempt_whose_redemption_is_not_known_yet_has_the_hour_of_its_invite(disposed: Make) -> None:
    at = datetime(2026, 11, 17, 18, 0, tzinfo=UTC)
    assert fact_of(disposed(redeemed_at=None, invited_at=at)).local_hour == 13
    assert fact_of(disposed(redeemed_at=None, disposed_at=at)).local_hour == 13


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../etc/passwd", "", "America"])
async def test_a_zone_that_is_none_is_a_dead_letter(new_facts: Make, disposed: Make, take: Make, zone: str) -> None:
    outcome = await take(disposed(zone=zone), new_facts())
    assert isinstance(outcome, DeadLetter)
    assert outcome.reason == "ZONE_UNKNOWN"


def test_connect_rate_has_numerator_and_denominator() -> None:
    rows = [
        row(10, human_answer=True, connected=True),
        row(10, human_answer=True),
        row(10),
        row(9),
        row(9, charged=False, connected=True),
        row(None, human_answer=True, connected=True),
    ]
    assert connect_rate_by_local_hour(rows) == {
        "09": {"attempts": 1, "human_answers": 0, "connects": 0, "connect_rate": 0.0},
        "10": {"attempts": 3, "human_answers": 2, "connects": 1, "connect_rate": 0.3333},
        "unknown": {"attempts": 1, "human_answers": 1, "connects": 1, "connect_rate": 1.0},
    }
    assert connect_rate_by_local_hour([]) == {}


@given(st.lists(st.builds(lambda h, c, a, b: row(h, charged=c, human_answer=a, connected=b),
                          st.none() | st.integers(0, 23), st.booleans(), st.booleans(), st.booleans())))  # fmt: skip
def test_every_charged_attempt_is_in_one_hour(rows: list[dict[str, Any]]) -> None:
    hours = connect_rate_by_local_hour(rows)
    charged = [r for r in rows if r["charged"]]
    assert sum(h["attempts"] for h in hours.values()) == len(charged)
    assert sum(h["connects"] for h in hours.values()) == sum(r["connected"] for r in charged)
    assert all(h["connect_rate"] == round(h["connects"] / h["attempts"], 4) for h in hours.values())


async def test_offers_that_are_no_attempts_are_counted_once(
    new_facts: Make, closed: Make, blocked: Make, take: Make
) -> None:
    facts = new_facts()
    for event in (blocked(1), blocked(1), closed(2, "REFUSED"), closed(3, "LAPSED"), closed(4, "REDEEMED")):
        await take(event, facts)
    assert await facts.offer_ends("c1") == {"BLOCKED": 1, "REFUSED": 1, "LAPSED": 1}
    assert facts.ends[blocked(1).attempt_id][2] == ("HOURS", "COOLDOWN")
    assert facts.ends[closed(2, "REFUSED").attempt_id][2] == ("RULES", "HOURS")


def row(hour: int | None, **flags: bool) -> dict[str, Any]:
    return {"local_hour": hour, "charged": True, "human_answer": False, "connected": False} | flags
