"""Agents' duties: the table, and when a word of the console frees an agent after a call."""

from __future__ import annotations

from itertools import product

import pytest

from outdial_contracts.events import AgentAvailability as Said
from pacer.domain.agents import (
    DUTIES,
    Agent,
    Duty,
    DutyEvent,
    IllegalDuty,
    end_call,
    leg_changed,
    move,
    next_duty,
    reserve,
    said,
)

from .world import agent_leg, agent_state, at

ALLOWED = {
    ("IDLE", "RESERVE", "RESERVED"),
    ("IDLE", "BRIDGE", "TALKING"),
    ("RESERVED", "BRIDGE", "TALKING"),
    ("RESERVED", "END", "AFTER_CALL"),
    ("RESERVED", "RELEASE", "IDLE"),
    ("TALKING", "BRIDGE", "TALKING"),
    ("TALKING", "END", "AFTER_CALL"),
    ("AFTER_CALL", "END", "AFTER_CALL"),
    ("AFTER_CALL", "CONFIRM", "IDLE"),
}


def talking(lease: str = "L1") -> Agent:
    agent = Agent(agent_id="a1")
    leg_changed(agent, agent_leg("a1", at(0)))
    said(agent, agent_state("a1", Said.AVAILABLE, at(0)), at(0))
    reserve(agent, "x", lease, at(10), at(1))
    move(agent, DutyEvent.BRIDGE, at(2))
    return agent


def test_the_table_holds_exactly_the_legal_transitions() -> None:
    assert {(d.value, e.value, n.value) for (d, e), n in DUTIES.items()} == ALLOWED


@pytest.mark.parametrize(
    ("duty", "event"), [(d, e) for d, e in product(Duty, DutyEvent) if (d, e) not in DUTIES], ids=str
)
def test_an_absent_cell_names_duty_and_event(duty: Duty, event: DutyEvent) -> None:
    with pytest.raises(IllegalDuty, match=f"{duty.value}.*{event.value}"):
        next_duty(duty, event)


def test_a_heartbeat_from_before_the_call_does_not_free_an_agent_after_it() -> None:
    agent = talking()
    end_call(agent, at(20), at(20))
    said(agent, agent_state("a1", Said.AVAILABLE, at(21), seen="L0"), at(21))
    assert agent.duty is Duty.AFTER_CALL
    assert not agent.free(at(21))


def test_a_late_word_from_before_the_end_does_not_free_an_agent_whose_word_had_lapsed() -> None:
    agent = talking()
    agent.availability = Said.OFFLINE
    end_call(agent, at(20), at(20))
    assert agent.duty is Duty.IDLE
    said(agent, agent_state("a1", Said.AVAILABLE, at(19)), at(21))
    assert not agent.free(at(21))
    said(agent, agent_state("a1", Said.AVAILABLE, at(22)), at(22))
    assert agent.free(at(22))


def test_available_having_seen_the_assignment_frees_at_once() -> None:
    agent = talking()
    end_call(agent, at(20), at(20))
    said(agent, agent_state("a1", Said.AVAILABLE, at(21), seen="L1"), at(21))
    assert agent.free(at(21))
    assert agent.idle_since == at(21)


@pytest.mark.parametrize(("spoken_at", "free"), [(29.9, False), (30.0, False), (30.1, True)])
def test_available_without_the_assignment_counts_only_ten_seconds_after_the_end(spoken_at: float, free: bool) -> None:
    agent = talking()
    end_call(agent, at(20), at(20))
    said(agent, agent_state("a1", Said.AVAILABLE, at(spoken_at)), at(spoken_at))
    assert agent.free(at(spoken_at)) is free


def test_a_wrap_up_word_that_overtakes_the_end_of_the_call_frees_when_the_end_comes() -> None:
    agent = talking()
    said(agent, agent_state("a1", Said.AVAILABLE, at(21), seen="L1"), at(21))
    assert agent.duty is Duty.TALKING
    end_call(agent, at(20), at(22))
    assert agent.free(at(22))


@pytest.mark.parametrize("what", [Said.OFFLINE, Said.PAUSED, Said.WRAPUP, Said.UNKNOWN])
def test_only_available_is_assignable(what: Said) -> None:
    agent = Agent(agent_id="a1")
    leg_changed(agent, agent_leg("a1", at(0)))
    said(agent, agent_state("a1", what, at(0)), at(0))
    assert not agent.free(at(1))


def test_an_agent_is_assignable_only_while_his_word_is_valid_and_his_leg_is_up() -> None:
    agent = Agent(agent_id="a1")
    said(agent, agent_state("a1", Said.AVAILABLE, at(0)), at(0))
    assert not agent.free(at(1))
    leg_changed(agent, agent_leg("a1", at(1)))
    assert agent.free(at(1))
    assert not agent.free(at(10))
    leg_changed(agent, agent_leg("a1", at(2), up=False))
    assert not agent.free(at(3))


def test_an_older_word_changes_nothing() -> None:
    agent = Agent(agent_id="a1")
    said(agent, agent_state("a1", Said.PAUSED, at(5)), at(5))
    assert not said(agent, agent_state("a1", Said.AVAILABLE, at(4)), at(6))
    assert agent.availability is Said.PAUSED


def test_the_end_of_an_older_leg_does_not_take_the_new_one() -> None:
    agent = Agent(agent_id="a1")
    leg_changed(agent, agent_leg("a1", at(0), boot_id="b0"))
    leg_changed(agent, agent_leg("a1", at(5), boot_id="b1"))
    assert not leg_changed(agent, agent_leg("a1", at(6), up=False, boot_id="b0"))
    assert agent.leg_id == "leg-a1-b1"
