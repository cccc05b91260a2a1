"""What may be seen at the carrier: each invariant on a tiny history that breaks it and on one that does not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from outdial_world.history import RIVAL, FaultEvent, Rpc
from outdial_world.invariants import Name

from outdial_contracts.events import (
    CampaignPublished,
    CampaignState,
    EndClass,
    StopChanged,
)
from outdial_contracts.rpc import outdial_pb2 as pb
from outdial_runtime.service import HttpReply

from .happenings import changed, crash
from .making import CAMPAIGN, TEAM, Book, at, good

NUMBER = "+12125550001"


# the phone network


def test_invite_without_redemption() -> None:
    book = good()
    book.invited("a2", 30.0)
    assert Name.INVITED_WAS_REDEEMED in book.broken()


def test_invite_by_another_boot_than_the_one_that_redeemed() -> None:
    book = good()
    book.history.invites[0].boot_id = "boot-2"
    assert Name.INVITED_WAS_REDEEMED in book.broken()


def test_redemption_without_invite_needs_a_reason() -> None:
    def redeemed_only(gateway: str = "gateway-0") -> Book:
        book = good()
        book.offered("a2", 30, "p-2", "+12125550002")
        book.cleared("a2", 31, "p-2")
        book.grant("a2", 32)
        book.closed("a2", 32, "p-2", gateway=gateway)
        book.disposed("a2", 40, "p-2")
        book.lead_state(33, 1, "p-2")
        return book

    silent, said, died = redeemed_only(), redeemed_only(), redeemed_only()
    said.ended("a2", 33, dialled=False, end_class=EndClass.NOT_DIALLED)
    crash(died, 32.1)
    assert silent.broken() == {Name.REDEEMED_WAS_INVITED}
    assert said.broken() == set()
    assert died.broken() == set()
    assert redeemed_only(RIVAL).broken() == set()


@pytest.mark.parametrize(("delay", "late"), [(0.28, False), (0.31, True)])
def test_invite_after_the_grant_died(delay: float, late: bool) -> None:
    book = good()
    book.history.invites[0].at = book.history.rpcs[0].asked_at + (at(delay) - at(0))
    assert (Name.INVITE_WITHIN_GRANT in book.broken()) is late


def test_grant_counts_from_the_first_request_of_a_nonce() -> None:
    book = good()
    first = replace(book.history.rpcs[0], seq=book.seq, asked_at=at(10.6), answered_at=None, reply=None)
    book.history.rpcs.insert(0, first)
    assert Name.INVITE_WITHIN_GRANT in book.broken()


def test_second_leg_only_while_no_phone_rang() -> None:
    rang, silent = good(), good()
    for book in (rang, silent):
        book.grant("a1", 14.0, nonce="n2", leg=2)
        book.invited("a1", 14.05, leg=2)
    silent.history.invites[0].rang_at = None
    assert Name.PHONE_RINGS_ONCE in rang.broken()
    assert Name.PHONE_RINGS_ONCE not in silent.broken()


def state(book: Book, seconds: float, to: CampaignState) -> None:
    event = CampaignPublished(
        campaign_id=CAMPAIGN,
        slot="state",
        version=3,
        team_id=TEAM,
        state=to,
        published_at=at(seconds),
        published_by="ops",
    )
    book.say(event, seconds)


@pytest.mark.parametrize(("paused", "running", "breaks"), [(5.0, 30.0, True), (5.0, 9.0, False), (10.5, 30.0, False)])
def test_dial_while_the_campaign_is_paused(paused: float, running: float, breaks: bool) -> None:
    book = good()
    state(book, paused, CampaignState.PAUSED)
    state(book, running, CampaignState.RUNNING)
    assert (Name.NO_DIAL_WHILE_PAUSED in book.broken()) is breaks


@pytest.mark.parametrize(("scope", "breaks"), [("all", True), ("state:US-NY", True), ("state:US-IL", False)])
def test_dial_against_a_stop_button(scope: str, breaks: bool) -> None:
    book = good()
    book.say(StopChanged(scope=scope, stopped=True, reason="storm", changed_at=at(2), changed_by="ops"), 2.0)
    assert (Name.NO_DIAL_WHILE_PAUSED in book.broken()) is breaks


def test_gate_that_was_cut_off_may_not_know_of_a_pause_yet() -> None:
    book = good()
    state(book, 5.0, CampaignState.PAUSED)
    stall = FaultEvent(seq=book.seq, number="stall:1", kind="stall", at=at(4), until=at(10), target="compliance-gate")
    book.history.faults.append(stall)
    assert Name.NO_DIAL_WHILE_PAUSED not in book.broken()


def test_dial_at_night_by_the_callees_clock() -> None:
    book = good()
    night = (at(0) - at(3 * 3600)) + at(10)  # 07:00 in New York
    book.history.invites[0].at = night
    assert Name.NO_DIAL_OUTSIDE_HOURS in book.broken()


def suppress(book: Book, seconds: float, **who: str) -> None:
    reply = pb.SuppressReply(suppressed=pb.Suppressed())
    request = pb.SuppressRequest(seller_id=who.get("seller", "S1"))
    for name in who.keys() - {"seller"}:
        setattr(request, name, who[name])
    rpc = Rpc(
        seq=book.seq,
        method="Clearance.Suppress",
        caller="console-0",
        callee="compliance-gate-0",
        asked_at=at(seconds - 0.5),
        request=request,
        answered_at=at(seconds),
        reply=reply,
        received_at=None,
    )
    book.history.rpcs.append(rpc)


@pytest.mark.parametrize(
    ("seconds", "who", "breaks"),
    [
        (5.0, {"e164": NUMBER}, True),
        (5.0, {"person_id": "p-1"}, True),
        (5.0, {"attempt_id": "a1"}, True),
        (5.0, {"person_id": "p-1", "seller": "S2"}, False),
        (5.0, {"person_id": "p-2"}, False),
        (12.0, {"person_id": "p-1"}, False),
    ],
)
def test_dial_after_a_suppression_was_acknowledged(seconds: float, who: dict[str, str], breaks: bool) -> None:
    book = good()
    suppress(book, seconds, **who)
    assert (Name.SUPPRESSED_NOT_DIALLED in book.broken()) is breaks


def test_dial_after_an_opt_out_by_http() -> None:
    book = good()
    rpc = Rpc(
        seq=book.seq,
        method="POST /v1/opt-outs",
        caller="crm",
        callee="compliance-gate-0",
        asked_at=at(4),
        request={"phone": NUMBER, "seller_id": "*"},
        answered_at=at(5),
        reply=HttpReply(status=200),
    )
    book.history.rpcs.append(rpc)
    assert Name.SUPPRESSED_NOT_DIALLED in book.broken()


def test_dial_after_suppression_changed() -> None:
    book = good()
    changed(book, 5.0)
    assert Name.SUPPRESSED_NOT_DIALLED in book.broken()


def test_phone_of_a_suppressed_person_stops_ringing() -> None:
    rings_on, cancelled, orphaned = good(), good(), good()
    for book in (rings_on, cancelled, orphaned):
        changed(book, 13.0)
    cancelled.history.invites[0].cancelled_at = at(14)
    orphaned.history.invites[0].orphaned_at = at(12)
    assert rings_on.broken() == {Name.SUPPRESSED_RINGING_CANCELLED}
    assert cancelled.broken() == set()
    assert orphaned.broken() == set()
