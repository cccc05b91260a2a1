"""Searching without numbers, and one timeline out of what four services know."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from console.domain.health import OF_BINDING, Health, health_of
from console.domain.search import Kind, Sought, sought
from console.domain.seen import SeenAttempt, Stage
from console.domain.timeline import DOING, SERVICE, Phase, phases_of, timeline_of
from console.handlers.drawing import duration, gantt, ticks

START = datetime(2026, 11, 17, 15, 0, tzinfo=UTC)
UUID = "405559c8-8b06-5a7d-a5a6-5a7d84c2c264"


def at(seconds: float) -> str:
    return (START + timedelta(seconds=seconds)).isoformat()


@pytest.mark.parametrize(
    "typed, found",
    [
        (f" {UUID.upper()} ", Sought(kind=Kind.ID, value=UUID)),
        ("spring-renewal", Sought(kind=Kind.CAMPAIGN, value="spring-renewal")),
        ("Q4-2026", Sought(kind=Kind.CAMPAIGN, value="q4-2026")),
        ("+12125550123", Sought(kind=Kind.NUMBER)),
        ("(212) 555-0123", Sought(kind=Kind.NUMBER)),
        ("212-555-0123", Sought(kind=Kind.NUMBER)),
        ("5550123", Sought(kind=Kind.NUMBER)),
        ("", Sought(kind=Kind.NOTHING)),
        ("<script>", Sought(kind=Kind.NOTHING)),
    ],
)
def test_what_is_typed_is_an_id_a_campaign_or_refused(typed: str, found: Sought) -> None:
    assert sought(typed) == found


def evidence(**changes: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "decision": {"allowed": True, "at": at(0.07)},
        "facts": {"offered_at": at(0)},
        "redemptions": [{"granted": True, "at": at(0.13), "reasons": []}],
        "closed": {"state": "REDEEMED", "at": at(0.13)},
    }
    return {**plain, **changes}


def test_stages_of_all_sources_stand_in_order_of_time() -> None:
    record = {
        "redemption": {"redeemed_at": at(0.13)},
        "invited_at": at(0.14),
        "answered_at": at(6),
        "bridged_at": at(8),
        "end": {"alerting_at": at(0.4), "ended_at": at(40), "end_class": "CONNECTED"},
        "wrapup": {"at": at(44), "code": "INTERESTED"},
        "said": [{"event": {"disposed_at": at(44.1), "code": "CONNECTED"}}, {"event": {"code": "INTERESTED"}}],
    }
    seen = SeenAttempt(attempt_id="a", campaign_id="c", lead_id="l")
    seen.stages = {Stage.VERDICT: START + timedelta(seconds=7.5), Stage.BRIDGED: START + timedelta(seconds=9)}
    seen.notes = {Stage.VERDICT: "HUMAN", Stage.BRIDGED: "agent-1"}
    spans = [Phase(service="pacer", doing="call.dial publish", start=START + timedelta(seconds=0.09), end=START)]
    moments = timeline_of(evidence(), record, seen, spans).ordered()
    assert [m.stage.value for m in moments] == [
        "ready", "cleared", "dial", "redeemed", "invited", "alerting", "answered", "verdict", "bridged", "ended",
        "wrap-up", "disposition",
    ]  # fmt: skip
    assert {m.stage: m.note for m in moments if m.note} == {
        Stage.VERDICT: "HUMAN",
        Stage.BRIDGED: "agent-1",
        Stage.ENDED: "CONNECTED",
        Stage.WRAP_UP: "INTERESTED",
        Stage.DISPOSITION: "INTERESTED",
    }
    assert next(m for m in moments if m.stage is Stage.BRIDGED).at == START + timedelta(seconds=8)


def test_a_call_that_nobody_was_bridged_to_was_not_carried() -> None:
    record = {"invited_at": at(1), "end": {"ended_at": at(20), "end_class": "NO_ANSWER"}}
    assert [phase.doing for phase in timeline_of(None, record, None).phases()] == ["ends the call"]


def test_a_span_whose_clock_is_another_is_left_out() -> None:
    spans = [Phase(service="pacer", doing="call.dial publish", start=START - timedelta(days=7), end=START)]
    assert Stage.DIAL not in timeline_of(evidence(), None, None, spans).moments


def test_real_time_of_spans_becomes_domain_time() -> None:
    raw = [{"service": "pacer", "name": "n", "start_ns": 0, "end_ns": 1_000_000}]
    asked = {"service": "console", "name": "GET /attempts/{attempt_id}", "start_ns": 10**15, "end_ns": 10**15}
    (phase,) = phases_of([*raw, asked], timedelta(days=1))
    assert (phase.start.day, phase.seconds) == (2, 0.001)


@pytest.mark.parametrize(
    "changes, last",
    [
        ({"decision": {"allowed": False, "at": at(1), "reasons": ["HOURS"]}, "redemptions": []}, ("blocked", "HOURS")),
        ({"redemptions": [{"granted": False, "at": at(1), "reasons": ["DNC"]}]}, ("refused at last look", "DNC")),
        ({"redemptions": [], "closed": {"state": "LAPSED", "at": at(60)}}, ("lapsed", "")),
    ],
)
def test_an_offer_that_is_no_attempt_ends_with_its_reason(changes: dict[str, Any], last: tuple[str, str]) -> None:
    moment = timeline_of(evidence(**changes), None, None).ordered()[-1]
    assert (moment.stage.value, moment.note) == last


def test_every_stage_has_a_service_and_a_word() -> None:
    assert set(SERVICE) == set(Stage)
    assert set(Stage) - set(DOING) == {Stage.READY}


def test_a_binding_that_nobody_knows_yet_is_no_green_light() -> None:
    assert health_of("SOMETHING_NEW") is Health.UNKNOWN
    assert set(OF_BINDING.values()) == set(Health) - {Health.UNKNOWN}


@pytest.mark.parametrize(
    "seconds, text", [(0.0004, "0 ms"), (0.0671, "67 ms"), (6.26, "6.3 s"), (125.0, "2 min 5 s"), (7500.0, "2 h 5 min")]
)
def test_durations_are_said_as_people_say_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_the_axis_has_round_times_and_few_of_them() -> None:
    for whole in (0.001, 0.14, 1.0, 46.2, 3599.0):
        found = ticks(whole)
        assert found[0] == 0.0
        assert 2 <= len(found) <= 6
        assert found[-1] <= whole


def test_a_picture_stays_within_its_edges_and_escapes_its_words() -> None:
    phases = [
        Phase(service="pacer", doing="<b>", start=START, end=START),
        Phase(service="gate", doing="x", start=START + timedelta(seconds=1), end=START + timedelta(seconds=1)),
    ]
    drawn = gantt("t", phases, name="n")
    assert "&lt;b&gt;" in drawn
    assert 'x="99.600%"' in drawn
