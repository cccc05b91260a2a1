"""The fold: events in any order, repeated, or about calls that are over, leave one consistent state."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from outdial_contracts.events import (
    AgentAvailability,
    CampaignState,
    CloseOutcome,
    DialRefusal,
    DialRefused,
    EndClass,
    ProgressStage,
    StopChanged,
    Verdict,
)
from pacer.domain.agents import Duty
from pacer.domain.assign import assign
from pacer.domain.fold import fold
from pacer.domain.inputs import Decision, Input, Tick
from pacer.domain.snapshot import encode
from pacer.domain.state import CallStage, TeamState
from pacer.domain.step import Step, step

from .world import (
    agent_leg,
    agent_state,
    at,
    capacity,
    cleared,
    closed,
    context,
    document,
    ended,
    progress,
    published,
)


def ready(agents: int = 6) -> TeamState:
    """A team that would dial as soon as an offer is cleared."""
    state = TeamState(team_id="blue", epoch=7)
    items: list[Input] = [published(document()), published(None, CampaignState.RUNNING), capacity(at(0))]
    for n in range(agents):
        items += [agent_leg(f"a{n}", at(0)), agent_state(f"a{n}", AgentAvailability.AVAILABLE, at(0))]
    give(state, 0.0, items)
    return state


def give(state: TeamState, seconds: float, items: Sequence[Input]) -> None:
    for item in items:
        fold(state, item, state.next_at(at(seconds)))


def take(state: TeamState, item: Input, seconds: float) -> Step:
    return step(state, item, None, at(seconds))


def dialled(state: TeamState, attempt: str = "x", seconds: float = 1.0) -> str:
    decision = take(state, cleared(attempt, at(seconds)), seconds).decision
    assert decision is not None
    return next(dial.lease_id for dial in decision.dials if dial.attempt_id == attempt)


def refused(attempt: str, lease: str, reason: DialRefusal, seconds: float) -> DialRefused:
    return DialRefused(
        attempt_id=attempt,
        team_id="blue",
        campaign_id="C1",
        campaign_version=1,
        context=context(attempt),
        gateway_id="g0",
        lease_id=lease,
        reason=reason,
        refused_at=at(seconds),
    )


def test_a_cleared_offer_is_dialled_at_once_from_the_pool_by_the_gateway_heard() -> None:
    state = ready()
    decision = take(state, cleared("x", at(1)), 1.0).decision
    assert decision is not None
    [dial] = decision.dials
    assert dial.gateway_id == "g0"
    assert dial.caller_id in ("+12125550101", "+13125550102")
    assert dial.expires_at - at(1) < timedelta(seconds=5.1)
    assert "x" in state.calls
    assert "x" not in state.offers


@pytest.mark.parametrize("ttl", [5.0, 60.0, 600.0])
def test_a_repeated_clearance_is_counted_once_whenever_it_comes(ttl: float) -> None:
    state = ready()
    first = cleared("x", at(1), ttl=ttl)
    take(state, first, 1.0)
    give(state, 2.0, [ended("x", EndClass.BUSY, at(2))])
    counted = state.campaigns["C1"].supply.cleared_total
    for seconds in (121.0, 131.0, 151.0, 201.0, 700.0, 1300.0, 5000.0):
        give(state, seconds, [capacity(at(seconds))])
        assert take(state, first, seconds).changed is False, seconds
    assert state.campaigns["C1"].supply.cleared_total == counted
    assert "x" not in state.done


@pytest.mark.parametrize("ttl", [5.0, 60.0, 600.0])
def test_a_clearance_that_comes_late_is_counted_until_lead_router_has_replaced_its_offer(ttl: float) -> None:
    """lead-router replaces an offer unanswered for two lifetimes and 30 s; before that nobody else makes up for it."""
    state = ready()
    replaced = 1.0 + 2 * ttl + 30.0
    take(state, cleared("x", at(1), ttl=ttl), replaced - 0.5)
    assert state.campaigns["C1"].supply.cleared_total == 1
    take(state, cleared("y", at(1), ttl=ttl), replaced + 10.0)
    assert state.campaigns["C1"].supply.cleared_total == 1


@pytest.mark.parametrize("told_by", ["progress", "end"])
def test_a_person_who_answered_is_counted_once_though_his_call_was_given_up_before(told_by: str) -> None:
    state = ready()
    dialled(state)
    take(state, closed("x", at(1.2), CloseOutcome.REDEEMED), 1.2)
    give(state, 3.0, [capacity(at(3), boot_id="b1")])
    assert "x" in state.done
    verdict = progress("x", ProgressStage.VERDICT, at(3.5), verdict=Verdict.HUMAN)
    end = ended("x", EndClass.ABANDONED, at(4), verdict=Verdict.HUMAN)
    give(state, 4.0, [verdict] if told_by == "progress" else [end])
    [budget] = state.budgets.values()
    assert (budget.humans, budget.abandoned) == (1, int(told_by == "end"))
    give(state, 5.0, [verdict, end, end])
    assert (budget.humans, budget.abandoned) == (1, 1)


def test_a_repeated_clearance_does_not_dial_again() -> None:
    state = ready()
    dialled(state)
    assert take(state, cleared("x", at(1.5)), 1.5).changed is False
    give(state, 2.0, [ended("x", EndClass.BUSY, at(2))])
    assert take(state, cleared("x", at(3)), 3.0).changed is False


@pytest.mark.parametrize("reason", [DialRefusal.CAPACITY, DialRefusal.CPS])
def test_an_offer_refused_for_capacity_is_tried_again_after_a_pause(reason: DialRefusal) -> None:
    state = ready()
    lease = dialled(state)
    assert take(state, refused("x", lease, reason, 1.1), 1.1).decision is None
    assert "x" in state.offers
    decision = take(state, Tick(), 1.7).decision
    assert decision is not None
    assert [dial.attempt_id for dial in decision.dials] == ["x"]
    assert decision.dials[0].lease_id != lease


def test_an_offer_refused_for_capacity_with_little_life_left_is_given_back() -> None:
    state = ready()
    decision = take(state, cleared("x", at(1), ttl=5.5), 1.0).decision
    assert decision is not None
    done = take(state, refused("x", decision.dials[0].lease_id, DialRefusal.CPS, 1.6), 1.6)
    assert done.decision is not None
    assert done.decision.returned == ("x",)


@pytest.mark.parametrize(
    "reason", [r for r in DialRefusal if r not in (DialRefusal.CAPACITY, DialRefusal.CPS)], ids=str
)
def test_an_offer_refused_for_anything_else_is_given_back(reason: DialRefusal) -> None:
    state = ready()
    decision = take(state, refused("x", dialled(state), reason, 1.1), 1.1).decision
    assert decision is not None
    assert decision.returned == ("x",)
    assert decision.dials == ()
    assert not state.calls


def test_an_offer_that_the_gate_did_not_answer_for_is_given_back() -> None:
    state = ready()
    take(state, cleared("a", at(1)), 1.0)
    end = ended("a", EndClass.NOT_DIALLED, at(2), dialled=False)
    decision = take(state, end, 2.0).decision
    assert decision is not None
    assert decision.returned == ("a",)
    assert not state.calls


def test_a_redeemed_call_that_was_not_dialled_is_over() -> None:
    state = ready()
    take(state, cleared("a", at(1)), 1.0)
    take(state, closed("a", at(1), CloseOutcome.REDEEMED), 1.5)
    decision = take(state, ended("a", EndClass.NOT_DIALLED, at(2), dialled=False), 2.0).decision
    assert decision is None or "a" not in decision.returned
    assert "a" in state.done


def test_a_refusal_of_an_earlier_lease_changes_nothing() -> None:
    state = ready()
    dialled(state)
    assert take(state, refused("x", "c-7-999", DialRefusal.CPS, 1.1), 1.1).changed is False
    assert "x" in state.calls


@pytest.mark.parametrize("outcome", [CloseOutcome.REFUSED, CloseOutcome.LAPSED])
def test_a_call_refused_at_the_last_look_or_lapsed_is_over(outcome: CloseOutcome) -> None:
    state = ready()
    dialled(state)
    take(state, closed("x", at(1.2), outcome), 1.2)
    assert not state.calls


def test_demand_is_raised_for_what_was_dialled_and_not_for_what_is_on_its_way() -> None:
    state = ready()
    first = take(state, Tick(), 0.5).decision
    assert first is not None
    [want] = first.wants
    assert want.wanted_total > 0
    assert take(state, Tick(), 0.7).decision is None
    dialled(state)
    assert state.campaigns["C1"].supply.wanted_total >= want.wanted_total


def test_an_expiring_offer_is_given_back() -> None:
    state = ready(agents=0)
    take(state, cleared("x", at(1), ttl=10), 1.0)
    assert (take(state, Tick(), 7.9).decision or Decision()).returned == ()
    assert (take(state, Tick(), 8.1).decision or Decision()).returned == ("x",)


@pytest.mark.parametrize("scope", ["all", "seller:S1", "route:demo-carrier", "state:US-NY"])
def test_a_stop_button_gives_offers_back_and_dials_nothing(scope: str) -> None:
    state = ready()
    stop = StopChanged(scope=scope, stopped=True, reason="drill", changed_at=at(0.5), changed_by="ops")
    give(state, 0.5, [stop])
    decision = take(state, cleared("x", at(1)), 1.0).decision
    assert decision is not None
    assert decision.returned == ("x",)
    assert decision.dials == ()


def test_a_silent_gateway_is_not_used() -> None:
    state = ready()
    give(state, 5.0, [agent_state(f"a{n}", AgentAvailability.AVAILABLE, at(5)) for n in range(6)])
    assert not (take(state, cleared("x", at(6.5)), 6.5).decision or Decision()).dials
    give(state, 6.6, [capacity(at(6.6))])
    assert [d.attempt_id for d in (take(state, Tick(), 6.7).decision or Decision()).dials] == ["x"]


def test_a_new_boot_of_a_gateway_frees_what_the_old_one_held() -> None:
    state = ready()
    dialled(state, "x")
    dialled(state, "y", 1.1)
    give(state, 2.0, [closed("x", at(2)), closed("y", at(2))])
    give(state, 3.0, [agent_leg("a1", at(3), boot_id="b1"), capacity(at(3), boot_id="b1", live=("y",))])
    assert set(state.calls) == {"y"}
    assert state.agents["a0"].leg_id is None
    assert state.agents["a1"].leg_id == "leg-a1-b1"


def test_the_end_that_overtakes_every_other_event_counts_the_human_once() -> None:
    state = ready()
    dialled(state)
    given = assign(state, "x", "C1", "g0", at(2))
    assert given is not None
    who = {"agent_id": given.agent_id, "agent_lease_id": given.lease_id}
    end = ended("x", EndClass.CONNECTED, at(9), verdict=Verdict.HUMAN, bridged_at=at(3), **who)
    late: list[Input] = [
        progress("x", ProgressStage.VERDICT, at(2), verdict=Verdict.HUMAN),
        progress("x", ProgressStage.ASSIGNED, at(2), **who),
        progress("x", ProgressStage.BRIDGED, at(3), **who),
        closed("x", at(1)),
    ]
    give(state, 9.0, [given, end, *late, end])
    assert state.budgets["S1/T1"].humans == 1
    assert state.agents[given.agent_id].duty is Duty.AFTER_CALL
    assert not state.calls


def test_stages_never_go_back() -> None:
    state = ready()
    dialled(state)
    give(state, 2.0, [progress("x", ProgressStage.BRIDGED, at(2)), progress("x", ProgressStage.ALERTING, at(1))])
    assert state.calls["x"].stage is CallStage.BRIDGED


def test_an_agent_given_by_an_owner_whose_record_is_void_is_not_given_again() -> None:
    state = ready(agents=1)
    who = {"agent_id": "a0", "agent_lease_id": "a-3-9"}
    give(state, 1.0, [progress("unknown", ProgressStage.ASSIGNED, at(1), **who)])
    assert assign(state, "y", "C1", "g0", at(1.1)) is None


def test_an_input_that_changes_nothing_leaves_the_state_as_it_was_to_the_last_byte() -> None:
    state = ready()
    dialled(state)
    before = encode(state)
    nothing: list[Input] = [
        Tick(),
        published(document()),
        cleared("x", at(1.5)),
        agent_leg("a0", at(1.5)),
        agent_leg("stranger", at(1.5), up=False),
        progress("stranger", ProgressStage.BRIDGED, at(1.5)),
        closed("stranger", at(1.5)),
        Decision(),
    ]
    give(state, 1.6, nothing)
    assert encode(state) == before


@pytest.mark.parametrize(("listed", "lives"), [(("x",), True), ((), False)])
def test_a_call_lives_as_long_as_its_gateway_lists_it(listed: tuple[str, ...], lives: bool) -> None:
    state = ready()
    dialled(state)
    give(state, 1.5, [closed("x", at(1.5))])
    for seconds in range(2, 40, 2):
        give(state, float(seconds), [capacity(at(seconds), live=listed), Tick()])
    assert ("x" in state.calls) is lives


def test_a_dial_of_which_nothing_is_heard_frees_its_channel() -> None:
    state = ready()
    dialled(state)
    for seconds in (5.0, 10.0, 15.0, 20.9):
        state.gateways["g0"].heard_at = at(seconds)
        give(state, seconds, [Tick()])
        assert "x" in state.calls
    give(state, 21.1, [Tick()])
    assert not state.calls
