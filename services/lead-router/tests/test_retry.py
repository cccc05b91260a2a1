"""Spacing that doubles, one budget per person, and outcomes that end a lead."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lead_router.domain.lifecycle import LeadEvent
from lead_router.domain.retry import DEAD_NUMBER, RETRY_CAUSE, NextStep, after_block, after_disposition
from outdial_contracts.events import BlockReason, DispositionCode
from outdial_testing.campaigns import campaign_document

NOW = datetime(2026, 11, 17, 15, 0, tzinfo=UTC)
DOCUMENT = campaign_document(retry_after_seconds={"busy": 900, "no_answer": 3600, "voicemail": 14400})
Code = DispositionCode


def step(code: Code, attempts: int = 1, **more: Any) -> NextStep:
    charged = [NOW - timedelta(minutes=n) for n in range(attempts)]
    given: dict[str, Any] = {"callback_at": None, "has_next_phone": False, **more}
    return after_disposition(code=code, document=DOCUMENT, charged_at=charged, now=NOW, **given)


@pytest.mark.parametrize(
    "code, attempts, seconds",
    [
        (Code.BUSY, 1, 900),
        (Code.BUSY, 2, 1800),
        (Code.NO_ANSWER, 1, 3600),
        (Code.NO_ANSWER, 2, 7200),
        (Code.MACHINE, 2, 28800),
        (Code.CONGESTION, 1, 120),
        (Code.NOT_DIALLED, 0, 120),
    ],
)
def test_spacing_is_the_outcomes_and_doubles(code: Code, attempts: int, seconds: int) -> None:
    assert step(code, attempts) == NextStep(event=LeadEvent.RETRY, due_at=NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize("code", sorted(RETRY_CAUSE))
def test_spent_budget_exhausts_whatever_the_outcome(code: Code) -> None:
    assert step(code, 3).event is LeadEvent.EXHAUST


@pytest.mark.parametrize(
    "code", [Code.INTERESTED, Code.NOT_INTERESTED, Code.WRONG_NUMBER, Code.DECLINED, Code.CONNECTED]
)
def test_a_persons_answer_ends_the_lead(code: Code) -> None:
    assert step(code, has_next_phone=True) == NextStep(event=LeadEvent.FINISH)


def test_a_do_not_call_request_suppresses() -> None:
    assert step(Code.DNC_REQUESTED).event is LeadEvent.SUPPRESS


@pytest.mark.parametrize("code", sorted(DEAD_NUMBER))
def test_dead_number_moves_to_the_next_or_ends(code: Code) -> None:
    moved = step(code, has_next_phone=True)
    assert (moved.event, moved.next_phone) == (LeadEvent.RETRY, True)
    assert step(code).event is LeadEvent.FINISH
    assert step(code, 3, has_next_phone=True).event is LeadEvent.EXHAUST


def test_callback_is_kept_at_the_promised_time_unless_the_budget_has_no_room() -> None:
    promised = NOW + timedelta(hours=2)
    assert step(Code.CALLBACK, callback_at=promised).due_at == promised
    full = step(Code.CALLBACK, 3, callback_at=promised)
    assert full == NextStep(event=LeadEvent.CALL_BACK, due_at=NOW - timedelta(minutes=2) + timedelta(hours=24))


def test_every_code_leads_somewhere() -> None:
    assert all(step(code).event in LeadEvent for code in Code)


@pytest.mark.parametrize(
    "reasons, next_phone, event",
    [
        ((BlockReason.CONSENT_MISSING,), True, LeadEvent.BLOCK),
        ((BlockReason.DNC_LISTED, BlockReason.CONSENT_MISSING), True, LeadEvent.BLOCK),
        ((BlockReason.OPEN_ATTEMPT, BlockReason.INTERNAL_DNC), False, LeadEvent.BLOCK),
        ((BlockReason.OPEN_ATTEMPT,), False, LeadEvent.POSTPONE),
        ((), True, LeadEvent.BLOCK),
    ],
)
def test_block_without_an_instant_is_final_unless_it_passes(
    reasons: tuple[BlockReason, ...], next_phone: bool, event: LeadEvent
) -> None:
    assert after_block(reasons, None, next_phone, NOW).event is event
