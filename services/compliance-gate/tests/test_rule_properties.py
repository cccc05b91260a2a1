"""Properties that no facts may break, over every shipped row: most restrictive wins, and the look-ahead is exact."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from compliance_gate.adapters.rule_pack import LAW, load_rule_pack, pin_time_zones, shipped
from compliance_gate.domain.decision import HORIZON, evaluate, freeze
from compliance_gate.domain.evaluation import judge
from compliance_gate.domain.facts import Attempt, Call, Facts, Lead, ListCopy, Relation, Suppression, Suspension
from compliance_gate.domain.holidays import Fixed, HolidaySet, InLieu, easter, nth_weekday
from compliance_gate.domain.months import add_months
from compliance_gate.domain.preflight import Forecaster, hardest, marks_of
from outdial_contracts.events import Address, CallMode, Consent, ConsentLevel, LineType, Purpose, RuleOutcome

PACK = load_rule_pack(shipped(*LAW), tzdata=pin_time_zones())
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
PHONES = (
    "+12125550123", "+13055550123", "+18505550123", "+14055550123", "+15035550123", "+16175550123", "+14015550123",
    "+14165550123", "+442071838750", "+33142685300", "+4930901820", "+34911234567", "+34928123456", "+34612345678",
    "+61291234567", "+61412345678", "+911123456789", "+18005550123", "+5215512345678",
)  # fmt: skip
SECONDS = st.integers(0, 70 * 86_400)
instants = st.integers(0, 730 * 86_400).map(lambda seconds: FIRST + timedelta(seconds=seconds))
purposes = st.sampled_from([p for p in Purpose if p is not Purpose.UNKNOWN])
modes = st.sampled_from([m for m in CallMode if m is not CallMode.UNKNOWN])
outcomes = st.sampled_from([o for o in RuleOutcome if o is not RuleOutcome.UNKNOWN])
sellers = st.sampled_from(["S1", "S2"])


@st.composite
def attempts(draw: st.DrawFn, now: datetime) -> Attempt:
    return Attempt(
        attempt_id="", at=now - timedelta(seconds=draw(SECONDS)), seller_id=draw(sellers), topic_id="T1",
        purpose=draw(purposes), mode=draw(modes), outcomes=(draw(outcomes),), same_number=draw(st.booleans()),
    )  # fmt: skip


@st.composite
def suppressions(draw: st.DrawFn, now: datetime) -> Suppression:
    seller = draw(st.sampled_from(["S1", "S2", "*"]))
    return Suppression(seller_id=seller, requested_at=now - timedelta(seconds=draw(SECONDS)))


@st.composite
def consents(draw: st.DrawFn, now: datetime) -> Consent:
    ends = draw(st.none() | SECONDS)
    return Consent(
        consent_id="c", seller_id=draw(sellers), purpose=draw(st.sampled_from(["any", "marketing"])), channel="voice",
        level=draw(st.sampled_from([ConsentLevel.PEC, ConsentLevel.PEWC])), source="form", ip="192.0.2.1",
        granted_at=now - timedelta(seconds=draw(SECONDS)), captured_at=now, text_sha256="t",
        expires_at=now + timedelta(seconds=ends) if ends is not None else None,
    )  # fmt: skip


@st.composite
def cases(draw: st.DrawFn) -> tuple[Facts, datetime]:
    now = draw(instants)
    copies = {
        rule.rule_id: ListCopy(as_of=now - timedelta(days=draw(st.integers(-1, 40))), listed=draw(st.booleans()))
        for rule in PACK.lists
        if draw(st.integers(0, 9))
    }
    state = draw(st.sampled_from([None, "FL", "NY", "RI", "OK", "LA", "HI"]))
    facts = Facts(
        call=Call(seller_id="S1", topic_id="T1", purpose=draw(purposes), mode=draw(modes)),
        lead=Lead(
            phone=draw(st.sampled_from(PHONES)), line_type=draw(st.sampled_from(list(LineType))),
            consumer=draw(st.booleans()), address=Address(country="US" if state else None, region=state),
        ),
        consents=tuple(draw(st.lists(consents(now), max_size=2))),
        suppressions=tuple(draw(st.lists(suppressions(now), max_size=1))),
        attempts=tuple(draw(st.lists(attempts(now), max_size=8))),
        relations=(Relation(seller_id="S1", last_transaction_at=now - timedelta(seconds=draw(SECONDS))),),
        lists=copies if draw(st.booleans()) else {n: replace(c, as_of=now, listed=False) for n, c in copies.items()},
    )  # fmt: skip
    return facts, now


@given(cases(), st.data())
@settings(deadline=None)
def test_one_more_suppression_attempt_suspension_or_rule_never_allows(
    case: tuple[Facts, datetime], data: st.DataObject
) -> None:
    facts, now = case
    before = judge(facts, now, PACK)
    region = data.draw(st.sampled_from(["US-NY", "US-FL"]))
    suspension = Suspension(region=region, starts_at=now - timedelta(days=1))
    more = (
        replace(facts, suppressions=(*facts.suppressions, data.draw(suppressions(now)))),
        replace(facts, attempts=(*facts.attempts, data.draw(attempts(now)))),
        replace(facts, suspensions=(suspension,)),
        replace(facts, dependencies_down=frozenset({"audit_log"})),
    )
    for stricter in more:
        after = judge(stricter, now, PACK)
        assert after.reasons == ("DEPENDENCY_DOWN",) or before.failures <= after.failures
    kind = data.draw(st.sampled_from(["windows", "consents", "caps", "cooldowns", "lists"]))
    fewer = replace(PACK, **{kind: getattr(PACK, kind)[: data.draw(st.integers(0, 10))]})
    assert judge(facts, now, fewer).failures <= before.failures


@given(cases(), SECONDS, SECONDS)
@settings(deadline=None)
def test_later_disconnect_of_the_number_never_allows(case: tuple[Facts, datetime], one: int, other: int) -> None:
    facts, now = case
    earlier, later = (now - timedelta(seconds=ago) for ago in sorted((one, other), reverse=True))
    failing = [
        {rule_id for _, rule_id in judge(replace(facts, lead=lead), now, PACK).failures}
        for lead in (replace(facts.lead, rnd_disconnected_at=at) for at in (None, earlier, later))
    ]
    assert failing[0] <= failing[1] <= failing[2]  # rules, not codes: the first filter of a consent names the reason


@given(cases())
@settings(deadline=None, max_examples=150)
def test_next_allowed_allows_and_one_second_earlier_blocks(case: tuple[Facts, datetime]) -> None:
    facts, now = case
    decision = evaluate(facts, now, PACK)
    later = decision.next_allowed_at
    assert decision.allowed == (not decision.reasons) == (not decision.rule_ids)
    if decision.allowed:
        assert later == now
    elif later is not None:
        frozen = freeze(facts, now)
        assert now < later <= now + HORIZON
        assert judge(frozen, later, PACK).allowed
        assert not judge(frozen, later - timedelta(seconds=1), PACK).allowed


@given(cases(), st.integers(1, 60 * 24 * 4))
@settings(deadline=None, max_examples=150)
def test_no_quarter_of_an_hour_before_next_allowed_would_have_allowed(case: tuple[Facts, datetime], step: int) -> None:
    facts, now = case
    decision = evaluate(facts, now, PACK)
    probe = now + timedelta(minutes=15 * step)
    if probe <= now + HORIZON and judge(freeze(facts, now), probe, PACK).allowed:
        assert decision.next_allowed_at is not None
        assert decision.next_allowed_at <= probe


@given(cases(), cases(), st.integers(1, 3 * 24))
@settings(deadline=None, max_examples=60)
def test_outlook_at_each_hour_is_what_the_rules_say_then(
    case: tuple[Facts, datetime], other: tuple[Facts, datetime], hours: int
) -> None:
    facts, now = case
    marks = marks_of(now, now + timedelta(hours=hours))
    forecaster = Forecaster(marks, (), PACK)
    for one in (facts, replace(other[0], lead=facts.lead), other[0], facts):  # leads of one place share windows
        outlook, frozen = forecaster.outlook(one), freeze(one, now)
        assert outlook.decision == evaluate(one, now, PACK)
        assert outlook.hours == tuple(hardest(judge(frozen, mark, PACK).reasons) for mark in marks)
        assert outlook.hours[-1] == hardest(evaluate(frozen, marks[-1], PACK).reasons)
        free = [mark for mark, reason in zip(marks, outlook.hours, strict=True) if reason is None]
        assert not free or (outlook.decision.next_allowed_at or free[0]) <= free[0]


@given(cases())
@settings(deadline=None, max_examples=50)
def test_decision_is_a_function_of_facts_and_now_alone(case: tuple[Facts, datetime]) -> None:
    facts, now = case
    turned = replace(facts, attempts=facts.attempts[::-1], consents=facts.consents[::-1])
    assert evaluate(facts, now, PACK) == evaluate(facts, now, PACK) == evaluate(turned, now, PACK)


@pytest.mark.parametrize(
    "year, day", [(2024, (3, 31)), (2025, (4, 20)), (2026, (4, 5)), (2027, (3, 28)), (2038, (4, 25)), (2285, (3, 22))]
)
def test_easter(year: int, day: tuple[int, int]) -> None:
    assert easter(year) == date(year, *day)


@given(st.integers(1900, 2199), st.integers(1, 12), st.integers(0, 6))
@example(2027, 12, 4)
def test_nth_weekdays_are_that_weekday_of_that_month(year: int, month: int, weekday: int) -> None:
    last = nth_weekday(year, month, weekday, -1)
    assert last.weekday() == weekday
    assert (last + timedelta(days=7)).month != month
    assert nth_weekday(year, month, weekday, 4).day in range(22, 29)


def test_new_year_on_a_saturday_is_observed_in_the_old_year() -> None:
    days = HolidaySet(name="X", days=(Fixed(month=1, day=1, in_lieu=InLieu.NEAREST),))
    assert date(2027, 12, 31) in days
    assert date(2028, 1, 1) in days
    assert date(2028, 1, 3) not in days


def test_boxing_day_and_christmas_move_as_a_pair() -> None:
    lieu = InLieu.TWO_DAYS
    days = HolidaySet(name="X", days=(Fixed(month=12, day=25, in_lieu=lieu), Fixed(month=12, day=26, in_lieu=lieu)))
    assert [day for day in range(23, 32) if date(2027, 12, day) in days] == [25, 26, 27, 28]


def test_months_clamp_to_the_end_of_a_month() -> None:
    assert add_months(datetime(2026, 11, 30, 7, tzinfo=UTC), 3) == datetime(2027, 2, 28, 7, tzinfo=UTC)
    assert add_months(datetime(2026, 8, 31, tzinfo=UTC), 18) == datetime(2028, 2, 29, tzinfo=UTC)
