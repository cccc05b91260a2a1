"""The table of ends: class, fault and who hung up, for everything that can be known of a call."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media_gateway.detection.call_progress import Tone
from media_gateway.detection.early import EarlyMedia, EarlyVerdict
from media_gateway.detection.greeting import Answerer
from media_gateway.domain.endings import EndFacts, cause_of, ending_of
from media_gateway.domain.heard import early_end_class, verdict_of
from outdial_contracts.events import EndClass, Fault, Verdict

T0 = datetime(2026, 11, 17, 15, 0, tzinfo=UTC)
C, F = EndClass, Fault


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


REFUSED = EndFacts(ended_at=at(5), ended_by_peer=True)
OURS = EndFacts(ended_at=at(30), status=487)
ANSWERED = EndFacts(ended_at=at(10), status=200, answered_at=at(4))
PERSON = replace(ANSWERED, verdict=Verdict.HUMAN, greeting_ended_at=at(5))


@pytest.mark.parametrize(
    ("status", "q850", "end_class", "fault", "hung_up_by"),
    [
        (486, None, C.BUSY, F.CALLEE, F.CALLEE),
        (600, None, C.BUSY, F.CALLEE, F.CALLEE),
        (603, None, C.DECLINED, F.CALLEE, F.CALLEE),
        (607, None, C.DECLINED, F.CALLEE, F.CALLEE),
        (608, None, C.DECLINED, F.CARRIER, F.CARRIER),
        (480, None, C.NO_ANSWER, F.CALLEE, F.CALLEE),
        (408, None, C.NO_ANSWER, F.CALLEE, F.CALLEE),
        (404, None, C.NOT_IN_SERVICE, F.US, F.CARRIER),
        (410, None, C.NOT_IN_SERVICE, F.US, F.CARRIER),
        (484, None, C.NOT_IN_SERVICE, F.US, F.CARRIER),
        (503, None, C.CONGESTION, F.CARRIER, F.CARRIER),
        (403, None, C.NETWORK_FAILED, F.CARRIER, F.CARRIER),
        (407, None, C.NETWORK_FAILED, F.US, F.CARRIER),
        (500, None, C.NETWORK_FAILED, F.CARRIER, F.CARRIER),
        (302, None, C.NETWORK_FAILED, F.CARRIER, F.CARRIER),
        (487, None, C.NETWORK_FAILED, F.CARRIER, F.CARRIER),
        (200, None, C.NETWORK_FAILED, F.CARRIER, F.CARRIER),
        (480, 17, C.BUSY, F.CALLEE, F.CALLEE),
        (503, 1, C.NOT_IN_SERVICE, F.US, F.CARRIER),
        (486, 34, C.CONGESTION, F.CARRIER, F.CARRIER),
        (486, 127, C.BUSY, F.CALLEE, F.CALLEE),
    ],
)
def test_refusal_by_status_and_the_cause_that_says_more(
    status: int, q850: int | None, end_class: EndClass, fault: Fault, hung_up_by: Fault
) -> None:
    ending = ending_of(replace(REFUSED, status=status, q850_cause=q850))
    assert (ending.end_class, ending.fault, ending.hung_up_by) == (end_class, fault, hung_up_by)


@pytest.mark.parametrize(
    ("facts", "end_class", "fault", "hung_up_by"),
    [
        (replace(OURS, ring_timed_out=True), C.NO_ANSWER, F.CALLEE, F.US),
        (replace(OURS, ring_timed_out=True, status=None), C.NO_ANSWER, F.CALLEE, F.US),
        (replace(OURS, cancelled=True), C.CANCELLED, F.US, F.US),
        (replace(OURS, ring_timed_out=True, status=486, ended_by_peer=True), C.BUSY, F.CALLEE, F.CALLEE),
        (replace(OURS, ring_timed_out=True, early_class=C.NOT_IN_SERVICE), C.NOT_IN_SERVICE, F.US, F.US),
        (replace(OURS, cancelled=True, early_class=C.BUSY), C.BUSY, F.CALLEE, F.US),
        (replace(OURS, ring_timed_out=True, no_response=True, status=None), C.UNKNOWN, F.CARRIER, F.UNKNOWN),
        (replace(OURS, status=None), C.UNKNOWN, F.CARRIER, F.US),
        (replace(OURS, ring_timed_out=True, crossed=True), C.ABANDONED, F.US, F.US),
    ],
)
def test_end_before_the_answer_that_we_brought_about(
    facts: EndFacts, end_class: EndClass, fault: Fault, hung_up_by: Fault
) -> None:
    ending = ending_of(facts)
    assert (ending.end_class, ending.fault, ending.hung_up_by) == (end_class, fault, hung_up_by)


@pytest.mark.parametrize(
    ("facts", "end_class", "fault", "hung_up_by"),
    [
        (replace(ANSWERED, verdict=Verdict.MACHINE), C.MACHINE, F.CALLEE, F.US),
        (replace(ANSWERED, verdict=Verdict.MACHINE, ended_by_peer=True), C.MACHINE, F.CALLEE, F.CALLEE),
        (replace(ANSWERED, verdict=Verdict.FAX), C.FAX, F.CALLEE, F.US),
        (replace(ANSWERED, verdict=Verdict.SILENCE), C.DEAD_AIR, F.CALLEE, F.US),
        (replace(ANSWERED, ended_by_peer=True), C.CALLEE_HUNG_UP, F.CALLEE, F.CALLEE),
        (ANSWERED, C.ABANDONED, F.US, F.US),
        (replace(PERSON, ended_by_peer=True, ended_at=at(6.9)), C.CALLEE_HUNG_UP, F.CALLEE, F.CALLEE),
        (replace(PERSON, ended_by_peer=True, ended_at=at(7.0)), C.CALLEE_HUNG_UP, F.CALLEE, F.CALLEE),
        (replace(PERSON, ended_by_peer=True, ended_at=at(7.01)), C.ABANDONED, F.US, F.CALLEE),
        (replace(PERSON, ended_by_peer=True, ended_at=at(6.9), safe_harbour=True), C.ABANDONED, F.US, F.CALLEE),
        (PERSON, C.ABANDONED, F.US, F.US),
        (replace(PERSON, bridged_at=at(7.0)), C.CONNECTED, F.US, F.US),
        (replace(PERSON, bridged_at=at(7.001)), C.ABANDONED, F.US, F.US),
        (replace(PERSON, bridged_at=at(6), agent_hung_up=True), C.CONNECTED, F.AGENT, F.AGENT),
        (replace(PERSON, bridged_at=at(6), ended_by_peer=True), C.CONNECTED, F.CALLEE, F.CALLEE),
    ],
)
def test_end_after_the_answer(facts: EndFacts, end_class: EndClass, fault: Fault, hung_up_by: Fault) -> None:
    ending = ending_of(facts)
    assert (ending.end_class, ending.fault, ending.hung_up_by) == (end_class, fault, hung_up_by)


@pytest.mark.parametrize(
    ("status", "q850", "cause"),
    [(486, 19, 19), (486, None, 17), (503, None, 41), (200, None, None), (None, None, None)],
)
def test_cause_is_the_carriers_own_else_that_of_rfc_3398(
    status: int | None, q850: int | None, cause: int | None
) -> None:
    assert cause_of(status, q850) == cause


FACTS = st.builds(
    EndFacts,
    ended_at=st.just(at(20)),
    status=st.one_of(st.none(), st.integers(200, 699)),
    q850_cause=st.one_of(st.none(), st.integers(1, 127)),
    ended_by_peer=st.booleans(),
    no_response=st.booleans(),
    answered_at=st.one_of(st.none(), st.just(at(4))),
    bridged_at=st.one_of(st.none(), st.sampled_from([at(6), at(9)])),
    greeting_ended_at=st.one_of(st.none(), st.just(at(5))),
    verdict=st.one_of(st.none(), st.sampled_from(Verdict)),
    early_class=st.sampled_from([None, C.BUSY, C.CONGESTION, C.NOT_IN_SERVICE]),
    ring_timed_out=st.booleans(),
    cancelled=st.booleans(),
    crossed=st.booleans(),
    safe_harbour=st.booleans(),
    agent_hung_up=st.booleans(),
)


@given(FACTS)
def test_connected_needs_a_bridge_in_time_and_nothing_else_passes_for_one(facts: EndFacts) -> None:
    ending = ending_of(facts)
    in_time = facts.bridged_at == at(6) or facts.greeting_ended_at is None
    connected = facts.answered_at is not None and facts.bridged_at is not None and in_time and not facts.crossed
    assert (ending.end_class is C.CONNECTED) == connected
    assert ending.end_class is not C.NOT_DIALLED
    if facts.answered_at is None and not facts.crossed:
        assert ending.end_class not in (C.ABANDONED, C.CALLEE_HUNG_UP, C.MACHINE, C.FAX, C.DEAD_AIR)


@pytest.mark.parametrize(
    ("media", "tone", "end_class"),
    [
        (EarlyMedia.BUSY, Tone.BUSY, C.BUSY),
        (EarlyMedia.REORDER, Tone.REORDER, C.CONGESTION),
        (EarlyMedia.SIT, Tone.SIT_INTERCEPT, C.NOT_IN_SERVICE),
        (EarlyMedia.SIT, Tone.SIT_VACANT, C.NOT_IN_SERVICE),
        (EarlyMedia.SIT, Tone.SIT_NO_CIRCUIT, C.CONGESTION),
        (EarlyMedia.SIT, Tone.SIT_REORDER, C.CONGESTION),
        (EarlyMedia.RINGBACK, Tone.RINGBACK, None),
        (EarlyMedia.ANNOUNCEMENT, None, None),
    ],
)
def test_what_early_media_decides(media: EarlyMedia, tone: Tone | None, end_class: EndClass | None) -> None:
    assert early_end_class(EarlyVerdict(media=media, decided_ms=100, tone=tone)) is end_class


def test_every_answerer_has_a_verdict_on_the_wire() -> None:
    assert {verdict_of(answerer) for answerer in Answerer} < set(Verdict)
