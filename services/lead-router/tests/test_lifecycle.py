"""The two tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from lead_router.domain.lifecycle import (
    DUE,
    FINAL,
    LEAD_TABLE,
    LeadEvent,
    OfferEvent,
    OfferState,
    next_offer_state,
    next_status,
)
from lead_router.domain.offering import answer_due_at
from outdial_contracts.events import LeadStatus as S


def test_absent_cell_is_an_error_that_names_both() -> None:
    with pytest.raises(ValueError, match=r"NEW.*BLOCK"):
        next_status(S.NEW, LeadEvent.BLOCK)


def test_only_a_waiting_lead_is_offered() -> None:
    assert {s for s in S if LeadEvent.OFFER in LEAD_TABLE.get(s, {})} == set(DUE)


@pytest.mark.parametrize("event", LeadEvent)
def test_nothing_revives_a_suppressed_lead(event: LeadEvent) -> None:
    assert LEAD_TABLE[S.SUPPRESSED].get(event, S.SUPPRESSED) is S.SUPPRESSED


@pytest.mark.parametrize("status, event", list(product(sorted(FINAL), (LeadEvent.REDEEM, LeadEvent.RETRY))))
def test_late_news_of_a_call_keeps_a_final_lead_final(status: S, event: LeadEvent) -> None:
    assert next_status(status, event) in FINAL


@pytest.mark.parametrize("status", [s for s in S if s not in FINAL and s is not S.UNKNOWN])
def test_every_open_lead_can_be_suppressed_and_cancelled(status: S) -> None:
    assert next_status(status, LeadEvent.SUPPRESS) is S.SUPPRESSED
    assert next_status(status, LeadEvent.CANCEL) is S.CANCELLED


@pytest.mark.parametrize("event", [OfferEvent.BLOCK, OfferEvent.REFUSE, OfferEvent.LAPSE, OfferEvent.REDEEM])
def test_an_offer_has_one_answer(event: OfferEvent) -> None:
    state = next_offer_state(OfferState.OPEN, event)
    assert state is not None
    assert next_offer_state(state, event) is None
    assert next_offer_state(OfferState.UNANSWERED, event) is state


def test_offer_decided_at_its_last_moment_is_not_given_up_while_it_may_be_dialled() -> None:
    offered_at = datetime(2026, 11, 17, 15, 0, tzinfo=UTC)
    expires_at = offered_at + timedelta(seconds=60)
    dead_at = expires_at + timedelta(seconds=60)  # of a clearance made just before the offer expired
    assert answer_due_at(offered_at, expires_at) > dead_at
