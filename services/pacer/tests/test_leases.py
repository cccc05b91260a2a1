"""Nothing leaks: whatever events are lost, every lease is back once its time is over."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outdial_contracts.events import DialMode
from pacer.domain.agents import Duty
from pacer.domain.inputs import Tick
from pacer.domain.leases import MAX_CALL_SECONDS, held
from pacer.domain.step import step

from .world import World, at, document

QUIET = {"agents": 0, "channels": 0, "numbers": 0}


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    lose=st.sampled_from([0.05, 0.3, 0.7]),
    mode=st.sampled_from([DialMode.PREDICTIVE, DialMode.PROGRESSIVE]),
    stop_at=st.floats(5.0, 40.0),
)
def test_after_lost_events_and_a_crash_every_lease_comes_back(
    seed: int, lose: float, mode: DialMode, stop_at: float
) -> None:
    world = World(seed=seed, agents=6, lose=lose, doc=document(mode=mode))
    world.run(stop_at)
    for after in (20.0, 100.0, MAX_CALL_SECONDS, 2 * MAX_CALL_SECONDS):
        step(world.state, Tick(), None, at(stop_at + after))
    assert held(world.state) == QUIET
    assert not world.state.offers
    assert not world.state.unwanted


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_while_it_runs_no_agent_holds_two_calls_and_no_lease_is_of_a_call_that_is_over(seed: int) -> None:
    world = World(seed=seed, agents=8, lose=0.1)
    world.run(60)
    state = world.state
    for agent in state.agents.values():
        if agent.duty in (Duty.RESERVED, Duty.TALKING):
            assert agent.attempt_id is not None
            assert agent.lease_until is not None
        else:
            assert agent.attempt_id is None
    taken = [a.attempt_id for a in state.agents.values() if a.attempt_id is not None]
    assert len(taken) == len(set(taken))
