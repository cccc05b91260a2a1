"""Assign: nobody is given twice, a repeat gets the same, the longest idle comes first."""

from __future__ import annotations

from outdial_contracts.events import AgentAvailability, CampaignState, DialMode, EndClass
from outdial_contracts.events import ProgressStage as Stage
from pacer.domain.agents import Duty
from pacer.domain.assign import assign
from pacer.domain.fold import fold
from pacer.domain.inputs import AgentGiven, Tick
from pacer.domain.state import TeamState
from pacer.domain.step import step

from .world import agent_leg, agent_state, at, capacity, cleared, document, ended, progress, published


def team(agents: int) -> TeamState:
    state = TeamState(team_id="blue", epoch=5)
    for n in range(agents):
        sign_in(state, f"a{n:03}", n * 0.001)
    return state


def sign_in(state: TeamState, name: str, seconds: float) -> None:
    fold(state, agent_leg(name, at(seconds)), state.next_at(at(seconds)))
    fold(state, agent_state(name, AgentAvailability.AVAILABLE, at(seconds)), state.next_at(at(seconds)))


def ask(state: TeamState, attempt: str, seconds: float, gateway: str = "g0") -> AgentGiven | None:
    now = state.next_at(at(seconds))
    given = assign(state, attempt, "C1", gateway, now)
    if given is not None:
        fold(state, given, now)
    return given


def test_a_thousand_assigns_for_five_hundred_agents_give_nobody_twice() -> None:
    state = team(500)
    answers = [ask(state, f"attempt-{n}", 1.0) for n in range(1000)]
    given = [answer for answer in answers if answer is not None]
    assert len(given) == 500
    assert len({g.agent_id for g in given}) == 500
    assert len({g.lease_id for g in given}) == 500
    assert [g.attempt_id for g in given] == [f"attempt-{n}" for n in range(500)]


def test_a_repeat_gets_the_same_agent_and_lease() -> None:
    state = team(3)
    first = ask(state, "x", 1.0)
    revision = state.revision
    assert ask(state, "x", 1.1) == first
    assert state.revision == revision


def test_the_longest_idle_agent_comes_first() -> None:
    state = TeamState(team_id="blue", epoch=0)
    for name, seconds in (("a2", 0.0), ("a0", 1.0), ("a1", 2.0)):
        sign_in(state, name, seconds)
    assert [getattr(ask(state, f"x{n}", 3.0), "agent_id", None) for n in range(4)] == ["a2", "a0", "a1", None]


def test_an_agent_on_the_calls_own_gateway_goes_before_one_who_waits_longer_elsewhere() -> None:
    state = team(2)
    state.agents["a000"].gateway_id = "g1"
    given = ask(state, "x", 1.0, gateway="g0")
    assert given is not None
    assert given.agent_id == "a001"


def test_an_agent_takes_only_his_campaigns() -> None:
    state = team(1)
    state.agents["a000"].campaign_ids = ("other",)
    assert ask(state, "x", 1.0) is None


def test_a_lease_that_was_never_bridged_ends_after_ten_seconds() -> None:
    state = team(1)
    assert ask(state, "x", 1.0) is not None
    said = agent_state("a000", AgentAvailability.AVAILABLE, at(9.0))
    fold(state, said, state.next_at(at(9.0)))
    assert ask(state, "y", 10.9) is None
    fold(state, Tick(), state.next_at(at(11.1)))
    assert ask(state, "y", 11.2) is not None


def test_an_agent_whose_leg_went_down_is_taken_back_and_another_given() -> None:
    state = team(2)
    first = ask(state, "x", 1.0)
    assert first is not None
    fold(state, agent_leg(first.agent_id, at(1.05), up=False), state.next_at(at(1.05)))
    second = ask(state, "x", 1.1)
    assert second is not None
    assert second.agent_id != first.agent_id


def test_a_call_whose_agent_went_before_he_was_heard_is_given_another_and_he_wraps_up() -> None:
    state = team(2)
    for item in (published(document()), published(None, CampaignState.RUNNING)):
        fold(state, item, state.next_at(at(0.5)))
    fold(state, capacity(at(0.6)), state.next_at(at(0.6)))
    step(state, cleared("x", at(0.7)), None, at(0.7))
    first = ask(state, "x", 1.0)
    assert first is not None
    taken = progress("x", Stage.ASSIGNED, at(1.01), agent_id=first.agent_id, agent_lease_id=first.lease_id)
    fold(state, taken, state.next_at(at(1.01)))
    assert ask(state, "x", 1.02) == first
    fold(state, agent_leg(first.agent_id, at(1.05), up=False), state.next_at(at(1.05)))
    second = ask(state, "x", 1.1)
    assert second is not None
    assert second.agent_id != first.agent_id
    assert state.agents[first.agent_id].duty is Duty.AFTER_CALL
    assert ask(state, "x", 1.2) == second


def test_a_reserved_agent_goes_to_his_own_attempt_only() -> None:
    state = team(1)
    for item in (published(document(mode=DialMode.PROGRESSIVE)), published(None, CampaignState.RUNNING)):
        fold(state, item, state.next_at(at(0.5)))
    fold(state, capacity(at(0.6)), state.next_at(at(0.6)))
    decision = step(state, cleared("mine", at(1.0)), None, at(1.0)).decision
    assert decision is not None
    [dial] = decision.dials
    assert dial.agent_id == "a000"
    assert ask(state, "other", 2.0) is None
    given = ask(state, "mine", 2.0)
    assert given is not None
    assert (given.agent_id, given.lease_id) == ("a000", dial.agent_lease_id)


def test_a_call_that_ends_before_it_is_claimed_frees_its_agent_without_wrap_up() -> None:
    state = team(1)
    for item in (published(document()), published(None, CampaignState.RUNNING)):
        fold(state, item, state.next_at(at(0.5)))
    fold(state, capacity(at(0.6)), state.next_at(at(0.6)))
    assert step(state, cleared("x", at(1.0)), None, at(1.0)).decision is not None
    ask(state, "x", 2.0)
    fold(state, ended("x", EndClass.CALLEE_HUNG_UP, at(2.1)), state.next_at(at(2.1)))
    assert ask(state, "y", 2.2) is not None
