"""The journal is the state: replay decides the same bytes, and what a stale owner writes is void."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from outdial_contracts.events import AgentAvailability, DialMode, JournalKind, PacingJournal
from pacer.domain.recovery import Entry, recover, replay, suffices, valid
from pacer.domain.snapshot import Snapshot, encode
from pacer.domain.state import FOLD_VERSION, TeamState

from .world import World, agent_state, at, document, entry, journal_of


def took_over(offset: int) -> Entry:
    record = PacingJournal(
        team_id="*",
        kind=JournalKind.TOOK_OVER,
        epoch=0,
        fold_version=FOLD_VERSION,
        owner_id="p",
        payload=b"",
        at=at(0),
    )
    return Entry(offset=offset, record=record)


def snapshot(offset: int, state: TeamState, teams: tuple[str, ...] = ("blue",)) -> Entry:
    assert state.last_at is not None
    record = PacingJournal(
        team_id="blue",
        kind=JournalKind.SNAPSHOT,
        epoch=state.epoch,
        fold_version=FOLD_VERSION,
        owner_id="p",
        payload=encode(Snapshot(teams=teams, state=state)),
        at=state.last_at,
    )
    return Entry(offset=offset, record=record)


@pytest.mark.parametrize(
    ("mode", "seed"), [(DialMode.PREDICTIVE, 1), (DialMode.PREDICTIVE, 2), (DialMode.PROGRESSIVE, 3)]
)
def test_replay_decides_the_same_bytes(mode: DialMode, seed: int) -> None:
    world = World(seed=seed, agents=10, doc=document(mode=mode))
    world.run(90)
    decisions = list(replay("blue", journal_of(world)))
    assert len(decisions) > 50
    assert [d.replayed for d in decisions] == [d.recorded for d in decisions]


def test_the_journal_in_another_order_than_it_was_folded_in_gives_the_same_state() -> None:
    world = World(seed=4, agents=6)
    world.run(40)
    entries = journal_of(world)
    swapped = [replace(e, offset=e.offset + (1 if n % 2 else -1)) for n, e in enumerate(entries)]
    world.state.begin_epoch(999_999)
    expected = replace(world.state, seen={})
    for journal in (entries, swapped):
        state = recover(journal, 999_999)["blue"]
        state.seen.clear()
        assert encode(state) == encode(expected)


def test_recovery_from_a_snapshot_equals_recovery_from_the_start() -> None:
    world = World(seed=5, agents=6)
    world.run(40)
    entries = journal_of(world)
    half = len(entries) // 2
    early = recover(entries[:half], 0)["blue"]
    early.epoch = 0
    whole = recover([took_over(0), *entries], 0)["blue"]
    short = recover([snapshot(half, early), *(replace(e, offset=e.offset + 1) for e in entries[half:])], 0)["blue"]
    for state in (whole, short):
        state.seen.clear()
        # begin_epoch of the takeover that made `early` forgot what the whole run still knew.
        state.campaigns["C1"].supply = early.campaigns["C1"].supply
    assert short.agents == whole.agents
    assert short.calls == whole.calls
    assert short.budgets == whole.budgets


def test_a_snapshot_of_another_fold_version_is_not_used() -> None:
    state = TeamState(team_id="blue", epoch=0, last_at=at(5))
    foreign = snapshot(3, state)
    foreign = replace(foreign, record=replace(foreign.record, fold_version=FOLD_VERSION + 1))
    said = entry(1, at(1), agent_state("a0", AgentAvailability.AVAILABLE, at(1)))
    assert "a0" in recover([said, foreign], 9)["blue"].agents
    assert not suffices([said, foreign])


def test_a_snapshot_from_before_attempts_that_are_over_said_what_was_counted_is_not_used() -> None:
    """Its `done` held instants: an owner that started to decode it could not take over."""
    foreign = snapshot(3, TeamState(team_id="blue", epoch=0, last_at=at(5)))
    old = json.loads(foreign.record.payload)
    old["state"]["done"] = {"x": "2026-03-02T15:00:00Z"}
    record = replace(foreign.record, fold_version=1, payload=json.dumps(old).encode())
    said = entry(1, at(1), agent_state("a0", AgentAvailability.AVAILABLE, at(1)))
    assert "a0" in recover([said, replace(foreign, record=record)], 9)["blue"].agents


def test_what_a_stale_owner_writes_after_a_takeover_is_void() -> None:
    mine = entry(1, at(1), agent_state("a0", AgentAvailability.AVAILABLE, at(1)), epoch=0)
    stale = entry(11, at(2), agent_state("a0", AgentAvailability.OFFLINE, at(2)), epoch=0)
    new = entry(12, at(3), agent_state("a1", AgentAvailability.AVAILABLE, at(3)), epoch=10)
    entries = [took_over(0), mine, took_over(10), stale, new]
    assert [e.offset for e in valid(entries)] == [0, 1, 10, 12]
    state = recover(entries, 20)["blue"]
    assert state.agents["a0"].availability is AgentAvailability.AVAILABLE
    assert "a1" in state.agents
    assert state.epoch == 20


def test_a_journals_end_suffices_only_with_a_whole_set_of_snapshots() -> None:
    state = TeamState(team_id="blue", last_at=at(5))
    assert suffices([snapshot(5, state)])
    assert not suffices([snapshot(5, state, teams=("blue", "green"))])
    assert not suffices([])
