"""The service on the memory broker: journal before dial, takeover, redelivery, Assign, HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from outdial_contracts import codec
from outdial_contracts.base import Event
from outdial_contracts.events import (
    AgentAvailability,
    BlockReason,
    CallDial,
    CampaignState,
    ComplianceBlocked,
    JournalKind,
    PacingDemand,
    PacingJournal,
    ProgressStage,
    TeamOwner,
)
from outdial_contracts.rpc import outdial_pb2 as pb
from outdial_contracts.topics import TOPICS
from outdial_runtime.outcome import Emit, Publish, RetryLater
from outdial_runtime.service import Received, Request, TickInput
from outdial_testing import MemoryBroker, MemoryRuntime, VirtualClock, run_in_memory
from pacer.app import SUBSCRIPTIONS, build_service
from pacer.config import Config, ConfigError
from pacer.domain.recovery import Entry, replay
from pacer.handlers.assigning import on_assign
from pacer.handlers.owning import TeamPartitions
from pacer.handlers.team_events import (
    on_agent_leg,
    on_agent_state,
    on_call_progress,
    on_compliance_blocked,
    on_compliance_cleared,
)
from pacer.handlers.ticks import on_pacing
from pacer.handlers.world_events import on_campaign_published, on_gateway_capacity
from pacer.ports import Deps

from .world import agent_leg, agent_state, at, capacity, cleared, document, ids, progress, published

CONFIG = Config(owner_id="pacer-0", address="127.0.0.1:7003", snapshot_every_records=50)
WORLD = (published(document()), published(None, CampaignState.RUNNING))


def crew(names: Sequence[str], seconds: float = 0.0) -> list[Event]:
    return [
        event
        for name in names
        for event in (agent_leg(name, at(seconds)), agent_state(name, AgentAvailability.AVAILABLE, at(seconds)))
    ]


def call(n: int) -> str:
    """An attempt id that the codec takes."""
    return f"00000000-0000-5000-8000-{n:012d}"


def ask(attempt: str, team: str = "blue") -> pb.AssignRequest:
    return pb.AssignRequest(attempt_id=attempt, campaign_id="C1", team_id=team, gateway_id="g0")


@asynccontextmanager
async def running(broker: MemoryBroker, agents: int = 6) -> AsyncIterator[MemoryRuntime]:
    async with run_in_memory(build_service(CONFIG), broker) as service:
        broker.publish(capacity(broker.clock.now()), *crew([f"a{n}" for n in range(agents)]))
        await service.settle()
        yield service


async def test_cleared_offers_are_dialled_asked_for_and_owned_and_replay_decides_the_same() -> None:
    broker = MemoryBroker(VirtualClock(at(0)))
    broker.publish(*WORLD)
    async with running(broker) as service:
        await service.advance(0.4)
        broker.publish(*(cleared(call(n), at(0.4)) for n in range(3)))
        await service.advance(0.4)
        dials = broker.events(CallDial)
        assert {d.attempt_id for d in dials} == {call(0), call(1), call(2)}
        [owner] = {(o.team_id, o.address, o.epoch) for o in broker.events(TeamOwner)}
        assert owner == ("blue", "127.0.0.1:7003", dials[0].owner_epoch)
        assert broker.events(PacingDemand)[-1].wanted_total > 0
        why = await service.http("GET", "/v1/why/C1")
        assert why.body["binding"] == "DIALING"
        team = await service.http("GET", "/v1/teams/blue")
        assert team.body["live_calls"] == 3
        assert (await service.http("GET", "/v1/why/nobody")).status == 404
        assert (await service.http("GET", "/v1/teams/nobody")).status == 404
    records = [e for e in broker.events(PacingJournal) if e.team_id == "blue"]
    decisions = list(replay("blue", [Entry(offset=n, record=r) for n, r in enumerate(records)]))
    assert decisions
    assert [d.replayed for d in decisions] == [d.recorded for d in decisions]


async def test_a_new_owner_knows_who_was_given_and_what_was_dialled() -> None:
    broker = MemoryBroker(VirtualClock(at(0)))
    broker.publish(*WORLD)
    async with running(broker) as service:
        broker.publish(cleared(call(0), at(0)))
        await service.advance(0.2)
        first = await service.rpc("AgentRouter", "Assign", ask(call(0)))
        epoch = first.assigned.epoch
        await service.kill()
    async with run_in_memory(build_service(CONFIG), broker) as service:
        again = await service.rpc("AgentRouter", "Assign", ask(call(0)))
        assert again.assigned.lease_id == first.assigned.lease_id
        assert again.assigned.epoch > epoch
        others = [await service.rpc("AgentRouter", "Assign", ask(f"y{n}")) for n in range(6)]
        given = [o.assigned.agent_id for o in others if o.WhichOneof("result") == "assigned"]
        assert len(given) == 5
        assert first.assigned.agent_id not in given
        broker.publish(cleared(call(0), at(0.3)))
        await service.advance(1.0)
    assert [d.attempt_id for d in broker.events(CallDial)] == [call(0)]
    assert {o.epoch for o in broker.events(TeamOwner)} == {epoch, again.assigned.epoch}


async def test_snapshots_are_written_and_a_third_owner_recovers_from_them() -> None:
    broker = MemoryBroker(VirtualClock(at(0)))
    broker.publish(*WORLD)
    async with running(broker) as service:
        for second in range(1, 8):
            broker.publish(*crew([f"a{n}" for n in range(6)], float(second)), capacity(at(second)))
            await service.advance(1.0)
    assert any(r.kind is JournalKind.SNAPSHOT for r in broker.events(PacingJournal))
    async with run_in_memory(build_service(CONFIG), broker) as service:
        reply = await service.rpc("AgentRouter", "Assign", ask(call(0)))
        assert reply.WhichOneof("result") == "assigned"


async def test_assign_says_why_there_is_nobody() -> None:
    broker = MemoryBroker(VirtualClock(at(0)))
    broker.publish(*WORLD)
    async with running(broker, agents=1) as service:
        assert (await service.rpc("AgentRouter", "Assign", ask(call(0), "green"))).none.reason == "team_unknown"
        assert (await service.rpc("AgentRouter", "Assign", ask(call(0)))).WhichOneof("result") == "assigned"
        assert (await service.rpc("AgentRouter", "Assign", ask("y"))).none.reason == "none_free"


class FakeJournal:
    """One partition, shared by owners that do not know of each other."""

    def __init__(self) -> None:
        self.records: list[PacingJournal] = []

    async def append(self, events: Sequence[Event], partition: int) -> list[int]:
        first = len(self.records)
        self.records += [e for e in events if isinstance(e, PacingJournal)]
        return list(range(first, len(self.records)))

    async def read(self, topic: type[Event], partition: int, from_offset: int = 0) -> list[Received[Any]]:
        return [received(r, offset) for offset, r in enumerate(self.records) if offset >= from_offset]


class FakeOutbox:
    """Keeps what was emitted."""

    def __init__(self) -> None:
        self.events: list[Emit] = []

    def emit(self, *events: Emit) -> None:
        self.events += events

    async def flush(self) -> None:
        return None


def received(event: Event, offset: int, seconds: float = 0.0) -> Received[Any]:
    return Received(
        event=event,
        cause=f"{event.TOPIC}:{offset}",
        time=at(seconds),
        now=at(seconds),
        topic=event.TOPIC,
        partition=0,
        offset=offset,
        raw=codec.encode(event),
    )


def owner(journal: FakeJournal, name: str) -> Deps:
    clock = VirtualClock(at(0))
    return Deps(clock=clock, journal=journal, outbox=FakeOutbox(), owner_id=name, address=f"{name}:1")


async def written(journal: FakeJournal, outcome: object) -> Publish:
    """The outcome's first stage, acknowledged."""
    assert isinstance(outcome, Publish)
    records = [e.event for e in outcome.events if isinstance(e, Emit)]
    assert all(isinstance(r, PacingJournal) for r in records)
    await journal.append(records, 0)
    return outcome


async def staffed(journal: FakeJournal, name: str = "p0") -> Deps:
    deps = owner(journal, name)
    for offset, event in enumerate(WORLD):
        await on_campaign_published(received(event, offset), deps)
    await on_gateway_capacity(received(capacity(at(0)), 0), deps)
    await TeamPartitions().on_assigned(frozenset({0}), deps)
    for n in range(6):
        await written(journal, await on_agent_leg(received(agent_leg(f"a{n}", at(0)), n), deps))
        said = agent_state(f"a{n}", AgentAvailability.AVAILABLE, at(0))
        await written(journal, await on_agent_state(received(said, n), deps))
    return deps


async def test_the_decision_is_in_the_first_stage_and_the_dial_in_the_second() -> None:
    journal = FakeJournal()
    deps = await staffed(journal)
    outcome = await written(journal, await on_compliance_cleared(received(cleared(call(0), at(1)), 0, 1.0), deps))
    kinds = [e.event.kind for e in outcome.events if isinstance(e, Emit) and isinstance(e.event, PacingJournal)]
    assert kinds == [JournalKind.INPUT, JournalKind.DECISION]
    assert any(isinstance(e, Emit) and isinstance(e.event, CallDial) for e in outcome.then)


async def test_a_redelivered_input_is_counted_once_also_by_the_next_owner() -> None:
    journal = FakeJournal()
    deps = await staffed(journal)
    blocked = ComplianceBlocked(
        **ids(call(1)), epoch=0, rule_pack="1", blocked_at=at(1), reasons=(BlockReason.DNC_LISTED,)
    )
    message = received(blocked, 3, 1.0)
    await written(journal, await on_compliance_blocked(message, deps))
    assert await on_compliance_blocked(message, deps) == Publish()
    after = owner(journal, "p1")
    await TeamPartitions().on_assigned(frozenset({0}), after)
    assert await on_compliance_blocked(message, after) == Publish()
    for holder in (deps, after):
        supply = holder.owned.partitions[0].teams["blue"].campaigns["C1"].supply
        assert supply.blocks == {"DNC_LISTED": 1}


async def test_a_tick_that_does_nothing_leaves_no_record() -> None:
    journal = FakeJournal()
    deps = await staffed(journal)
    await written(journal, await on_pacing(TickInput(now=at(0.5), partition=0), deps))
    quiet = await on_pacing(TickInput(now=at(0.7), partition=0), deps)
    assert quiet == Publish()


async def test_what_a_stalled_owner_gives_away_after_a_takeover_changes_nothing_for_the_new_one() -> None:
    journal = FakeJournal()
    stalled = await staffed(journal, "p0")
    fresh = owner(journal, "p1")
    await TeamPartitions().on_assigned(frozenset({0}), fresh)
    late = await on_assign(Request(message=ask(call(0)), now=at(1), cause="c"), stalled)
    await written(journal, late.outcome)
    assert late.reply.assigned.epoch < fresh.owned.partitions[0].epoch
    third = owner(journal, "p2")
    await TeamPartitions().on_assigned(frozenset({0}), third)
    assert third.owned.partitions[0].teams["blue"].agents[late.reply.assigned.agent_id].free(at(1))


async def test_progress_of_a_void_assignment_keeps_its_agent_from_being_given_again() -> None:
    journal = FakeJournal()
    deps = await staffed(journal)
    partition = deps.owned.partitions[0]
    event = progress("void", ProgressStage.ASSIGNED, at(1), agent_id="a0", agent_lease_id="a-0-77")
    await written(journal, await on_call_progress(received(event, 0, 1.0), deps))
    assert not partition.teams["blue"].agents["a0"].free(at(1.1))


async def test_an_input_of_a_partition_that_is_not_ours_comes_again() -> None:
    deps = owner(FakeJournal(), "p0")
    assert isinstance(await on_agent_leg(received(agent_leg("a0", at(0)), 0), deps), RetryLater)


async def test_revoked_teams_are_forgotten() -> None:
    deps = await staffed(FakeJournal())
    await TeamPartitions().on_revoked(frozenset({0}), deps)
    answer = await on_assign(Request(message=ask(call(0)), now=at(1), cause="c"), deps)
    assert answer.reply.none.reason == "not_owner"


def test_it_subscribes_to_what_the_contract_says_but_reads_its_journal_itself() -> None:
    listed = {topic.name for topic in TOPICS.values() if "pacer" in topic.consumers}
    assert {event.TOPIC for event in SUBSCRIPTIONS} == listed - {PacingJournal.TOPIC}


@pytest.mark.parametrize("port", ["", "0", "x", "70000"])
def test_a_grpc_port_nobody_could_call_is_refused(port: str) -> None:
    with pytest.raises(ConfigError, match="OUTDIAL_GRPC_PORT"):
        Config.from_env({"OUTDIAL_GRPC_PORT": port})


def test_the_address_told_to_gateways_is_the_advertised_one() -> None:
    config = Config.from_env(
        {"OUTDIAL_GRPC_PORT": "7003", "OUTDIAL_ADVERTISED_HOST": "10.0.0.7", "OUTDIAL_ORDINAL": "2"}
    )
    assert (config.address, config.owner_id) == ("10.0.0.7:7003", "pacer-2")
