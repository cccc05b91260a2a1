"""Each invariant on a tiny history that breaks it and on one that does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from outdial_world.history import FaultEvent, ProcessChange, ProcessEvent, Rpc, WorldEvent
from outdial_world.invariants import Name
from outdial_world.invariants.violation import Violation

from compliance_gate.domain.clearance import State
from outdial_contracts.events import (
    AgentAvailability,
    AgentState,
    BlockReason,
    CallDial,
    CallMode,
    CampaignPublished,
    CampaignState,
    CloseOutcome,
    ComplianceBlocked,
    DialMode,
    EndClass,
    StopChanged,
    SuppressionChanged,
    SuppressionSource,
    TeamOwner,
)
from outdial_contracts.rpc import outdial_pb2 as pb
from outdial_runtime.service import HttpReply

from .making import CAMPAIGN, GATEWAY, TEAM, Book, at, good, team, verdict

NUMBER = "+12125550001"


def test_attempt_as_it_should_be_breaks_nothing() -> None:
    assert good().broken() == set()


def crash(book: Book, seconds: float, instance: str = GATEWAY) -> None:
    service = instance.rpartition("-")[0]
    change = ProcessChange.CRASHED
    event = ProcessEvent(seq=book.seq, at=at(seconds), service=service, instance=instance, change=change)
    book.history.processes.append(event)


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
    def redeemed_only() -> Book:
        book = good()
        book.offered("a2", 30, "p-2", "+12125550002")
        book.cleared("a2", 31, "p-2")
        book.redeemed("a2", 32, "p-2")
        book.disposed("a2", 40, "p-2")
        book.lead_state(33, 1, "p-2")
        return book

    silent, said, died = redeemed_only(), redeemed_only(), redeemed_only()
    said.ended("a2", 33, dialled=False, end_class=EndClass.NOT_DIALLED)
    crash(died, 32.1)
    assert silent.broken() == {Name.REDEEMED_WAS_INVITED}
    assert said.broken() == set()
    assert died.broken() == set()


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


def changed(book: Book, seconds: float) -> None:
    event = SuppressionChanged(
        suppression_id="s",
        seller_id="*",
        source=SuppressionSource.CRM,
        requested_at=at(seconds),
        changed_at=at(seconds),
        person_tokens=("1.p-1",),
    )
    book.say(event, seconds)


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


# offers and caps


def test_offer_without_a_decision_and_with_two() -> None:
    none, two = good(), good()
    none.offered("a2", 30.0, "p-2", "+12125550002")
    two.cleared("a1", 11.0)
    assert none.broken() == {Name.OFFER_DECIDED_ONCE}
    assert two.broken() == {Name.OFFER_DECIDED_ONCE}


def test_repeat_under_the_same_ce_id_counts_once() -> None:
    book = good()
    for record in list(book.history.records):
        book.say(record.event, 50.0, ce_id=record.ce_id)
    assert book.broken() == set()


def test_clearance_that_is_never_closed_and_one_closed_twice() -> None:
    never, twice = good(), good()
    never.offered("a2", 30.0, "p-2", "+12125550002")
    never.cleared("a2", 31.0, "p-2")
    twice.closed("a1", 12.0)
    assert never.broken() == {Name.CLEARANCE_CLOSED_ONCE}
    assert twice.broken() == {Name.CLEARANCE_CLOSED_ONCE}


def test_leg_granted_to_two_nonces() -> None:
    book = good()
    book.grant("a1", 11.02, nonce="n2")
    assert book.broken() == {Name.REDEEMED_ONCE}


@pytest.mark.parametrize(
    ("person", "number", "name"),
    [("p-1", "+12125550009", Name.OPEN_ATTEMPT_PER_PERSON), ("p-9", NUMBER, Name.OPEN_ATTEMPT_PER_NUMBER)],
)
def test_second_attempt_while_one_is_open(person: str, number: str, name: Name) -> None:
    book = good()
    book.attempt("a2", 15.0, person, number)
    later = good()
    later.attempt("a2", 40.0, person, number)
    assert name in book.broken()
    assert name not in later.broken()


@pytest.mark.parametrize(("attempts", "breaks"), [(3, False), (4, True)])
def test_retry_budget_is_one_per_person_over_all_leads(attempts: int, breaks: bool) -> None:
    book = Book()
    for n in range(attempts):
        book.attempt(f"a{n}", 30.0 * (n + 1), "p-1", f"+1212555{n:04d}")
    assert (Name.RETRY_BUDGET_PER_PERSON in book.broken()) is breaks


def test_attempt_that_was_not_dialled_counts_in_no_cap() -> None:
    book = Book()
    book.history.person_cap = 3
    for n in range(4):
        book.attempt(f"a{n}", 30.0 * (n + 1))
    assert Name.LEGAL_CAP_PER_PERSON in book.broken()
    book.history.records = [
        replace(r, event=replace(r.event, charged=False)) if r.topic == "call.disposition" else r  # type: ignore[type-var]
        for r in book.history.records
    ]
    assert not {Name.LEGAL_CAP_PER_PERSON, Name.RETRY_BUDGET_PER_PERSON} & book.broken()


def blocked(book: Book, attempt_id: str, seconds: float, *reasons: BlockReason) -> None:
    head = book.head(attempt_id)
    event = ComplianceBlocked(**head, epoch=0, rule_pack="r", blocked_at=at(seconds), reasons=reasons)
    book.say(event, seconds)


def test_cap_that_others_have_not_reached_refuses_nobody() -> None:
    book = good()
    book.history.person_cap = 1
    book.offered("a2", 40.0)
    blocked(book, "a2", 41.0, BlockReason.ATTEMPT_CAP)
    assert book.broken() == set()
    book.history.person_cap = 2
    assert book.broken() == {Name.REFUSED_FOR_CAUSE}


def test_suppression_that_nobody_asked_for_refuses_nobody() -> None:
    book = good()
    book.offered("a2", 40.0)
    blocked(book, "a2", 41.0, BlockReason.INTERNAL_DNC)
    assert book.broken() == {Name.REFUSED_FOR_CAUSE}
    changed(book, 39.0)
    assert book.broken() == set()


def test_more_offers_than_were_wanted() -> None:
    book = good()
    book.history.records = [
        replace(r, event=replace(r.event, wanted_total=0)) if r.topic == "pacing.demand" else r  # type: ignore[type-var]
        for r in book.history.records
    ]
    assert book.broken() == {Name.SUPPLY_WITHIN_DEMAND}


@pytest.mark.parametrize(("counted", "breaks"), [(1, False), (2, True), (0, True)])
def test_pacer_counts_each_clearance_once(counted: int, breaks: bool) -> None:
    book = good()
    book.history.final.teams[TEAM] = team(cleared_total=counted)
    assert book.broken() == ({Name.CLEARED_COUNTED_ONCE} if breaks else set())


def test_lead_router_counts_redemptions() -> None:
    book = good()
    book.lead_state(50.0, attempts=2, revision=2)
    assert book.broken() == {Name.ATTEMPTS_COUNTED}


# dispositions


def test_attempt_without_disposition_and_with_two_first_ones() -> None:
    none, two, gap = good(), good(), good()
    none.history.records = [r for r in none.history.records if r.topic != "call.disposition"]
    two.disposed("a1", 31.0)
    gap.disposed("a1", 31.0, revision=3)
    for book in (none, two, gap):
        assert book.broken() == {Name.ONE_DISPOSITION}


def test_later_revision_is_no_second_disposition() -> None:
    book = good()
    book.disposed("a1", 31.0, revision=2)
    assert book.broken() == set()


def test_disposition_of_what_was_never_redeemed() -> None:
    book = good()
    book.disposed("a9", 31.0)
    assert book.broken() == {Name.ONE_DISPOSITION}


@pytest.mark.parametrize(("seconds", "breaks"), [(60.0, False), (300.0, True)])
def test_attempt_without_news_is_closed_by_a_deadline_from_its_redemption(seconds: float, breaks: bool) -> None:
    book = good()
    book.history.records = [r for r in book.history.records if r.topic not in ("call.disposition", "call.ended")]
    book.disposed("a1", seconds)
    assert (Name.DISPOSITION_IN_TIME in book.broken()) is breaks


def test_call_at_the_carrier_counts_in_the_caps() -> None:
    book = good()
    book.disposed("a1", 31.0, revision=2, charged=False)
    assert book.broken() == {Name.DIALLED_IS_CHARGED}


# agents


def word(book: Book, seconds: float, seen: str | None, said: AgentAvailability = AgentAvailability.AVAILABLE) -> None:
    event = AgentState(
        agent_id="a-1",
        team_id=TEAM,
        availability=said,
        valid_until=at(seconds + 10),
        at=at(seconds),
        last_assignment_seen=seen,
    )
    book.say(event, seconds)


def talked(second_at: float, word_at: float = 22.0, seen: str | None = "a-0-1") -> Book:
    """Two calls of one agent; the first lasts from 12 to 20 s."""
    book = good()
    book.assigned("a1", 12.0, lease="a-0-1")
    book.history.invites[0].ended_at = at(20)
    word(book, word_at, seen)
    book.assigned("a1b", second_at, lease="a-0-2")
    return book


def test_agent_with_a_second_call_before_the_first_is_over() -> None:
    assert Name.ONE_CALL_PER_AGENT in talked(15.0).broken()
    assert Name.ONE_CALL_PER_AGENT not in talked(25.0).broken()


@pytest.mark.parametrize(
    ("word_at", "seen", "breaks"), [(22.0, "a-0-1", False), (22.0, None, True), (41.0, None, False)]
)
def test_agent_is_freed_by_a_word_that_saw_his_last_call(word_at: float, seen: str | None, breaks: bool) -> None:
    assert (Name.AGENT_FREED_BY_HIS_WORD in talked(45.0, word_at, seen).broken()) is breaks


@pytest.mark.parametrize(("back_at", "breaks"), [(50.0, True), (11.0, False)])
def test_agent_who_left_gets_no_call(back_at: float, breaks: bool) -> None:
    book = good()
    for seconds, what in ((5.0, "left"), (back_at, "phone up")):
        book.history.people.append(WorldEvent(seq=book.seq, at=at(seconds), who="agent a-1", what=what))
    book.assigned("a1", 12.0)
    assert (Name.ABSENT_AGENT_GETS_NO_CALL in book.broken()) is breaks


def gave(book: Book, attempt_id: str, epoch: int, lease: str) -> None:
    assigned = pb.Assigned(agent_id="a-1", epoch=epoch, lease_id=lease)
    rpc = Rpc(
        seq=book.seq,
        method="AgentRouter.Assign",
        caller=GATEWAY,
        callee="pacer-0",
        asked_at=at(11),
        request=pb.AssignRequest(attempt_id=attempt_id),
        answered_at=at(11),
        reply=pb.AssignReply(assigned=assigned),
        received_at=at(11),
    )
    book.history.rpcs.append(rpc)


def test_older_epoch_gives_no_call_to_a_leg_that_a_newer_one_claimed() -> None:
    book = talked(25.0)
    gave(book, "a1", 7, "a-0-1")
    gave(book, "a1b", 3, "a-0-2")
    assert Name.STALE_OWNER_ASSIGNS_NOTHING in book.broken()
    book.history.rpcs[-1].reply.assigned.epoch = 7
    assert Name.STALE_OWNER_ASSIGNS_NOTHING not in book.broken()


@pytest.mark.parametrize(("taken_over", "breaks"), [(-20.0, True), (10.0, False)])
def test_owner_that_was_replaced_gives_nobody_a_call(taken_over: float, breaks: bool) -> None:
    book = good()
    owner = TeamOwner(team_id=TEAM, epoch=5, owner_id="pacer-1", address="pacer-1:7000", at=at(taken_over))
    book.say(owner, taken_over)
    book.assigned("a1", 12.0, lease="a-0-1")
    gave(book, "a1", 0, "a-0-1")
    assert (Name.STALE_OWNER_ASSIGNS_NOTHING in book.broken()) is breaks


def test_agent_whose_word_lapsed_is_free_by_the_next() -> None:
    book = good()
    book.history.invites[0].ended_at = at(20)
    book.assigned("a1", 12.0, lease="a-0-1")
    word(book, 13.0, "a-0-1", AgentAvailability.WRAPUP)
    word(book, 31.0, None)
    book.assigned("a1b", 32.0, lease="a-0-2")
    assert Name.AGENT_FREED_BY_HIS_WORD not in book.broken()


def dial(attempt_id: str, seconds: float, book: Book, **changes: Any) -> CallDial:
    values: dict[str, Any] = {
        **book.head(attempt_id),
        "gateway_id": "gateway-0",
        "gateway_partition": 0,
        "token": "signed",
        "mode": CallMode.LIVE_AUTODIALED,
        "dial_mode": DialMode.PREDICTIVE,
        "caller_id": "+12125550101",
        "route_id": "route",
        "person_token": "1.p-1",
        "callee_token": "1.n",
        "destination_prefix": "+1212",
        "ring_timeout_seconds": 18,
        "safe_harbour": "message.wav",
        "seller_id": "S1",
        "lease_id": "c-0-1",
        "owner_epoch": 0,
        "owner_address": "pacer-0:7000",
        "decided_at": at(seconds),
        "expires_at": at(seconds + 5),
    }
    return CallDial(**(values | changes))


@pytest.mark.parametrize(("taken_over", "breaks"), [(-20.0, True), (10.0, False)])
def test_nothing_is_dialled_for_an_owner_that_was_replaced(taken_over: float, breaks: bool) -> None:
    book = good()
    owner = TeamOwner(team_id=TEAM, epoch=5, owner_id="pacer-1", address="pacer-1:7000", at=at(taken_over))
    book.say(owner, taken_over)
    book.say(dial("a1", 10.9, book), 10.9)
    assert (Name.STALE_OWNER_ASSIGNS_NOTHING in book.broken()) is breaks


# the drop budget


@pytest.mark.parametrize(("drops", "mode", "breaks"), [(2, "PREDICTIVE", False), (3, "PREDICTIVE", True)])
def test_spent_budget_stops_overdialling(drops: int, mode: str, breaks: bool) -> None:
    book = good()
    for n in range(drops):
        book.ended(f"d{n}", 2.0, end_class=EndClass.ABANDONED)
    book.say(dial("a1", 10.9, book, dial_mode=DialMode(mode)), 10.9)
    assert (Name.SPENT_BUDGET_STOPS_OVERDIALLING in book.broken()) is breaks


@pytest.mark.parametrize(("humans", "abandoned", "breaks"), [(1, 0, False), (0, 0, True), (1, 1, True)])
def test_pacer_counts_what_the_gateways_said(humans: int, abandoned: int, breaks: bool) -> None:
    book = good()
    verdict(book, "a1", 14.0)
    verdict(book, "a1", 14.5)
    book.history.final.teams[TEAM] = team(humans=humans, abandoned=abandoned)
    assert book.broken() == ({Name.PACER_COUNTS_THE_TRUTH} if breaks else set())


@pytest.mark.parametrize(
    ("end_class", "heard", "breaks"),
    [
        (EndClass.CONNECTED, 16.5, False),
        (EndClass.CONNECTED, 17.5, True),
        (EndClass.CONNECTED, None, True),
        (EndClass.ABANDONED, 16.0, True),
        (EndClass.ABANDONED, 18.0, False),
    ],
)
def test_drop_is_what_the_callee_heard(end_class: EndClass, heard: float | None, breaks: bool) -> None:
    book = good()
    [invite] = book.history.invites
    invite.answered_at, invite.greeted_at, invite.heard_at = at(13), at(15), at(heard) if heard else None
    book.history.records = [
        replace(r, event=replace(r.event, end_class=end_class)) if r.topic == "call.ended" else r  # type: ignore[type-var]
        for r in book.history.records
    ]
    assert book.broken() == ({Name.DROPS_ARE_WHAT_CALLEES_HEARD} if breaks else set())


# leases


def left(**changes: Any) -> SimpleNamespace:
    values: dict[str, Any] = {"open_ids": {}, "clearances": {}, "persons": {}, "offers": {}, "records": {}}
    return SimpleNamespace(**(values | changes))


@pytest.mark.parametrize(
    ("service", "store"),
    [
        ("compliance-gate", left(open_ids={"a1": None})),
        ("compliance-gate", left(clearances={"a1": SimpleNamespace(state=State.RESERVED)})),
        ("lead-router", left(persons={"p-1": "a1"})),
        ("disposition", left(records={"a1": SimpleNamespace(deadline_at=at(9))})),
    ],
)
def test_store_that_still_holds_something(service: str, store: SimpleNamespace) -> None:
    book = good()
    book.history.final.stores[service] = store
    assert book.broken() == {Name.LEASES_RETURN}
    book.history.final.stores[service] = left()
    assert book.broken() == set()


def test_pacer_and_gateway_that_still_hold_something() -> None:
    book = good()
    book.history.final.teams[TEAM] = team(calls=1)
    assert book.broken() == {Name.LEASES_RETURN}
    book.history.final.teams[TEAM] = team()
    legs = SimpleNamespace(by_id={"l": SimpleNamespace(agent_id="a-1", attempt_id="a1")})
    book.history.final.standings[GATEWAY] = SimpleNamespace(calls={}, legs=legs, loads={})
    assert book.broken() == {Name.LEASES_RETURN}
    legs.by_id["l"].attempt_id = None
    assert book.broken() == set()


# delivery


def second_run(book: Book) -> None:
    book.history.second_run.append("disposition: attempt a1 differs")


def undrained(book: Book) -> None:
    book.history.drained = False


def undelivered(book: Book) -> None:
    book.history.final.undelivered["pacer/call.ended"] = 2


def unrelayed(book: Book) -> None:
    book.history.final.outboxes["compliance-gate"] = 1


def forgotten_lead(book: Book) -> None:
    rpc = Rpc(
        seq=book.seq,
        method="POST /v1/leads",
        caller="crm",
        callee="lead-router-0",
        asked_at=at(1),
        request={"source": "crm", "lead_id": "L-unknown"},
        answered_at=at(2),
        reply=HttpReply(status=201),
    )
    book.history.rpcs.append(rpc)


def other_words(book: Book) -> None:
    record = book.history.records[-1]
    event: Any = record.event
    book.say(replace(event, attempts=9, revision=0), 60.0, ce_id=record.ce_id)


def leak(book: Book) -> None:
    event = StopChanged(scope="none", stopped=False, reason=f"call {NUMBER}", changed_at=at(2), changed_by="ops")
    book.say(event, 2.0)


def dead(book: Book) -> None:
    book.say(book.history.records[-1].event, 60.0, dead=True, source="lead-router")


@pytest.mark.parametrize(
    ("break_it", "name"),
    [
        (second_run, Name.SAME_ON_SECOND_RUN),
        (undrained, Name.WORLD_COMES_TO_REST),
        (undelivered, Name.NOTHING_LOST),
        (unrelayed, Name.NOTHING_LOST),
        (forgotten_lead, Name.NOTHING_LOST),
        (other_words, Name.CE_ID_NAMES_ONE_EVENT),
        (leak, Name.NUMBERS_STAY_RESTRICTED),
        (dead, Name.DEAD_LETTERS_ONLY_FOR_BAD),
    ],
)
def test_delivery(break_it: Callable[[Book], None], name: Name) -> None:
    book = good()
    break_it(book)
    assert book.broken() == {name}


def test_heartbeats_may_be_under_way_and_bad_messages_of_the_world_may_die() -> None:
    book = good()
    book.history.final.undelivered["pacer/agent.state"] = 2
    book.say(book.history.records[-1].event, 60.0, dead=True, source="world")
    assert book.broken() == set()


def test_violation_reads_as_one_line() -> None:
    violation = Violation(name=Name.REDEEMED_ONCE, detail="twice", attempt_id="a1", at=at(1.5))
    assert str(violation) == "redeemed-once: twice at 15:00:01.500 (attempt a1)"


def test_refused_offer_is_no_attempt() -> None:
    book = good()
    book.offered("a2", 30.0, "p-2", "+12125550002")
    book.cleared("a2", 31.0, "p-2")
    book.closed("a2", 32.0, "p-2", CloseOutcome.REFUSED)
    assert book.broken() == set()


def test_every_invariant_is_named_here() -> None:
    text = Path(__file__).read_text("utf-8")
    assert [name.name for name in Name if f"Name.{name.name}" not in text] == []
