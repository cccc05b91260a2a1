"""The gate's budget: the pacer obeys its part, adds what it saw since, forgets nothing, and shares with other teams."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outdial_contracts.events import (
    AbandonBudget,
    CampaignState,
    DialMode,
    DropAllotment,
    EndClass,
    ProgressStage,
    Verdict,
)
from pacer.domain.fold import fold
from pacer.domain.inputs import Decision, Dial
from pacer.domain.policy import budget_left, mode_in_force
from pacer.domain.recovery import recover, replay
from pacer.domain.snapshot import Snapshot, decode_snapshot, encode
from pacer.domain.state import Allotment, Budget, TeamState

from .world import World, at, cleared, document, ended, journal_of, progress, published

LIMIT = 0.03


def said(calls: float, humans: int = 0, abandoned: int = 0, seconds: float = 0.0, team: str = "blue") -> AbandonBudget:
    part = DropAllotment(team_id=team, allotted_calls=calls, humans=humans, abandoned=abandoned)
    return AbandonBudget(
        legal_campaign="S1/T1", seller_id="S1", topic_id="T1", revision=1, limit=LIMIT, left_calls=calls,
        at=at(seconds), teams=(part,),
    )  # fmt: skip


def running() -> TeamState:
    state = TeamState(team_id="blue", epoch=0)
    fold(state, published(document(small_team_below=0)), state.next_at(at(0)))
    fold(state, published(None, CampaignState.RUNNING), state.next_at(at(0)))
    return state


def left(state: TeamState) -> float:
    return budget_left(state, state.campaigns["C1"])


def tell(state: TeamState, event: AbandonBudget) -> int:
    before = state.revision
    fold(state, event, state.next_at(event.at))
    return state.revision - before


def lose_one(state: TeamState, attempt: str, seconds: float) -> None:
    """A call that is answered by a person and abandoned."""
    fold(state, cleared(attempt, at(seconds)), state.next_at(at(seconds)))
    dial = Dial(
        attempt_id=attempt, campaign_id="C1", gateway_id="g0", gateway_partition=0, caller_id="+12125550101",
        lease_id=f"l{attempt}", dial_mode=DialMode.PREDICTIVE, expires_at=at(seconds + 5), lease_until=at(seconds + 60),
    )  # fmt: skip
    fold(state, Decision(dials=(dial,)), state.next_at(at(seconds)))
    verdict = progress(attempt, ProgressStage.VERDICT, at(seconds + 1), verdict=Verdict.HUMAN)
    fold(state, verdict, state.next_at(at(seconds + 1)))
    end = ended(attempt, EndClass.ABANDONED, at(seconds + 3), lease_id=dial.lease_id, verdict=Verdict.HUMAN)
    fold(state, end, state.next_at(at(seconds + 3)))


def test_without_the_gates_word_the_teams_own_count_is_the_budget() -> None:
    state = running()
    lose_one(state, "a1", 1)
    assert left(state) == pytest.approx(LIMIT * 101 - 1)


def test_what_the_team_saw_is_added_until_the_gate_has_counted_it() -> None:
    state = running()
    tell(state, said(2.0))
    lose_one(state, "a1", 1)
    assert left(state) == pytest.approx(2.0 + LIMIT - 1)
    tell(state, said(1.03, humans=1, abandoned=1, seconds=9))
    assert left(state) == pytest.approx(1.03)


def test_a_gate_that_is_ahead_of_the_teams_topics_is_not_paid_back() -> None:
    state = running()
    tell(state, said(2.0))
    tell(state, said(1.0, humans=1, abandoned=1, seconds=1))
    assert left(state) == pytest.approx(1.0)
    lose_one(state, "a1", 2)
    assert left(state) == pytest.approx(1.0)


def test_less_than_one_call_of_the_part_left_is_progressive_though_the_own_count_is_fresh() -> None:
    state = running()
    campaign = state.campaigns["C1"]
    assert mode_in_force(state, campaign)[0] is DialMode.PREDICTIVE
    tell(state, said(0.99))
    assert mode_in_force(state, campaign)[0] is DialMode.PROGRESSIVE


def test_a_document_that_asks_for_more_earns_no_more_than_the_limit_in_force() -> None:
    state = TeamState(team_id="blue", epoch=0)
    fold(state, published(document(abandon_limit=0.5)), state.next_at(at(0)))
    tell(state, said(2.0))
    state.budgets["S1/T1"] = Budget(humans=10)
    assert left(state) == pytest.approx(2.0 + LIMIT * 10)


def test_a_team_that_the_budget_of_its_campaign_does_not_name_has_no_part() -> None:
    state = running()
    assert tell(state, said(3.0, team="green")) == 1
    assert left(state) == 0.0


def test_a_budget_of_others_and_an_older_word_change_nothing() -> None:
    state = running()
    others = replace(said(9.0, team="green"), legal_campaign="S9/T9")
    assert tell(state, others) == 0
    tell(state, said(2.0, seconds=5))
    assert tell(state, said(3.0, seconds=5)) == 0
    assert tell(state, said(3.0, seconds=4)) == 0
    assert left(state) == 2.0


def test_a_budget_that_comes_before_its_campaign_is_kept() -> None:
    state = TeamState(team_id="blue", epoch=0)
    tell(state, said(2.5))
    fold(state, published(document()), state.next_at(at(1)))
    assert left(state) == 2.5


def test_a_team_whose_journal_is_gone_still_pays_for_what_it_sees() -> None:
    state = running()
    tell(state, said(2.0, humans=500, abandoned=14))
    lose_one(state, "a1", 1)
    assert left(state) == pytest.approx(2.0 + LIMIT - 1)
    tell(state, said(1.03, humans=501, abandoned=15, seconds=9))
    assert left(state) == pytest.approx(1.03)


def test_a_snapshot_and_a_replay_keep_the_spent_budget() -> None:
    world = World(seed=5, agents=10)
    world.later(5.0, lambda t: world.take(said(0.5, seconds=t), t))
    world.run(60)
    decisions = list(replay("blue", journal_of(world)))
    assert [d.replayed for d in decisions] == [d.recorded for d in decisions]
    assert recover(journal_of(world), 9)["blue"].allotments == world.state.allotments
    kept = decode_snapshot(encode(Snapshot(teams=("blue",), state=world.state))).state
    assert kept.allotments == world.state.allotments
    late = [d for when, item in world.log if isinstance(item, Decision) and when > at(6) for d in item.dials]
    spent_again = world.state.allotments["S1/T1"].left(world.state.budgets["S1/T1"], LIMIT) >= 1.0
    assert late
    assert spent_again or {d.dial_mode for d in late} == {DialMode.PROGRESSIVE}


@settings(max_examples=200)
@given(
    parts=st.lists(st.floats(min_value=0, max_value=5), min_size=2, max_size=4),
    tries=st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=200),
)
def test_teams_of_one_legal_campaign_together_never_spend_more_than_what_was_left(
    parts: list[float], tries: list[tuple[int, bool]]
) -> None:
    """Each overdials while its own part holds a whole call, whatever the gate has counted meanwhile."""
    shares = [Allotment(at=at(0), limit=LIMIT, calls=calls) for calls in parts]
    own = [Budget() for _ in parts]
    for team, abandons in tries:
        n = team % len(parts)
        if shares[n].left(own[n], LIMIT) < 1.0:
            continue
        own[n].humans += 1
        own[n].abandoned += abandons
    spent, earned = sum(b.abandoned for b in own), LIMIT * sum(b.humans for b in own)
    assert spent <= sum(parts) + earned + 1e-9
