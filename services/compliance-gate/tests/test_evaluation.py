"""The rules as tables, their boundaries, and properties that no facts may break."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance_gate.adapters.rule_pack import LAW, load_rule_pack, pin_time_zones, shipped
from compliance_gate.domain.decision import HORIZON, evaluate
from compliance_gate.domain.evaluation import judge
from compliance_gate.domain.facts import Attempt, Call, Facts, Lead, PersonCap, Suppression
from compliance_gate.domain.places import normalise
from compliance_gate.domain.rules import RulePack
from outdial_contracts.events import (
    Address,
    BlockReason,
    CallMode,
    Consent,
    ConsentLevel,
    LineType,
    Purpose,
    RuleOutcome,
)

NOW = datetime(2026, 11, 17, 17, 0, tzinfo=UTC)
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
LAWS = load_rule_pack(shipped(*LAW), tzdata=pin_time_zones())
PACK = replace(load_rule_pack(shipped("us_federal.yaml"), tzdata=pin_time_zones()), lists=())
MARKETING = Call(seller_id="S1", topic_id="T1", purpose=Purpose.MARKETING, mode=CallMode.LIVE_AUTODIALED)


def facts(a: Any, **changes: Any) -> Facts:
    lead = Lead(phone="+12125550123", line_type=LineType.MOBILE, consumer=True, address=Address())
    return replace(Facts(call=MARKETING, lead=lead, consents=(a.consent(),)), **changes)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    "phone, address, instant, allowed",
    [
        ("+12125550123", Address(), "2026-11-17T13:00:00Z", True),  # 08:00:00 in New York
        ("+12125550123", Address(), "2026-11-17T12:59:59Z", False),
        ("+12125550123", Address(), "2026-11-18T01:59:59Z", True),
        ("+12125550123", Address(), "2026-11-18T02:00:00Z", False),  # 21:00:00
        ("+12125550123", Address(country="US", region="CA"), "2026-11-17T15:00:00Z", False),  # 07:00 at the address
        ("+12125550123", Address(country="US", region="US-CA"), "2026-11-17T16:00:00Z", True),
        ("+12125550123", Address(country="US", region="CA"), "2026-11-18T03:00:00Z", False),  # 22:00 at the number
        ("+18502550123", Address(), "2026-11-17T13:30:00Z", False),  # area code 850 spans Eastern and Central
        ("+18502550123", Address(), "2026-11-17T14:00:00Z", True),
        ("+12125550123", Address(country="US", time_zone="Pacific/Honolulu"), "2026-11-17T17:59:59Z", False),
    ],
)
def test_hours_hold_in_every_zone_of_number_and_address(
    a: Any, phone: str, address: Address, instant: str, allowed: bool
) -> None:
    lead = Lead(phone=phone, line_type=LineType.MOBILE, consumer=True, address=address)
    decision = evaluate(facts(a, lead=lead), at(instant), PACK)
    assert decision.allowed is allowed
    if not allowed:
        assert decision.rule_ids == ("US-FED-HOURS",)
        assert decision.next_allowed_at is not None


def test_next_opening_moves_with_daylight_saving(a: Any) -> None:
    before_shift = evaluate(facts(a), at("2027-03-14T03:00:00Z"), PACK)
    assert before_shift.next_allowed_at == at("2027-03-14T12:00:00Z")  # 08:00 EDT; the day before it was 13:00Z


@pytest.mark.parametrize(
    "changes, reason",
    [
        ({"seller_id": "S2"}, BlockReason.CONSENT_MISSING),
        ({"channel": "sms"}, BlockReason.CONSENT_MISSING),
        ({"granted_at": NOW + timedelta(seconds=1)}, BlockReason.CONSENT_MISSING),
        ({"purpose": "survey"}, BlockReason.CONSENT_WRONG_PURPOSE),
        ({"level": ConsentLevel.PEC}, BlockReason.CONSENT_LEVEL),
        ({"source": None}, BlockReason.CONSENT_NO_PROOF),
        ({"captured_at": None}, BlockReason.CONSENT_NO_PROOF),
        ({"text_sha256": None}, BlockReason.CONSENT_NO_PROOF),
        ({"revoked_at": NOW}, BlockReason.CONSENT_REVOKED),
        ({"expires_at": NOW}, BlockReason.CONSENT_EXPIRED),
        ({"revoked_at": NOW + timedelta(seconds=1)}, None),
        ({"expires_at": NOW + timedelta(seconds=1)}, None),
        ({"purpose": "marketing"}, None),
    ],
)
def test_consent_must_pass_every_filter(a: Any, changes: dict[str, Any], reason: BlockReason | None) -> None:
    decision = evaluate(facts(a, consents=(a.consent(**changes),)), NOW, PACK)
    assert decision.reasons == ((reason,) if reason else ())


def test_number_given_to_somebody_else_ends_the_consent(a: Any) -> None:
    gone = replace(facts(a).lead, rnd_disconnected_at=NOW - timedelta(days=1))
    assert evaluate(facts(a, lead=gone), NOW, PACK).reasons == (BlockReason.CONSENT_REASSIGNED,)


def test_one_revocation_ends_every_earlier_consent_from_2027_01_31(a: Any) -> None:
    revoked = a.consent(consent_id="c2", purpose="survey", revoked_at=at("2026-12-01T00:00:00Z"))
    both = facts(a, consents=(a.consent(), revoked))
    assert evaluate(both, at("2027-01-30T17:00:00Z"), PACK).allowed
    assert evaluate(both, at("2027-01-31T17:00:00Z"), PACK).reasons == (BlockReason.CONSENT_REVOKED,)


@pytest.mark.parametrize(
    "mode, line, purpose, rule",
    [
        (CallMode.LIVE_MANUAL, LineType.MOBILE, Purpose.MARKETING, None),
        (CallMode.LIVE_AUTODIALED, LineType.LANDLINE, Purpose.MARKETING, None),
        (CallMode.LIVE_AUTODIALED, LineType.UNKNOWN, Purpose.MARKETING, "US-PEWC-AUTODIAL-MOBILE"),
        (CallMode.PRERECORDED, LineType.LANDLINE, Purpose.MARKETING, "US-PEWC-PRERECORDED"),
        (CallMode.LIVE_AUTODIALED, LineType.VOIP, Purpose.COLLECTIONS, "US-PEC-MOBILE"),
        (CallMode.PRERECORDED, LineType.LANDLINE, Purpose.SURVEY, None),
    ],
)
def test_consent_is_asked_for_by_mode_line_and_purpose(
    a: Any, mode: CallMode, line: LineType, purpose: Purpose, rule: str | None
) -> None:
    call, lead = replace(MARKETING, mode=mode, purpose=purpose), replace(facts(a).lead, line_type=line)
    assert evaluate(facts(a, call=call, lead=lead, consents=()), NOW, PACK).rule_ids == ((rule,) if rule else ())


def test_suppression_is_lifted_only_by_a_later_written_consent_to_that_seller(a: Any) -> None:
    day = timedelta(days=1)
    earlier, later = NOW - 40 * day, NOW - 10 * day  # the consent was granted 30 days ago
    table = (("S1", earlier, True), ("S1", later, False), ("*", earlier, False), ("S2", later, True))
    for seller, requested_at, allowed in table:
        suppressed = (Suppression(seller_id=seller, requested_at=requested_at),)
        assert evaluate(facts(a, suppressions=suppressed), NOW, PACK).allowed is allowed


def attempt(seconds_ago: int, **changes: Any) -> Attempt:
    whole = Attempt(
        attempt_id=str(seconds_ago),
        at=NOW - timedelta(seconds=seconds_ago),
        seller_id="S1",
        topic_id="T1",
        purpose=Purpose.MARKETING,
        mode=CallMode.LIVE_AUTODIALED,
    )
    return replace(whole, **changes)


@pytest.mark.parametrize(
    "attempts, next_allowed_seconds",
    [
        ((attempt(10), attempt(20)), 86_400 - 20),
        ((attempt(86_400), attempt(20)), None),  # exactly the window ago no longer counts
        ((attempt(10), attempt(20, seller_id="S2")), None),
        ((attempt(10), attempt(20, topic_id="T2")), None),
        ((attempt(10), attempt(20, counts_until=NOW + timedelta(seconds=30))), 30),
        ((attempt(10), attempt(20, counts_until=NOW)), None),
    ],
)
def test_campaign_cap_counts_a_rolling_window(
    a: Any, attempts: tuple[Attempt, ...], next_allowed_seconds: int | None
) -> None:
    call = replace(MARKETING, person_cap=PersonCap(max_attempts=2, window_hours=24))
    noon_after = facts(a, call=call, attempts=attempts)
    decision = evaluate(noon_after, NOW, PACK)
    assert decision.allowed is (next_allowed_seconds is None)
    if next_allowed_seconds is not None:
        assert decision.reasons == (BlockReason.ATTEMPT_CAP,)
        assert decision.next_allowed_at == NOW + timedelta(seconds=next_allowed_seconds)


def test_house_cap_ignores_calls_the_network_failed(a: Any, pack: RulePack) -> None:
    eight = [attempt(60 * n, topic_id=f"T{n}") for n in range(8)]
    assert evaluate(facts(a, attempts=tuple(eight)), NOW, pack).rule_ids == ("HOUSE-PERSON-24H",)
    eight[0] = replace(eight[0], outcomes=(RuleOutcome.NETWORK_FAILED,))
    assert evaluate(facts(a, attempts=tuple(eight)), NOW, pack).allowed


def test_any_dependency_down_blocks_even_an_emergency(a: Any) -> None:
    call = replace(MARKETING, purpose=Purpose.EMERGENCY)
    assert evaluate(facts(a, call=call), NOW, PACK).allowed
    down = facts(a, call=call, dependencies_down=frozenset({"audit_log"}))
    assert evaluate(down, NOW, PACK).reasons == (BlockReason.DEPENDENCY_DOWN,)


def test_toll_free_number_without_an_address_has_no_zone(a: Any) -> None:
    lead = replace(facts(a).lead, phone="+18005550123")
    assert evaluate(facts(a, lead=lead), NOW, PACK).reasons == (BlockReason.TZ_UNKNOWN,)


@given(
    now=st.integers(0, 730 * 86_400).map(lambda seconds: FIRST + timedelta(seconds=seconds, microseconds=7)),
    phone=st.sampled_from(["+12125550123", "+18502550123", "+13105550123", "+18085550123", "+442071838750", "+1"]),
    region=st.sampled_from([None, "CA", "NY", "HI", "ID"]),
    ago=st.lists(st.integers(0, 200_000), max_size=4),
    revoked=st.booleans(),
)
def test_next_allowed_is_a_whole_second_that_really_allows_and_reasons_mean_blocked(
    now: datetime, phone: str, region: str | None, ago: list[int], revoked: bool
) -> None:
    consent = Consent(
        consent_id="c", seller_id="S1", purpose="any", channel="voice", level=ConsentLevel.PEWC,
        granted_at=datetime(2025, 1, 1, tzinfo=UTC), source="s", captured_at=now, ip="i", text_sha256="t",
        revoked_at=now if revoked else None,
    )  # fmt: skip
    case = Facts(
        call=replace(MARKETING, person_cap=PersonCap(max_attempts=2, window_hours=24), ring_seconds=18),
        lead=Lead(
            phone=phone,
            line_type=LineType.MOBILE,
            consumer=True,
            address=Address(country="US" if region else None, region=region),
        ),
        consents=(consent,),
        attempts=tuple(replace(attempt(0), at=now - timedelta(seconds=s)) for s in ago),
    )
    decision = evaluate(case, now, PACK)
    later = decision.next_allowed_at
    assert decision.allowed == (not decision.reasons) == (not decision.rule_ids)
    if decision.allowed:
        assert later == now
    elif later is not None:
        assert now < later <= now + HORIZON
        assert later.microsecond == 0
        assert judge(case, later, PACK).allowed
        assert not judge(case, later - timedelta(seconds=1), PACK).allowed


@given(st.text(max_size=20))
def test_no_text_breaks_the_number_reader(text: str) -> None:
    e164 = normalise(text, "US", PACK.geography)
    assert e164 is None or (e164.startswith("+") and e164[1:].isascii() and e164[1:].isdecimal())
