"""One suite for both stores: what the memory one answers is what PostgreSQL answers."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

from analytics.domain.facts import fact_of
from analytics.ports import Facts
from outdial_contracts.events import Verdict

NOW = datetime(2026, 11, 17, 15, 0, tzinfo=UTC)
Make = Callable[..., Any]


async def test_the_newest_revision_wins_in_any_order(facts: Facts, disposed: Make) -> None:
    for number, order in enumerate(permutations([1, 2, 3])):
        kept = [await facts.put(fact_of(disposed(number, revision=revision))) for revision in order]
        assert kept == [revision == max(order[: place + 1]) for place, revision in enumerate(order)]
        assert not await facts.put(fact_of(disposed(number, revision=3)))
    rows = await facts.of_campaign("c1")
    assert [row["revision"] for row in rows] == [3] * 6


async def test_a_fact_survives_the_round_trip(facts: Facts, disposed: Make) -> None:
    fact = fact_of(disposed(verdict=Verdict.HUMAN, talk_seconds=1.5, sip_status=200))
    await facts.put(fact)
    [row] = await facts.of_campaign("c1")
    uuids = ("attempt_id", "lead_id")
    assert {name: str(v) if name in uuids else v for name, v in row.items()} == {
        name: getattr(fact, name) for name in row
    }


async def test_rows_are_the_campaigns_own_in_order_of_redemption(facts: Facts, disposed: Make) -> None:
    for number, redeemed_at in ((1, None), (2, NOW + timedelta(seconds=9)), (3, NOW), (5, None), (4, NOW)):
        await facts.put(fact_of(disposed(number, redeemed_at=redeemed_at)))
    await facts.put(fact_of(disposed(6, campaign_id="c2")))
    assert [uuid.UUID(str(row["attempt_id"])).int for row in await facts.of_campaign("c1")] == [3, 4, 2, 1, 5]
    assert await facts.of_campaign("nobody") == []


async def test_the_first_word_on_an_offer_counts(facts: Facts) -> None:
    for number, campaign, outcome in ((1, "c1", "BLOCKED"), (1, "c1", "LAPSED"), (2, "c1", "BLOCKED"), (3, "c2", "X")):
        await facts.put_offer_end(str(uuid.UUID(int=number)), campaign, outcome, ["HOURS"], NOW)
    assert await facts.offer_ends("c1") == {"BLOCKED": 2}
    assert await facts.offer_ends("c2") == {"X": 1}
