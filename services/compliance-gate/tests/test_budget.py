"""The drop-rate ledger: counted once per attempt, in the legal window, never more allotted than is left."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance_gate.adapters.drop_limits import load_drop_limits
from compliance_gate.adapters.pack_rows import RulePackError
from compliance_gate.domain.drop_budget import DropBook, Terms, allot, budget, news
from compliance_gate.domain.drop_counts import Slot, Tally, tally_of
from compliance_gate.domain.drop_limits import DropLimit, LegalCampaign
from compliance_gate.domain.live import LiveBook
from outdial_contracts.events import (
    CallDisposition,
    CampaignState,
    DispositionCode,
    EndClass,
    Fault,
    Verdict,
)

from .conftest import NOON, document, offer, published

LAW = load_drop_limits()
SPRING = LegalCampaign(seller_id="S1", topic_id="T1")
TODAY = NOON.date()
TERMS = Terms(campaign=SPRING, limit=0.03, teams={"blue": True})


def disposition(**changes: Any) -> CallDisposition:
    made = offer()
    whole = CallDisposition(
        attempt_id=made.attempt_id, team_id="blue", campaign_id="spring", campaign_version=1, context=made.context,
        lead_id=made.context.lead_id, revision=1, code=DispositionCode.CONNECTED, final=False, reached=True,
        human_answer=True, connected=True, abandoned=False, conversation=False, right_party=False, conversion=False,
        dnc=False, charged=True, end_class=EndClass.CONNECTED, fault=Fault.CALLEE, closed_by_deadline=False,
        disposed_at=NOON, verdict=Verdict.HUMAN, answered_at=NOON,
    )  # fmt: skip
    return replace(whole, **changes)


ABANDONED: dict[str, Any] = {
    "code": DispositionCode.ABANDONED, "end_class": EndClass.ABANDONED, "abandoned": True, "connected": False,
}  # fmt: skip
LOST: dict[str, Any] = {
    "code": DispositionCode.UNKNOWN, "end_class": EndClass.UNKNOWN, "abandoned": True, "connected": False,
    "verdict": None, "closed_by_deadline": True,
}  # fmt: skip
HUNG_UP: dict[str, Any] = {
    "code": DispositionCode.MACHINE, "end_class": EndClass.MACHINE, "verdict": Verdict.MACHINE, "connected": False,
    "human_answer": False,
}  # fmt: skip
RANG: dict[str, Any] = {
    "code": DispositionCode.NO_ANSWER, "end_class": EndClass.NO_ANSWER, "verdict": None, "connected": False,
    "human_answer": False, "answered_at": None, "alerting_at": NOON, "sip_status": 487,
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "tally"),
    [
        pytest.param({}, Tally(humans=1), id="connected"),
        pytest.param({"verdict": None}, Tally(humans=1), id="gateway-died-in-the-conversation"),
        pytest.param({"verdict": Verdict.SCREENER}, Tally(), id="a-screener-is-no-human-answer"),
        pytest.param(ABANDONED, Tally(humans=1, abandoned=1, seen_abandoned=1), id="abandoned"),
        pytest.param(
            ABANDONED | {"safe_harbour_played": True},
            Tally(humans=1, abandoned=1, seen_abandoned=1, messages=1),
            id="abandoned-with-the-message",
        ),
        pytest.param(LOST, Tally(abandoned=1), id="unknown-after-the-answer-is-an-abandonment"),
        pytest.param(HUNG_UP, Tally(machine_hangups=1), id="hung-up-as-a-machine"),
        pytest.param(
            {"verdict": Verdict.MACHINE, "sampled": True, "code": DispositionCode.CALLBACK},
            Tally(humans=1, sampled=1, sampled_humans=1),
            id="sampled-was-a-person",
        ),
        pytest.param(
            {"verdict": Verdict.MACHINE, "sampled": True, "code": DispositionCode.MACHINE},
            Tally(sampled=1),
            id="sampled-was-a-machine",
        ),
        pytest.param(
            {"verdict": Verdict.MACHINE, "sampled": True}, Tally(), id="sampled-and-the-agent-did-not-say-what"
        ),
        pytest.param(RANG | {"ended_at": NOON + timedelta(seconds=18)}, Tally(given_up=1), id="rang-long-enough"),
        pytest.param(
            RANG | {"ended_at": NOON + timedelta(seconds=14)}, Tally(given_up=1, short_rings=1), id="given-up-too-soon"
        ),
        pytest.param(
            RANG | {"ended_at": NOON + timedelta(seconds=9), "sip_status": 480}, Tally(), id="the-carrier-ended-it"
        ),
    ],
)
def test_what_a_disposition_counts_for(changes: dict[str, Any], tally: Tally) -> None:
    assert tally_of(disposition(**changes)) == tally


@pytest.mark.parametrize(
    ("country", "day", "first", "after"),
    [
        ("US", date(2026, 11, 17), date(2026, 11, 17), date(2026, 12, 17)),
        ("US", date(2026, 12, 16), date(2026, 11, 17), date(2026, 12, 17)),
        ("US", date(2026, 12, 17), date(2026, 12, 17), date(2027, 1, 16)),
        ("GB", date(2026, 12, 17), date(2026, 12, 17), date(2026, 12, 18)),
        ("CA", date(2026, 12, 31), date(2026, 12, 1), date(2027, 1, 1)),
        ("FR", date(2026, 12, 17), date(2026, 12, 17), date(2026, 12, 18)),
    ],
)
def test_windows_are_successive_from_the_first_call_and_not_rolling(
    country: str, day: date, first: date, after: date
) -> None:
    window = LAW.of(country).window(date(2026, 11, 17), day)
    assert (window.first, window.after) == (first, after)


def book(*tallies: Tally, country: str = "US", day: date = TODAY, **teams: Tally) -> DropBook:
    named = dict(teams) or {"blue": sum(tallies, start=Tally())}
    days = {Slot(campaign=SPRING, jurisdiction=country, day=day, team_id=team): t for team, t in named.items()}
    return DropBook(firsts={country: day}, days=days, teams=named)


def test_a_new_campaign_may_overdial_from_its_first_call() -> None:
    assert budget(TERMS, LAW, DropBook(), NOON).left_calls == 3.0


def test_what_the_next_window_holds_is_fresh() -> None:
    spent = book(Tally(humans=50, abandoned=4))
    assert budget(TERMS, LAW, spent, NOON).left_calls == 0.5
    later = NOON + timedelta(days=30)
    assert budget(TERMS, LAW, spent, later).left_calls == 3.0
    assert budget(TERMS, LAW, spent, later - timedelta(days=1)).left_calls == 0.5


def test_people_hung_up_on_as_machines_are_estimated_from_the_sample_and_spent_from_the_same_budget() -> None:
    counted = Tally(humans=400, abandoned=6, machine_hangups=100, sampled=50, sampled_humans=1)
    assert budget(TERMS, LAW, book(counted), NOON).left_calls == 7.0
    assert budget(TERMS, LAW, book(replace(counted, sampled=0, sampled_humans=0)), NOON).left_calls == 9.0


def test_a_document_that_asks_for_more_than_the_law_gets_the_laws_limit() -> None:
    asked = replace(TERMS, limit=0.5)
    assert budget(asked, LAW, book(Tally(humans=10)), NOON).limit == 0.03
    assert budget(replace(TERMS, limit=0.01), LAW, book(Tally(humans=10)), NOON).limit == 0.01


def test_the_tightest_window_binds() -> None:
    us, gb = book(Tally(humans=1000)), book(Tally(abandoned=2), country="GB")
    both = DropBook(firsts={**us.firsts, **gb.firsts}, days={**us.days, **gb.days}, teams=us.teams)
    said = budget(TERMS, LAW, both, NOON)
    assert (said.left_calls, len(said.windows)) == (1.0, 2)


def test_a_team_whose_campaigns_are_paused_leaves_its_part_to_the_others() -> None:
    terms = replace(TERMS, teams={"blue": True, "green": False})
    said = budget(terms, LAW, book(blue=Tally(humans=100), green=Tally(humans=300, seen_abandoned=1)), NOON)
    parts = {team.team_id: (team.allotted_calls, team.humans, team.abandoned) for team in said.teams}
    assert parts == {"blue": (15.0, 100, 0), "green": (0.0, 300, 1)}


def test_nothing_is_news_but_a_count_that_changed() -> None:
    said = budget(TERMS, LAW, book(Tally(humans=1)), NOON)
    later = NOON + timedelta(hours=1)
    same = replace(book(Tally(humans=1)), said=said)
    assert not news(same, budget(TERMS, LAW, same, later))
    more = replace(book(Tally(humans=2)), said=said)
    assert news(more, budget(TERMS, LAW, more, later))


tallies = st.builds(
    Tally,
    humans=st.integers(0, 3000),
    abandoned=st.integers(0, 100),
    machine_hangups=st.integers(0, 3000),
    sampled=st.integers(0, 50),
).flatmap(lambda t: st.builds(replace, st.just(t), sampled_humans=st.integers(0, t.sampled)))


@given(counted=tallies, limit=st.floats(0, 1), human=st.booleans())
def test_the_budget_never_grows_by_an_abandonment(counted: Tally, limit: float, human: bool) -> None:
    after = counted + Tally(humans=int(human), abandoned=1)
    assert after.left(limit) <= counted.left(limit)


@given(counted=tallies, limit=st.floats(0, 1))
def test_the_budget_never_grows_by_a_person_found_in_the_sample(counted: Tally, limit: float) -> None:
    one_more = counted + Tally(sampled=1)
    person = one_more + Tally(sampled_humans=1)
    assert person.left(limit) <= one_more.left(limit)


@given(
    left=st.floats(-50, 100),
    weights=st.dictionaries(st.sampled_from("abcdef"), st.floats(0, 5000), max_size=6),
)
def test_parts_never_add_up_to_more_than_what_is_left(left: float, weights: dict[str, float]) -> None:
    said = budget(
        replace(TERMS, teams=dict.fromkeys(weights, True)), LAW, book(Tally(abandoned=max(int(3 - left), 0))), NOON
    )
    assert sum(team.allotted_calls for team in said.teams) <= said.left_calls + 1e-9 or not weights
    assert sum(allot(left, weights).values()) <= left + 1e-9 or not allot(left, weights)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ("limits: [{jurisdiction: US, limit: 3, days: 30, basis: LAW, confidence: high, citation: c}]", "limit: want"),
        ("limits: [{jurisdiction: US, limit: 0.03, basis: LAW, confidence: high, citation: c}]", "days, month"),
        ("limits: [{jurisdiction: US, limit: 0.1, days: 1, basis: LAW, confidence: high, citation: c}]", 'row of "*"'),
    ],
)
def test_a_bad_file_of_limits_is_refused_by_row_and_field(tmp_path: Any, changes: str, says: str) -> None:
    file = tmp_path / "limits.yaml"
    file.write_text(f"version: v\n{changes}\n")
    with pytest.raises(RulePackError, match=says):
        load_drop_limits(file)


def test_a_month_ends_with_its_last_day() -> None:
    row = DropLimit(jurisdiction="CA", limit=0.05, days=None)
    assert row.window(date(2026, 1, 31), date(2028, 2, 29)).ends_at == datetime(2028, 3, 1, tzinfo=UTC)


def test_a_legal_campaign_has_the_lowest_limit_and_all_teams_of_its_newest_versions() -> None:
    live = LiveBook()
    live.publish(published("1", replace(document(), abandon_limit=0.01)))
    live.publish(replace(published("2", document()), version=2))
    live.publish(replace(published("1", replace(document(), abandon_limit=0.02)), campaign_id="two", team_id="green"))
    live.publish(replace(published("state", state=CampaignState.RUNNING), campaign_id="two", team_id="green"))
    [terms] = live.legal_campaigns()
    assert (terms.campaign, terms.limit, terms.teams) == (SPRING, 0.02, {"blue": False, "green": True})
